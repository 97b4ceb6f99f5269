//! Mail addresses by the pattern of datatrove's `PIIFormatter`, found from their `@`.

use super::{Kind, Span, character_before};

pub fn find(text: &str, any_suffix: bool, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut earliest = 0;
    for at in memchr::memchr_iter(b'@', bytes) {
        if at < earliest {
            continue;
        }
        let Some(start) = local_part(text, earliest, at) else {
            continue;
        };
        let Some(end) = domain(bytes, at + 1, any_suffix) else {
            continue;
        };
        spans.push(Span {
            start,
            end,
            kind: Kind::Email,
        });
        earliest = end;
    }
}

fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte)
}

/// Longer than any mailbox (64), with room for the other signs that the pattern takes.
const LONGEST_LOCAL: usize = 256;

/// The first place from which atoms and single dots lead to the `@`, at the edge of a word.
fn local_part(text: &str, earliest: usize, at: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let least = earliest.max(at.saturating_sub(LONGEST_LOCAL));
    let mut first = at;
    while first > least {
        let byte = bytes[first - 1];
        let dot = byte == b'.' && first < at && bytes[first] != b'.';
        if !is_atom(byte) && !dot {
            break;
        }
        first -= 1;
    }
    (first..at).find(|&start| {
        let word = |character: char| character.is_alphanumeric() || character == '_';
        let edge = word(bytes[start] as char) != (start > 0 && word(character_before(text, start)));
        bytes[start] != b'.' && edge
    })
}

/// Where the domain ends: labels of letters, digits and inner hyphens, two at least.
fn domain(bytes: &[u8], start: usize, any_suffix: bool) -> Option<usize> {
    if bytes.get(start) == Some(&b'[') {
        return literal(bytes, start);
    }
    let (mut at, mut end, mut labels) = (start, start, 0);
    loop {
        let mut stop = at;
        while stop < bytes.len() && (bytes[stop].is_ascii_alphanumeric() || bytes[stop] == b'-') {
            stop += 1;
        }
        let open_end = stop;
        while stop > at && bytes[stop - 1] == b'-' {
            stop -= 1;
        }
        if stop == at || bytes[at] == b'-' {
            break;
        }
        (end, labels) = (stop, labels + 1);
        if stop != open_end || bytes.get(stop) != Some(&b'.') {
            break;
        }
        at = stop + 1;
    }
    if labels < 2 {
        return None;
    }
    (any_suffix || has_public_suffix(&bytes[start..end])).then_some(end)
}

/// `weights@grad.T` is a product of matrices and `user@host.local` nobody's address.
fn has_public_suffix(domain: &[u8]) -> bool {
    let lower = domain.to_ascii_lowercase();
    psl::suffix(&lower).is_some_and(|suffix| suffix.is_known())
}

/// An address as domain: `[192.0.2.1]`.
fn literal(bytes: &[u8], start: usize) -> Option<usize> {
    let close = start + memchr::memchr(b']', &bytes[start..bytes.len().min(start + 64)])?;
    let inside = std::str::from_utf8(&bytes[start + 1..close]).ok()?;
    inside
        .parse::<std::net::Ipv4Addr>()
        .is_ok()
        .then_some(close + 1)
}
