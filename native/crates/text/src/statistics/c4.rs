//! C4's line filter, with datatrove's definitions (`c4_filters.py`).

use super::Options;
use super::lines::{python_lines, trim};
use crate::words::characters::{ends_sentence, is_space, is_unicode_punctuation};
use crate::words::tokens::{Token, append_tokens};
use memchr::{memchr, memmem};

#[derive(Clone, Copy)]
pub struct C4Options {
    pub remove_citations: bool,
    pub filter_no_terminal_punct: bool,
    pub min_words_per_line: usize,
    /// In characters; usize::MAX for no limit.
    pub max_word_length: usize,
    pub filter_javascript: bool,
    pub filter_policy: bool,
    /// Each line a unit; otherwise each sentence.
    pub split_paragraph: bool,
}

/// What C4 finds in a text and leaves of it.
#[derive(Default)]
pub struct C4 {
    /// Lines that stay so far and say "lorem ipsum".
    pub lorem_ipsum: u32,
    pub curly_bracket: u32,
    /// Sentences in the lines that remain.
    pub sentences: u32,
    /// Lines that remain.
    pub lines: u32,
    /// They, trimmed and without citations.
    pub text: String,
    pub tokens: Vec<Token>,
}

const LOREM_IPSUM: &str = "lorem ipsum";
const JAVASCRIPT: &str = "javascript";
const POLICY: [&str; 6] = [
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

/// `tokens` are those of the text; `kept` is empty and becomes the tokens of what remains.
pub fn filter(
    text: &str,
    tokens: &[Token],
    options: &Options,
    kept: Vec<Token>,
    lower: &mut Vec<u8>,
) -> C4 {
    let mut filter = Filter {
        options,
        may_hold_phrase: may_hold_phrase(text, lower),
        found: C4 {
            tokens: kept,
            text: String::new(),
            ..C4::default()
        },
    };
    if options.c4.split_paragraph {
        let mut first = 0;
        for line in python_lines(text) {
            let start = line.as_ptr() as usize - text.as_ptr() as usize;
            let count = tokens[first..]
                .iter()
                .take_while(|token| (token.start as usize) < start + line.len())
                .count();
            filter.unit(line, start, &tokens[first..first + count], '\n');
            first += count;
        }
    } else {
        let mut first = 0;
        for (start, end, last) in sentence_spans(text, tokens) {
            filter.unit(&text[start..end], start, &tokens[first..last], ' ');
            first = last;
        }
    }
    // Nothing but a citation can be left of a line: then the text has white space at its ends.
    let found = &mut filter.found;
    let trimmed = trim(&found.text);
    if trimmed.len() < found.text.len() {
        let front = (trimmed.as_ptr() as usize - found.text.as_ptr() as usize) as u32;
        found.text = trimmed.to_string();
        for token in &mut found.tokens {
            token.start -= front;
            token.end -= front;
        }
    }
    filter.found
}

struct Filter<'a> {
    options: &'a Options,
    may_hold_phrase: bool,
    found: C4,
}

impl Filter<'_> {
    /// A line, or a sentence, that begins at `start` of the text and has these tokens.
    fn unit(&mut self, whole: &str, start: usize, tokens: &[Token], joint: char) {
        let options = &self.options.c4;
        let line = trim(whole);
        // Words are counted before the citations go.
        let words = count_words(line, options.max_word_length, options.min_words_per_line);
        if words == TOO_LONG || words < options.min_words_per_line {
            return;
        }
        let citations = options.remove_citations && memchr(b'[', line.as_bytes()).is_some();
        let cleaned = citations
            .then(|| without_citations(line))
            .filter(|cleaned| cleaned.len() < line.len());
        let is_cleaned = cleaned.is_some();
        let line = cleaned.as_deref().unwrap_or(line);
        let ends_well = line.ends_with(['.', '?', '!', '"', '\'']) && !line.ends_with("...");
        if options.filter_no_terminal_punct && !ends_well {
            return;
        }
        let has_curly_bracket = memchr(b'{', line.as_bytes()).is_some();
        if self.may_hold_phrase {
            let lower = line.to_lowercase();
            self.found.lorem_ipsum += u32::from(lower.contains(LOREM_IPSUM));
            if options.filter_javascript && lower.contains(JAVASCRIPT) {
                return;
            }
            self.found.curly_bracket += u32::from(has_curly_bracket);
            if options.filter_policy && POLICY.iter().any(|phrase| lower.contains(phrase)) {
                return;
            }
        } else {
            self.found.curly_bracket += u32::from(has_curly_bracket);
        }
        self.keep(line, is_cleaned, whole, start, tokens, joint);
    }

    fn keep(
        &mut self,
        line: &str,
        is_cleaned: bool,
        whole: &str,
        start: usize,
        tokens: &[Token],
        joint: char,
    ) {
        let found = &mut self.found;
        if found.lines > 0 {
            found.text.push(joint);
        }
        let at = found.text.len();
        let first = found.tokens.len();
        if is_cleaned {
            append_tokens(line, at, self.options.segmentation, &mut found.tokens);
        } else {
            // From places in the text to places in what remains.
            let trimmed = line.as_ptr() as usize - whole.as_ptr() as usize;
            let line_start = start + trimmed;
            found.tokens.extend(tokens.iter().map(|token| Token {
                start: (token.start as usize - line_start + at) as u32,
                end: (token.end as usize - line_start + at) as u32,
                ..*token
            }));
        }
        found.text.push_str(line);
        found.lines += 1;
        found.sentences += if self.options.c4.split_paragraph {
            sentences(&found.text, &found.tokens[first..]) as u32
        } else {
            1
        };
    }
}

