//! Lines and paragraphs, each split as the rule that looks at them does.

use super::grams::HashCounts;
use super::{FineWebOptions, ratio};
use crate::words::characters::{is_space, is_terminal};
use memchr::memchr_iter;
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
    /// Of the lines that are not blank: at most `short_line_length` characters.
    pub short: f64,
    /// In lines that are not blank and came before.
    pub repeated_line_characters: u64,
    /// Lines that are not blank.
    pub filled: usize,
    pub breaks: usize,
}

pub fn describe_lines(text: &str, options: &FineWebOptions, seen: &mut HashCounts) -> Lines {
    let mut found = Lines {
        breaks: memchr_iter(b'\n', text.as_bytes()).count(),
        ..Lines::default()
    };
    let plain = has_only_plain_line_ends(text);
    let mut gopher = GopherLines::default();
    let (mut filled_terminal, mut filled_short) = (0usize, 0usize);
    let (mut elements, mut repeated) = (0usize, 0usize);
    seen.clear(found.breaks + 1);
    for line in split_lines(text) {
        let trimmed = trim(line);
        if plain {
            gopher.take(trimmed);
        }
        if line.is_empty() {
            continue;
        }
        elements += 1;
        let entry = seen.count(xxh3_64(line.as_bytes()), 0);
        let is_repeated = seen.entry(entry).count > 1;
        let characters = || line.chars().count();
        if is_repeated {
            repeated += 1;
            found.duplicate_line_characters += characters() as u64;
        }
        if trimmed.is_empty() {
            continue;
        }
        found.filled += 1;
        if is_repeated {
            found.repeated_line_characters += characters() as u64;
        }
        filled_terminal += usize::from(line.ends_with(|last| options.is_stop(last)));
        let length = options.short_line_length;
        filled_short +=
            usize::from(line.len() <= length || line.len() / 4 <= length && characters() <= length);
    }
    if plain {
        // Python gives no empty line after the last line end, and none for an empty text.
        gopher.lines -= usize::from(text.is_empty() || text.ends_with('\n'));
    } else {
        for line in python_lines(text) {
            gopher.take(trim(line));
        }
    }
    // Splitting at runs of line breaks gives an empty element for those at either end.
    let (front, back) = (text.starts_with('\n'), text.ends_with('\n'));
    let only_breaks = elements == 0;
    elements += usize::from(front) + usize::from(back) + usize::from(text.is_empty());
    repeated += usize::from(front && back);
    if only_breaks && !text.is_empty() {
        (elements, repeated) = (2, 1);
    }
    found.lines = gopher.lines;
    found.bullets = ratio(gopher.bullets as f64, gopher.lines as f64);
    found.ellipses = ratio(gopher.ellipses as f64, gopher.lines as f64);
    found.duplicate_lines = ratio(repeated as f64, elements as f64);
    found.with_terminal = ratio(filled_terminal as f64, found.filled as f64);
    found.short = ratio(filled_short as f64, found.filled as f64);
    describe_paragraphs(trim(text), &mut found, seen);
    found
}

fn describe_paragraphs(text: &str, found: &mut Lines, seen: &mut HashCounts) {
    seen.clear(found.breaks / 2 + 1);
    let (mut count, mut repeated) = (0usize, 0usize);
    for paragraph in paragraphs(text) {
        count += 1;
        let entry = seen.count(xxh3_64(paragraph.as_bytes()), 0);
        if seen.entry(entry).count > 1 {
            repeated += 1;
            found.duplicate_paragraph_characters += paragraph.chars().count() as u64;
        }
    }
    found.duplicate_paragraphs = ratio(repeated as f64, count as f64);
}

#[derive(Default)]
struct GopherLines {
    lines: usize,
    bullets: usize,
    ellipses: usize,
}

impl GopherLines {
    #[inline]
    fn take(&mut self, trimmed: &str) {
        self.lines += 1;
        self.bullets += usize::from(trimmed.starts_with('-') || trimmed.starts_with('•'));
        self.ellipses += usize::from(trimmed.ends_with("...") || trimmed.ends_with('…'));
    }
}

/// The text without white space at its ends, quickly where there is none.
#[inline]
pub fn trim(text: &str) -> &str {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
        return text;
    };
    if first.is_ascii_graphic() && last.is_ascii_graphic() {
        return text;
    }
    text.trim_matches(is_space)
}

/// No line end of Python's but the line feed.
fn has_only_plain_line_ends(text: &str) -> bool {
    let bytes = text.as_bytes();
    let suspect = |&byte: &u8| {
        byte.wrapping_sub(0x0b) < 3
            || byte.wrapping_sub(0x1c) < 3
            || byte == 0x85
            || byte.wrapping_sub(0xa8) < 2
    };
    // Without a branch in it the loop runs on vectors.
    let any = |block: &[u8]| block.iter().fold(false, |any, byte| any | suspect(byte));
    !bytes.chunks(1024).any(any) || !text.contains(is_odd_line_end)
}

fn is_odd_line_end(character: char) -> bool {
    character != '\n' && is_line_end(character)
}

/// The lines of Python's `str.splitlines`: ten kinds of line end, no empty line after the last.
pub fn python_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    let plain = has_only_plain_line_ends(text);
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = if plain {
            memchr::memchr(b'\n', rest.as_bytes())
        } else {
            rest.find(is_line_end)
        };
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = &rest[line.len()..];
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

/// As `split('\n')`.
fn split_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut from = 0;
    let ends = memchr_iter(b'\n', text.as_bytes()).chain(std::iter::once(text.len()));
    ends.map(move |end| {
        let line = &text[from..end];
        from = end + 1;
        line
    })
}

/// Splits at runs of two line breaks and more, as the regular expression `\n{2,}` does.
fn paragraphs(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut from = Some(0);
    std::iter::from_fn(move || {
        let start = from?;
        let found = memchr::memmem::find(&bytes[start..], b"\n\n").map(|at| start + at);
        let Some(end) = found else {
            from = None;
            return Some(&text[start..]);
        };
        let run = bytes[end..]
            .iter()
            .take_while(|&&byte| byte == b'\n')
            .count();
        from = Some(end + run);
        Some(&text[start..end])
    })
}

impl FineWebOptions {
    #[inline]
    fn is_stop(&self, character: char) -> bool {
        match &self.stop_chars {
            None => is_terminal(character),
            Some(stops) => stops.contains(&character),
        }
    }
}
