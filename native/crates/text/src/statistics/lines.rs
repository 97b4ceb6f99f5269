//! Lines and paragraphs, each split as the rule that looks at them does.

use super::ratio;
use super::repetition::GramTable;
use crate::words::characters::{is_space, is_terminal};
use xxhash_rust::xxh3::xxh3_64;

#[derive(Default)]
pub struct Lines {
    /// As Python's `splitlines` counts.
    pub lines: usize,
    pub bullets: f64,
    pub ellipses: f64,
    pub duplicate_lines: f64,
    pub duplicate_line_characters: u64,
    pub duplicate_paragraphs: f64,
    pub duplicate_paragraph_characters: u64,
    /// Of the lines that are not blank.
    pub with_terminal: f64,
    /// Of the lines that are not blank: at most 30 characters.
    pub short: f64,
    /// In lines that are not blank and came before.
    pub repeated_line_characters: u64,
    pub breaks: usize,
    pub average_length: f64,
    pub longest: usize,
}

const SHORT_LINE: usize = 30;

pub fn describe_lines(text: &str, seen: &mut GramTable) -> Lines {
    let mut found = Lines {
        breaks: text.bytes().filter(|&byte| byte == b'\n').count(),
        ..Lines::default()
    };
    gopher_lines(text, &mut found);
    let lines = found.breaks + 1;
    let trimmed = text.trim_matches(is_space);
    let paragraphs = split_at_breaks(trimmed, 2);
    (
        found.duplicate_paragraphs,
        found.duplicate_paragraph_characters,
    ) = duplicates(paragraphs, lines, seen);
    (found.duplicate_lines, found.duplicate_line_characters) =
        duplicates(split_at_breaks(text, 1), lines, seen);
    let filled = || {
        text.split('\n')
            .filter(|line| !line.trim_matches(is_space).is_empty())
    };
    found.repeated_line_characters = duplicates(filled(), lines, seen).1;
    let (mut count, mut terminal, mut short, mut total) = (0usize, 0usize, 0usize, 0usize);
    for line in filled() {
        count += 1;
        terminal += usize::from(line.ends_with(is_terminal));
        short += usize::from(line.chars().take(SHORT_LINE + 1).count() <= SHORT_LINE);
    }
    for line in text.split('\n') {
        let length = line.chars().count();
        total += length;
        found.longest = found.longest.max(length);
    }
    found.with_terminal = ratio(terminal as f64, count as f64);
    found.short = ratio(short as f64, count as f64);
    found.average_length = total as f64 / lines as f64;
    found
}

fn gopher_lines(text: &str, found: &mut Lines) {
    let (mut bullets, mut ellipses) = (0usize, 0usize);
    for line in python_lines(text) {
        found.lines += 1;
        bullets += usize::from(line.trim_start_matches(is_space).starts_with(['•', '-']));
        let line = line.trim_end_matches(is_space);
        ellipses += usize::from(line.ends_with("...") || line.ends_with('…'));
    }
    found.bullets = ratio(bullets as f64, found.lines as f64);
    found.ellipses = ratio(ellipses as f64, found.lines as f64);
}

/// The lines of Python's `str.splitlines`: ten kinds of line end, no empty line after the last.
pub fn python_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.find(is_line_end).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix("\r\n") {
            rest = after;
        } else if let Some(ending) = rest.chars().next() {
            rest = &rest[ending.len_utf8()..];
        }
        Some(line)
    })
}

fn is_line_end(character: char) -> bool {
    matches!(character, '\n'..='\r' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Splits at runs of at least this many line breaks, as the regular expression `\n{least,}` does.
fn split_at_breaks(text: &str, least: usize) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let mut from = 0;
        while let Some(at) = text[from..].find('\n') {
            let start = from + at;
            let run = text.as_bytes()[start..]
                .iter()
                .take_while(|&&byte| byte == b'\n')
                .count();
            if run >= least {
                rest = Some(&text[start + run..]);
                return Some(&text[..start]);
            }
            from = start + run;
        }
        rest = None;
        Some(text)
    })
}

/// The share of elements that came before, and their characters.
fn duplicates<'a>(
    elements: impl Iterator<Item = &'a str>,
    most: usize,
    seen: &mut GramTable,
) -> (f64, u64) {
    seen.clear(most);
    let (mut count, mut repeated, mut characters) = (0usize, 0usize, 0u64);
    for element in elements {
        count += 1;
        if seen.count(xxh3_64(element.as_bytes()), 0).0 > 1 {
            repeated += 1;
            characters += element.chars().count() as u64;
        }
    }
    (ratio(repeated as f64, count as f64), characters)
}
