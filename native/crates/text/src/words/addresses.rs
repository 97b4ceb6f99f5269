//! Addresses, which are one token.

use super::affixes::is_lower;

/// A web or mail address or a dotted name: spaCy's URL pattern, less its checks of address ranges.
pub fn is_address(chunk: &str) -> bool {
    if !chunk.contains('.') {
        return false;
    }
    let rest = match chunk.split_once("://") {
        Some((scheme, rest)) if scheme.len() >= 2 && scheme.bytes().all(is_scheme_byte) => rest,
        _ => chunk,
    };
    // Before an `@` anything may stand, and an `@` may stand in the path as well.
    begins_with_host(rest)
        || rest
            .match_indices('@')
            .take(MOST_SIGNS)
            .any(|(at, _)| at > 0 && begins_with_host(&rest[at + 1..]))
}

/// A chunk of nothing but `@` is looked at once, not once for each.
const MOST_SIGNS: usize = 8;

fn begins_with_host(rest: &str) -> bool {
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or("");
    let after = &rest[host.len()..];
    if let Some(port) = after.strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        if !(2..=5).contains(&digits)
            || !matches!(port.as_bytes().get(digits), None | Some(b'/' | b'?' | b'#'))
        {
            return false;
        }
    }
    let Some((labels, top)) = host.rsplit_once('.') else {
        return false;
    };
    is_public_address(host) || is_top_domain(top) && labels.split('.').all(is_label)
}

/// Four numbers of an address that is neither private nor reserved.
fn is_public_address(host: &str) -> bool {
    let mut parts = [0u8; 4];
    let mut count = 0;
    for part in host.split('.') {
        let plain = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
        match part.parse() {
            Ok(number) if plain && count < 4 => parts[count] = number,
            _ => return false,
        }
        count += 1;
    }
    let private = matches!(
        parts,
        [10 | 127, ..] | [169, 254, ..] | [192, 168, ..] | [172, 16..=31, ..]
    );
    count == 4 && !private && (1..=223).contains(&parts[0]) && (1..=254).contains(&parts[3])
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.')
}

fn is_top_domain(label: &str) -> bool {
    let length = label.chars().count();
    (2..=63).contains(&length) && label.chars().all(is_lower)
}

fn is_label(label: &str) -> bool {
    let edge = |character: char| character.is_ascii_alphanumeric() || character >= '\u{a1}';
    label.starts_with(edge)
        && label.ends_with(edge)
        && label
            .chars()
            .all(|character| edge(character) || character == '-' || character == '_')
}
