//! Character references, named ones by the table of the HTML standard.

use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::OnceLock;

/// The text with its character references replaced.
pub fn decode(text: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'&', text.as_bytes()) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    let mut at = first;
    loop {
        let reference = &text[at + 1..];
        match reference.as_bytes().first() {
            Some(b'#') => {
                if let Some((character, length)) = number(reference) {
                    out.push_str(&text[copied..at]);
                    out.push(character);
                    copied = at + 1 + length;
                }
            }
            Some(letter) if letter.is_ascii_alphabetic() => {
                if let Some((characters, length)) = named(reference) {
                    out.push_str(&text[copied..at]);
                    out.push_str(characters);
                    copied = at + 1 + length;
                }
            }
            _ => {}
        }
        let from = copied.max(at + 1);
        match memchr::memchr(b'&', &text.as_bytes()[from..]) {
            Some(found) => at = from + found,
            None => break,
        }
    }
    out.push_str(&text[copied..]);
    Cow::Owned(out)
}

/// `#123;` or `#x1f;`, the semicolon may be missing.
fn number(reference: &str) -> Option<(char, usize)> {
    let bytes = reference.as_bytes();
    let hex = matches!(bytes.get(1), Some(b'x' | b'X'));
    let start = if hex { 2 } else { 1 };
    let digits = bytes[start..]
        .iter()
        .take_while(|b| {
            if hex {
                b.is_ascii_hexdigit()
            } else {
                b.is_ascii_digit()
            }
        })
        .count();
    if digits == 0 {
        return None;
    }
    let end = start + digits;
    let code =
        u32::from_str_radix(&reference[start..end], if hex { 16 } else { 10 }).unwrap_or(u32::MAX);
    let character = match code {
        // Windows-1252 as the standard asks.
        0x80..=0x9f => encoding_rs::WINDOWS_1252
            .decode_without_bom_handling(&[code as u8])
            .0
            .chars()
            .next()
            .unwrap_or('\u{fffd}'),
        0 => '\u{fffd}',
        code => char::from_u32(code).unwrap_or('\u{fffd}'),
    };
    Some((character, end + usize::from(bytes.get(end) == Some(&b';'))))
}

fn named(reference: &str) -> Option<(&'static str, usize)> {
    const LONGEST: usize = 32;
    let length = reference
        .bytes()
        .take(LONGEST)
        .take_while(u8::is_ascii_alphanumeric)
        .count();
    let table = table();
    if reference.as_bytes().get(length) == Some(&b';')
        && let Some(found) = table.get(&reference[..=length])
    {
        return Some((found, length + 1));
    }
    // The old ones work without a semicolon, and with letters behind them: the longest that fits.
    (2..=length.min(6)).rev().find_map(|length| {
        table
            .get(&reference[..length])
            .map(|&found| (found, length))
    })
}

fn table() -> &'static FxHashMap<&'static str, &'static str> {
    static TABLE: OnceLock<FxHashMap<&'static str, &'static str>> = OnceLock::new();
    TABLE.get_or_init(|| {
        // One reference a line: its name, with the semicolon if it needs one, and its code points.
        include_str!("entities.txt")
            .lines()
            .filter_map(|line| {
                let (name, codes) = line.split_once(' ')?;
                let text: String = codes
                    .split(' ')
                    .filter_map(|code| u32::from_str_radix(code, 16).ok().and_then(char::from_u32))
                    .collect();
                Some((name, &*Box::leak(text.into_boxed_str())))
            })
            .collect()
    })
}
