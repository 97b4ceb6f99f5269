//! IP addresses, version 4 and 6, that are no version numbers and no headings.

use super::{Kind, Span, is_digit_at};
use std::net::{Ipv4Addr, Ipv6Addr};

pub fn find(bytes: &[u8], only_public: bool, spans: &mut Vec<Span>) {
    let mut next = 0;
    while next < bytes.len() {
        let at = next;
        next += 1;
        let byte = bytes[at];
        let local_start = !only_public && matches!(byte, b'f' | b'F');
        if !byte.is_ascii_digit() && !local_start {
            continue;
        }
        let found = version_6(bytes, at, only_public)
            .map(|end| (end, Kind::Ipv6))
            .or_else(|| version_4(bytes, at, only_public).map(|end| (end, Kind::Ipv4)));
        if let Some((end, kind)) = found {
            spans.push(Span {
                start: at,
                end,
                kind,
            });
            next = end;
        } else {
            // The rest of this word or number begins no address.
            while next < bytes.len() && bytes[next].is_ascii_alphanumeric() {
                next += 1;
            }
        }
    }
}

fn version_4(bytes: &[u8], start: usize, only_public: bool) -> Option<usize> {
    let mut octets = [0u8; 4];
    let mut at = start;
    for (index, octet) in octets.iter_mut().enumerate() {
        let digits = bytes[at..]
            .iter()
            .take(4)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits == 0 || digits > 3 || (digits > 1 && bytes[at] == b'0') {
            return None;
        }
        let value = bytes[at..at + digits]
            .iter()
            .fold(0u32, |value, byte| 10 * value + u32::from(byte - b'0'));
        *octet = u8::try_from(value).ok()?;
        at += digits;
        if index < 3 {
            if bytes.get(at) != Some(&b'.') {
                return None;
            }
            at += 1;
        }
    }
    if !stands_alone(bytes, start, at)
        || is_heading(bytes, start, at, octets[0])
        || named_version(bytes, start)
    {
        return None;
    }
    (!only_public || is_global_4(octets)).then_some(at)
}

/// No part of a longer number, name or version: `v1.2.3.4`, `lib-1.2.3.4`, `Chrome/1.2.3.4`, `1.2.3.4.5`, `1.2.3.4-rc1`.
fn stands_alone(bytes: &[u8], start: usize, end: usize) -> bool {
    let before = |back: usize| start.checked_sub(back).map_or(b' ', |at| bytes[at]);
    let after = |ahead: usize| bytes.get(end + ahead).copied().unwrap_or(b' ');
    let joined_before = match before(1) {
        b'-' | b'/' => before(2).is_ascii_alphabetic() || before(2) == b'_',
        byte => {
            byte.is_ascii_alphanumeric()
                || byte == 0xa7 && before(2) == 0xc2
                || matches!(byte, b'_' | b'.')
        }
    };
    let joined_after = match after(0) {
        b'.' | b'-' => {
            after(1).is_ascii_alphanumeric() && !(after(0) == b'-' && after(1).is_ascii_digit())
        }
        byte => byte.is_ascii_alphanumeric() || byte == b'_',
    };
    !joined_before && !joined_after
}

/// `1.2.3.4 Results` at the beginning of a line is a section of a book.
fn is_heading(bytes: &[u8], start: usize, end: usize, first: u8) -> bool {
    let line_start = bytes[..start]
        .iter()
        .rev()
        .take_while(|&&byte| byte != b'\n')
        .all(|byte| b" \t#*".contains(byte));
    let title =
        bytes.get(end) == Some(&b' ') && bytes.get(end + 1).is_some_and(u8::is_ascii_alphabetic);
    first <= 30 && line_start && title
}

const BEFORE_VERSIONS: [&str; 14] = [
    "version", "versions", "ver", "ver.", "release", "releases", "section", "sections", "chapter",
    "table", "figure", "build", "rule", "clause",
];

fn named_version(bytes: &[u8], start: usize) -> bool {
    let mut end = start;
    while end > 0 && b" \t:=\"'".contains(&bytes[end - 1]) {
        end -= 1;
    }
    let mut first = end;
    while first > 0
        && end - first < 10
        && (bytes[first - 1].is_ascii_alphabetic() || bytes[first - 1] == b'.')
    {
        first -= 1;
    }
    let word = bytes[first..end].to_ascii_lowercase();
    BEFORE_VERSIONS.iter().any(|name| name.as_bytes() == word)
}

fn version_6(bytes: &[u8], start: usize, only_public: bool) -> Option<usize> {
    let hex = bytes[start..]
        .iter()
        .take(5)
        .take_while(|byte| byte.is_ascii_hexdigit())
        .count();
    if hex == 0 || hex > 4 || bytes.get(start + hex) != Some(&b':') || (only_public && hex != 4) {
        return None;
    }
    let before = start.checked_sub(1).map_or(b' ', |at| bytes[at]);
    if before.is_ascii_alphanumeric() || matches!(before, b':' | b'.' | b'_') {
        return None;
    }
    // The longest address has 45 characters.
    let inside = |byte: &&u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut end = start + bytes[start..].iter().take(46).take_while(inside).count();
    while end > start
        && (bytes[end - 1] == b'.' || (bytes[end - 1] == b':' && bytes[end - 2] != b':'))
    {
        end -= 1;
    }
    if bytes
        .get(end)
        .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':'))
    {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(&bytes[start..end]).ok()?.parse().ok()?;
    (!only_public || is_global_6(&address)).then_some(end)
}

/// As `is_global` of Python's `ipaddress`.
fn is_global_4(octets: [u8; 4]) -> bool {
    let address = Ipv4Addr::from(octets);
    let [a, b, c, d] = octets;
    let shared = a == 100 && (64..128).contains(&b);
    let protocol = (a, b, c) == (192, 0, 0) && (d < 8 || d == 170 || d == 171);
    let benchmark = a == 198 && (b == 18 || b == 19);
    let reserved = a == 0 || a >= 240;
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || shared
        || protocol
        || benchmark
        || reserved)
}

/// Global unicast (2000::/3) without what is set aside for protocols and documentation.
fn is_global_6(address: &Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let unicast = first & 0xe000 == 0x2000;
    let protocol = first == 0x2001 && second < 0x200;
    let documentation =
        (first == 0x2001 && second == 0xdb8) || (first == 0x3fff && second < 0x1000);
    unicast && !protocol && !documentation
}

/// Whether a number of an address could begin here; for the other finders.
pub fn dotted_quad(bytes: &[u8], start: usize) -> bool {
    let mut at = start;
    for index in 0..4 {
        if index > 0 {
            if bytes.get(at) != Some(&b'.') {
                return false;
            }
            at += 1;
        }
        let first = at;
        while at < first + 4 && is_digit_at(bytes, at) {
            at += 1;
        }
        if at == first || at > first + 3 {
            return false;
        }
    }
    true
}
