//! The numbers that the quality rules look at, all in one pass over a text.

mod c4;
mod code;
mod lines;
mod repetition;

pub use c4::{C4_FIELDS, C4Options, c4_lines};

use crate::words::tokens::{Token, split_tokens};
use rayon::prelude::*;
use repetition::{GramTable, Repetition};

/// The columns of `statistics`, in order. The TypeScript rules read them by these names.
pub const FIELDS: [&str; 39] = [
    "bytes",
    "characters",
    "lines",
    "tokens",
    "words",
    "meanWordLength",
    "hashRatio",
    "ellipsisRatio",
    "bulletLinesRatio",
    "ellipsisLinesRatio",
    "alphaWordsRatio",
    "stopWords",
    "dupLineFraction",
    "dupLineCharFraction",
    "dupParagraphFraction",
    "dupParagraphCharFraction",
    "top2GramFraction",
    "top3GramFraction",
    "top4GramFraction",
    "dup5GramFraction",
    "dup6GramFraction",
    "dup7GramFraction",
    "dup8GramFraction",
    "dup9GramFraction",
    "dup10GramFraction",
    "linePunctRatio",
    "shortLineRatio",
    "charDuplicatesRatio",
    "newLineRatio",
    "averageLineLength",
    "maxLineLength",
    "alphanumericFraction",
    "alphabeticFraction",
    "digitFraction",
    "encodedFraction",
    "longestEncodedRun",
    "commentLinesRatio",
    "generatedMarkers",
    "licenceMarkers",
];

/// [texts x FIELDS], on all threads of the current pool.
pub fn statistics(texts: &[String]) -> Vec<f64> {
    let mut numbers = vec![0.0; texts.len() * FIELDS.len()];
    numbers
        .par_chunks_mut(FIELDS.len())
        .zip(texts.par_iter())
        .for_each_init(Scratch::default, |scratch, (row, text)| {
            describe(text, scratch, row)
        });
    numbers
}

/// What is reused from one text to the next.
#[derive(Default)]
struct Scratch {
    tokens: Vec<Token>,
    grams: GramTable,
}

/// Gopher's English stop words: how many different ones occur says whether a text is running English.
const STOP_WORDS: [&str; 8] = ["the", "be", "to", "of", "and", "that", "have", "with"];

fn describe(text: &str, scratch: &mut Scratch, row: &mut [f64]) {
    split_tokens(text, &mut scratch.tokens);
    let tokens = &scratch.tokens;
    let characters = text.chars().count();
    let lines = lines::describe_lines(text, &mut scratch.grams);
    let repetition = Repetition::of(tokens, &mut scratch.grams);
    let code = code::describe_code(text, characters);
    let (mut words, mut word_characters, mut with_letter, mut stop_words) =
        (0u64, 0u64, 0u64, 0u32);
    for token in tokens {
        words += u64::from(token.is_word);
        word_characters += u64::from(token.is_word) * u64::from(token.characters);
        with_letter += u64::from(token.has_letter);
        if token.end - token.start <= 4 {
            let word = &text[token.start..token.end];
            if let Some(place) = STOP_WORDS.iter().position(|&stop_word| stop_word == word) {
                stop_words |= 1 << place;
            }
        }
    }
    let hashes = text.bytes().filter(|&byte| byte == b'#').count();
    let ellipses = text.matches("...").count() + text.matches('…').count();
    let of_characters = |part: u64| ratio(part as f64, characters as f64);
    let count = tokens.len() as f64;
    let values = [
        text.len() as f64,
        characters as f64,
        lines.lines as f64,
        count,
        words as f64,
        ratio(word_characters as f64, words as f64),
        ratio(hashes as f64, count),
        ratio(ellipses as f64, count),
        lines.bullets,
        lines.ellipses,
        ratio(with_letter as f64, count),
        f64::from(stop_words.count_ones()),
        lines.duplicate_lines,
        of_characters(lines.duplicate_line_characters),
        lines.duplicate_paragraphs,
        of_characters(lines.duplicate_paragraph_characters),
        of_characters(repetition.top[0]),
        of_characters(repetition.top[1]),
        of_characters(repetition.top[2]),
        of_characters(repetition.duplicate[0]),
        of_characters(repetition.duplicate[1]),
        of_characters(repetition.duplicate[2]),
        of_characters(repetition.duplicate[3]),
        of_characters(repetition.duplicate[4]),
        of_characters(repetition.duplicate[5]),
        lines.with_terminal,
        lines.short,
        ratio(
            lines.repeated_line_characters as f64,
            (characters - lines.breaks) as f64,
        ),
        ratio(lines.breaks as f64, count),
        lines.average_length,
        lines.longest as f64,
        code.alphanumeric,
        code.alphabetic,
        code.digits,
        code.encoded,
        code.longest_encoded as f64,
        code.comment_lines,
        f64::from(code.generated_markers),
        f64::from(code.licence_markers),
    ];
    row.copy_from_slice(&values);
}

fn ratio(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
