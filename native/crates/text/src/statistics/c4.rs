//! C4's line filter, with datatrove's definitions (`c4_filters.py`).

use super::lines::python_lines;
use crate::words::characters::{ends_sentence, is_space, is_unicode_punctuation};
use crate::words::tokens::{Token, split_tokens};
use rayon::prelude::*;

#[derive(Clone, Copy)]
pub struct C4Options {
    pub remove_citations: bool,
    pub filter_no_terminal_punct: bool,
    pub min_words_per_line: usize,
    /// In characters; usize::MAX for no limit.
    pub max_word_length: usize,
    pub filter_javascript: bool,
    pub filter_policy: bool,
}

/// The columns: lines with "lorem ipsum", lines with a curly bracket, sentences that remain.
pub const C4_FIELDS: usize = 3;

const POLICY: [&str; 6] = [
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
];

/// The numbers of each text, and the text with the lines that stay.
pub fn c4_lines(texts: &[String], options: C4Options) -> (Vec<f64>, Vec<String>) {
    let mut numbers = vec![0.0; texts.len() * C4_FIELDS];
    let kept = numbers
        .par_chunks_mut(C4_FIELDS)
        .zip(texts.par_iter())
        .map_init(Vec::new, |tokens, (row, text)| {
            filter(text, options, tokens, row)
        })
        .collect();
    (numbers, kept)
}

fn filter(text: &str, options: C4Options, tokens: &mut Vec<Token>, row: &mut [f64]) -> String {
    let mut kept = String::with_capacity(text.len());
    for line in python_lines(text) {
        let line = line.trim_matches(is_space);
        let (mut words, mut too_long) = (0, false);
        for word in line.split(is_space).filter(|word| !word.is_empty()) {
            words += 1;
            // Bytes are at least as many as characters: only a word that may be too long is counted.
            too_long |= word.len() > options.max_word_length
                && word.chars().count() > options.max_word_length;
        }
        if too_long {
            continue;
        }
        let cleaned;
        let line = if options.remove_citations && line.contains('[') {
            cleaned = without_citations(line);
            cleaned.as_str()
        } else {
            line
        };
        let ends_well = line.ends_with(['.', '?', '!', '"', '\'']) && !line.ends_with("...");
        if options.filter_no_terminal_punct && !ends_well || words < options.min_words_per_line {
            continue;
        }
        let lower = line.to_lowercase();
        if lower.contains("lorem ipsum") {
            row[0] += 1.0;
        }
        if options.filter_javascript && lower.contains("javascript") {
            continue;
        }
        if line.contains('{') {
            row[1] += 1.0;
        }
        if options.filter_policy && POLICY.iter().any(|phrase| lower.contains(phrase)) {
            continue;
        }
        row[2] += sentences(line, tokens) as f64;
        kept.push_str(line);
        kept.push('\n');
    }
    kept.trim_matches(is_space).to_string()
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
fn sentences(line: &str, tokens: &mut Vec<Token>) -> usize {
    split_tokens(line, tokens);
    let (mut count, mut ended) = (usize::from(!tokens.is_empty()), false);
    for token in tokens.iter() {
        let word = &line[token.start..token.end];
        let end_mark = token.characters == 1 && word.starts_with(ends_sentence);
        if end_mark {
            ended = true;
        } else if ended && !word.chars().all(is_unicode_punctuation) {
            count += 1;
            ended = false;
        }
    }
    count
}
