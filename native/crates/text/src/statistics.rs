//! The numbers that the quality rules look at.

mod c4;
mod code;
mod grams;
mod lines;
mod repetition;
mod seen;

pub use c4::C4Options;
pub use seen::{Scratch, Seen, StopWords};

use crate::words::Segmentation;
use crate::words::tokens::{Token, tokens_of_words};
use rayon::prelude::*;
use std::cell::RefCell;

/// One number of a text: its name and how it is got. What a pass over the text finds is made once, when it is asked for.
pub type Column = (&'static str, fn(&Seen) -> f64);

/// All numbers there are, in the order of `statisticsFields` in TypeScript.
pub const COLUMNS: &[Column] = &[
    ("bytes", |text| text.bytes()),
    ("characters", |text| text.characters()),
    ("lines", |text| text.lines().lines as f64),
    ("filledLines", |text| text.lines().filled as f64),
    ("tokens", |text| text.tokens().len() as f64),
    ("words", |text| text.words().words as f64),
    ("meanWordLength", |text| {
        ratio(text.words().characters as f64, text.words().words as f64)
    }),
    ("hashRatio", |text| text.of_tokens(count(text.text, "#"))),
    ("ellipsisRatio", |text| {
        text.of_tokens(count(text.text, "...") + count(text.text, "…"))
    }),
    ("bulletLinesRatio", |text| text.lines().bullets),
    ("ellipsisLinesRatio", |text| text.lines().ellipses),
    ("alphaWordsRatio", |text| {
        text.of_tokens(text.words().with_letter)
    }),
    ("stopWords", |text| f64::from(text.words().stop_words)),
    ("dupLineFraction", |text| text.lines().duplicate_lines),
    ("dupLineCharFraction", |text| {
        text.of_characters(text.lines().duplicate_line_characters)
    }),
    ("dupParagraphFraction", |text| {
        text.lines().duplicate_paragraphs
    }),
    ("dupParagraphCharFraction", |text| {
        text.of_characters(text.lines().duplicate_paragraph_characters)
    }),
    ("top2GramFraction", |text| top(text, 2)),
    ("top3GramFraction", |text| top(text, 3)),
    ("top4GramFraction", |text| top(text, 4)),
    ("dup5GramFraction", |text| duplicate(text, 5)),
    ("dup6GramFraction", |text| duplicate(text, 6)),
    ("dup7GramFraction", |text| duplicate(text, 7)),
    ("dup8GramFraction", |text| duplicate(text, 8)),
    ("dup9GramFraction", |text| duplicate(text, 9)),
    ("dup10GramFraction", |text| duplicate(text, 10)),
    ("linePunctRatio", |text| text.lines().with_terminal),
    ("shortLineRatio", |text| text.lines().short),
    ("charDuplicatesRatio", |text| {
        let lines = text.lines();
        let whole = text.characters() - lines.breaks as f64;
        ratio(lines.repeated_line_characters as f64, whole)
    }),
    ("newLineRatio", |text| {
        text.of_tokens(text.lines().breaks as u64)
    }),
    ("c4LoremIpsumLines", |text| f64::from(text.c4().lorem_ipsum)),
    ("c4CurlyBracketLines", |text| {
        f64::from(text.c4().curly_bracket)
    }),
    ("c4Sentences", |text| f64::from(text.c4().sentences)),
    ("c4Lines", |text| f64::from(text.c4().lines)),
    ("averageLineLength", |text| text.code().average_line_length),
    ("maxLineLength", |text| text.code().longest_line as f64),
    ("alphanumericFraction", |text| text.code().alphanumeric),
    ("alphabeticFraction", |text| text.code().alphabetic),
    ("digitFraction", |text| text.code().digits),
    ("encodedFraction", |text| text.code().encoded),
    ("longestEncodedRun", |text| {
        text.code().longest_encoded as f64
    }),
    ("commentLinesRatio", |text| text.code().comment_lines),
    ("generatedMarkers", |text| {
        f64::from(text.code().generated_markers)
    }),
    ("licenceMarkers", |text| {
        f64::from(text.code().licence_markers)
    }),
];

/// What changes how the numbers are got, as opposed to the limits that rules compare them to.
pub struct Options {
    pub segmentation: Segmentation,
    pub stop_words: StopWords,
    pub fine_web: FineWebOptions,
    pub c4: C4Options,
}

pub struct FineWebOptions {
    /// In characters.
    pub short_line_length: usize,
    /// The characters that end a line of prose; datatrove's `TERMINAL_PUNCTUATION` if not given.
    pub stop_chars: Option<Vec<char>>,
}

/// The columns that are asked for: of a text as it is, and of what C4 leaves of it.
pub struct Plan {
    pub columns: Vec<usize>,
    pub after_c4: Vec<usize>,
    /// Give C4's texts back.
    pub keep_texts: bool,
    /// Where a text's numbers may end, in order, of `columns` and of `after_c4`.
    pub stops: Vec<Stop>,
    pub stops_after_c4: Vec<Stop>,
    pub options: Options,
}

/// A number out of these limits is the last that is wanted of a text: what follows is NaN, but for columns without a stop.
pub struct Stop {
    /// Of the column in `columns` or `after_c4`.
    pub place: usize,
    pub min: f64,
    pub max: f64,
    /// 0 is in the limits.
    pub except_zero: bool,
}

impl Stop {
    fn ends(&self, number: f64) -> bool {
        (number < self.min || number > self.max) && !(self.except_zero && number == 0.0)
    }
}

pub struct Table {
    /// [texts x (columns + after_c4)].
    pub numbers: Vec<f64>,
    /// What C4 leaves of each text, where that was asked for.
    pub texts: Vec<String>,
}

/// The numbers of each text, on all threads of the current pool; with `words`, of tokens that somebody else found. The
/// first text that does not hold its words is an error.
pub fn statistics(
    texts: &[&str],
    words: Option<&[Vec<String>]>,
    plan: &Plan,
) -> Result<Table, usize> {
    let width = plan.columns.len() + plan.after_c4.len();
    let mut numbers = vec![0.0; texts.len() * width.max(1)];
    let left: Result<Vec<Option<String>>, usize> = numbers
        .par_chunks_mut(width.max(1))
        .enumerate()
        .map(|(at, row)| {
            let given = match words {
                None => None,
                Some(words) => Some(
                    words
                        .get(at)
                        .and_then(|words| tokens_of_words(texts[at], words))
                        .ok_or(at)?,
                ),
            };
            Ok(SCRATCH.with(|scratch| fill(texts[at], given, plan, scratch, &mut row[..width])))
        })
        .collect();
    numbers.truncate(texts.len() * width);
    Ok(Table {
        numbers,
        texts: left?.into_iter().flatten().collect(),
    })
}

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// Fills one row; the answer is what C4 leaves of the text, where the plan asks for it.
fn fill(
    text: &str,
    tokens: Option<Vec<Token>>,
    plan: &Plan,
    scratch: &RefCell<Scratch>,
    row: &mut [f64],
) -> Option<String> {
    let mut seen = Seen::new(text, &plan.options, scratch);
    if let Some(tokens) = tokens {
        seen = seen.with_tokens(tokens);
    }
    let (before, after) = row.split_at_mut(plan.columns.len());
    let mut ended = fill_columns(&seen, &plan.columns, &plan.stops, before);
    if ended {
        after.fill(f64::NAN);
    } else if !plan.after_c4.is_empty() {
        let left = seen.left_by_c4();
        ended = fill_columns(&left, &plan.after_c4, &plan.stops_after_c4, after);
        left.finish();
    }
    let left = plan.keep_texts.then(|| {
        if ended {
            String::new()
        } else {
            seen.c4().text.clone()
        }
    });
    seen.finish();
    left
}

/// Whether a stop ended the row.
fn fill_columns(seen: &Seen, columns: &[usize], stops: &[Stop], row: &mut [f64]) -> bool {
    row.fill(f64::NAN);
    for (place, number) in row.iter_mut().enumerate() {
        if stops.iter().all(|stop| stop.place != place) {
            *number = COLUMNS[columns[place]].1(seen);
        }
    }
    for stop in stops {
        let number = &mut row[stop.place];
        if number.is_nan() {
            *number = COLUMNS[columns[stop.place]].1(seen);
        }
        if stop.ends(*number) {
            return true;
        }
    }
    false
}

fn top(text: &Seen, n: usize) -> f64 {
    text.of_characters(text.repetition().top[n - 2])
}

fn duplicate(text: &Seen, n: usize) -> f64 {
    text.of_characters(text.repetition().duplicate[n - 5])
}

/// How often a phrase occurs, as Python's `str.count`.
fn count(text: &str, phrase: &str) -> u64 {
    match phrase.as_bytes() {
        [byte] => memchr::memchr_iter(*byte, text.as_bytes()).count() as u64,
        bytes => memchr::memmem::find_iter(text.as_bytes(), bytes).count() as u64,
    }
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
