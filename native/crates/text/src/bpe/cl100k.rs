//! The pattern of Llama 3 (and, but for one detail, of OpenAI's cl100k), by hand:
//! `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
//! Qwen's differs in `\p{N}`, one number at a time.

use super::classes::Class;
use super::splitter;

/// Where the word that begins at `at` ends; `NUMBERS` is the most numbers in one word.
#[inline(always)]
pub fn word_end<const NUMBERS: usize>(text: &[u8], at: usize) -> usize {
    let first = text[at];
    let (class, length) = class_at(text, at);
    let behind = at + length;
    if class == Class::Letter {
        return run(text, behind, Class::Letter);
    }
    if class == Class::Number {
        return numbers::<NUMBERS>(text, behind);
    }
    if first == b'\'' {
        let length = contraction(&text[behind..]);
        if length > 0 {
            return behind + length;
        }
    }
    // One character that is no line end goes with the letters behind it.
    let next = if behind < text.len() {
        let (next, length) = class_at(text, behind);
        if next == Class::Letter && first != b'\r' && first != b'\n' {
            return run(text, behind + length, Class::Letter);
        }
        Some((next, length))
    } else {
        None
    };
    if class == Class::Other {
        return line_ends(text, run(text, behind, Class::Other));
    }
    match next {
        Some((Class::Other, length)) if first == b' ' => {
            line_ends(text, run(text, behind + length, Class::Other))
        }
        _ => spaces(text, at),
    }
}

/// As GPT-2's splitter sees them where digits are not cut out before.
#[inline(always)]
fn run(text: &[u8], at: usize, class: Class) -> usize {
    splitter::run::<false>(text, at, class)
}

#[inline(always)]
fn class_at(text: &[u8], at: usize) -> (Class, usize) {
    splitter::class_at::<false>(text, at)
}

fn numbers<const MOST: usize>(text: &[u8], mut at: usize) -> usize {
    let mut count = 1;
    while count < MOST && at < text.len() {
        let (class, length) = class_at(text, at);
        if class != Class::Number {
            break;
        }
        at += length;
        count += 1;
    }
    at
}

/// `[\r\n]*`
fn line_ends(text: &[u8], mut at: usize) -> usize {
    while at < text.len() && (text[at] == b'\n' || text[at] == b'\r') {
        at += 1;
    }
    at
}

/// `\s*[\r\n]+|\s+(?!\S)|\s+`: to the last line end of the run of spaces; without one, all but the last space.
fn spaces(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut last = start;
    let mut line_end = None;
    while at < text.len() {
        let (class, length) = class_at(text, at);
        if class != Class::Space {
            break;
        }
        if text[at] == b'\n' || text[at] == b'\r' {
            line_end = Some(at + 1);
        }
        last = at;
        at += length;
    }
    match line_end {
        Some(end) => end,
        None if at == text.len() || last == start => at,
        None => last,
    }
}

/// The length of `s`, `t`, `re`, `ve`, `m`, `ll` or `d` in any case at the beginning, else 0.
fn contraction(rest: &[u8]) -> usize {
    let [first, tail @ ..] = rest else { return 0 };
    let second = tail.first().map(u8::to_ascii_lowercase);
    match (first.to_ascii_lowercase(), second) {
        (b's' | b't' | b'm' | b'd', _) => 1,
        (b'r' | b'v', Some(b'e')) | (b'l', Some(b'l')) => 2,
        // U+017F, the long s, is an s in any case.
        (0xc5, Some(0xbf)) => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split<const NUMBERS: usize>(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = word_end::<NUMBERS>(text.as_bytes(), at);
            words.push(&text[at..end]);
            at = end;
        }
        words
    }

    #[test]
    fn numbers_stand_in_threes_or_alone_and_take_no_space() {
        assert_eq!(
            split::<3>("in 20245, x1"),
            ["in", " ", "202", "45", ",", " x", "1"]
        );
        assert_eq!(split::<1>("x 12"), ["x", " ", "1", "2"]);
    }

    #[test]
    fn one_sign_or_space_goes_with_the_letters_behind_it() {
        assert_eq!(
            split::<3>("(a)\tb  c\nd.e"),
            ["(a", ")", "\tb", " ", " c", "\n", "d", ".e"]
        );
        assert_eq!(split::<3>("e\u{301}a"), ["e", "\u{301}a"]);
    }

    #[test]
    fn line_ends_go_with_what_is_before_them() {
        assert_eq!(split::<3>("a;\n\n  b"), ["a", ";\n\n", " ", " b"]);
        assert_eq!(
            split::<3>("a \n \n  b \t"),
            ["a", " \n \n", " ", " b", " \t"]
        );
        assert_eq!(split::<3>("{\r\n}"), ["{\r\n", "}"]);
    }

    #[test]
    fn contractions_are_cut_off_in_any_case() {
        assert_eq!(
            split::<3>("I'LL DON'T 'round 'ſx"),
            ["I", "'LL", " DON", "'T", " '", "round", " '", "ſx"]
        );
        assert_eq!(split::<3>("a'ſx"), ["a", "'ſ", "x"]);
        assert_eq!(split::<3>("'R"), ["'R"]);
    }
}