const TOO_LONG: usize = usize::MAX;

/// How many words a line has, counted up to `enough`; `TOO_LONG` when one has too many characters.
fn count_words(line: &str, max_word_length: usize, enough: usize) -> usize {
    // No word of a line that is short can be too long, and a few words are soon counted.
    let can_be_too_long = line.len() > max_word_length;
    let mut words = 0;
    for word in line.split(is_space).filter(|word| !word.is_empty()) {
        words += 1;
        if can_be_too_long {
            // Bytes are at least as many as characters: only a word that may be too long is counted.
            if word.len() > max_word_length && word.chars().count() > max_word_length {
                return TOO_LONG;
            }
        } else if words >= enough {
            break;
        }
    }
    words
}

/// One look at the whole text spares most texts a look at each line.
fn may_hold_phrase(text: &str, lower: &mut Vec<u8>) -> bool {
    lower.clear();
    lower.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
    // Two characters that are no ASCII have small letters that are.
    const SIGNS: [&[u8]; 7] = [
        b"lorem ipsum",
        b"javascript",
        b"cookie",
        b"terms of use",
        b"privacy policy",
        "\u{130}".as_bytes(),
        "\u{212a}".as_bytes(),
    ];
    SIGNS.iter().any(|sign| memmem::find(lower, sign).is_some())
}

/// Takes out `[12]`, `[]`, `[edit]` and `[citation needed]`.
fn without_citations(line: &str) -> String {
    let mut cleaned = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find('[') {
        cleaned.push_str(&rest[..at]);
        rest = &rest[at..];
        let inside = rest[1..]
            .find(|character: char| !character.is_numeric())
            .map(|end| end + 1);
        let mark = match inside {
            Some(end) if rest[end..].starts_with(']') => end + 1,
            _ if rest.starts_with("[edit]") => 6,
            _ if rest.starts_with("[citation needed]") => 17,
            _ => 0,
        };
        if mark == 0 {
            cleaned.push('[');
        }
        rest = &rest[mark.max(1)..];
    }
    cleaned.push_str(rest);
    cleaned
}

/// As spaCy's sentencizer: a new sentence starts at the first token after an end mark that is no punctuation.
fn sentences(text: &str, tokens: &[Token]) -> usize {
    usize::from(!tokens.is_empty()) + sentence_starts(text, tokens).count()
}

/// The tokens that begin a sentence, the first one apart.
fn sentence_starts<'a>(text: &'a str, tokens: &'a [Token]) -> impl Iterator<Item = usize> + 'a {
    let mut ended = false;
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        // Only marks can end a sentence or put its start off.
        if token.has_letter {
            return std::mem::take(&mut ended).then_some(at);
        }
        let word = token.of(text);
        if token.characters == 1 && word.starts_with(ends_sentence) {
            ended = true;
        } else if ended && !word.chars().all(is_unicode_punctuation) {
            ended = false;
            return Some(at);
        }
        None
    })
}

/// The sentences of a text, from each one's end to the next one's, and the number of tokens up to there.
fn sentence_spans(text: &str, tokens: &[Token]) -> Vec<(usize, usize, usize)> {
    let mut spans = Vec::new();
    let (mut start, mut from) = (0, 0);
    for at in sentence_starts(text, tokens).chain(std::iter::once(tokens.len())) {
        if at > from {
            let end = tokens[at - 1].end as usize;
            spans.push((start, end, at));
            (start, from) = (end, at);
        }
    }
    if let Some(last) = spans.last_mut() {
        last.1 = text.len();
    }
    spans
}
