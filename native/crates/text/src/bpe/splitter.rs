//! The pre-tokenizer, by hand: GPT-2's pattern
//! `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
//! and before it, if wished, every digit cut out as a piece of its own (Hugging Face's `Digits`).

use super::classes::{ASCII, Class, classify};

/// Where the word that begins at `at` ends; with `DIGITS` every digit is cut out before. `text` is UTF-8, `at` a
/// character's first byte and not the end.
#[inline(always)]
pub fn word_end<const DIGITS: bool>(text: &[u8], at: usize) -> usize {
    let first = text[at];
    if first == b'\'' {
        let length = contraction(&text[at + 1..]);
        if length > 0 {
            return at + 1 + length;
        }
    }
    let (class, length) = class_at::<DIGITS>(text, at);
    if class != Class::Space {
        return run::<DIGITS>(text, at + length, class);
    }
    // A plain space goes with the word after it; digits have been cut out before, a space cannot reach them.
    if first == b' ' && at + 1 < text.len() {
        let (next, length) = class_at::<DIGITS>(text, at + 1);
        if next == Class::Number && DIGITS {
            return at + 1;
        }
        if next != Class::Space {
            return run::<DIGITS>(text, at + 1 + length, next);
        }
    }
    spaces::<DIGITS>(text, at)
}

/// The end of the run of one class, `at` being behind its first character.
#[inline(always)]
pub fn run<const DIGITS: bool>(text: &[u8], mut at: usize, class: Class) -> usize {
    if DIGITS && class == Class::Number {
        return at;
    }
    while at < text.len() {
        let byte = text[at];
        if byte < 0x80 {
            if ASCII[byte as usize] != class {
                break;
            }
            at += 1;
        } else {
            let (next, length) = class_at::<DIGITS>(text, at);
            if next != class {
                break;
            }
            at += length;
        }
    }
    at
}

/// `\s+(?!\S)|\s+`: a run of spaces leaves its last one to the word behind it, unless a text or a digit ends there.
fn spaces<const DIGITS: bool>(text: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut last = start;
    while at < text.len() {
        let (class, length) = class_at::<DIGITS>(text, at);
        if class != Class::Space {
            let piece_ends = DIGITS && class == Class::Number;
            return if piece_ends || last == start {
                at
            } else {
                last
            };
        }
        last = at;
        at += length;
    }
    at
}

/// The length of `s`, `t`, `re`, `ve`, `m`, `ll` or `d` at the beginning, else 0.
fn contraction(rest: &[u8]) -> usize {
    match rest {
        [b's' | b't' | b'm' | b'd', ..] => 1,
        [b'r', b'e', ..] | [b'v', b'e', ..] | [b'l', b'l', ..] => 2,
        _ => 0,
    }
}

/// The class of a character and its length; a late number is a number only where digits are cut out.
#[inline(always)]
pub fn class_at<const DIGITS: bool>(text: &[u8], at: usize) -> (Class, usize) {
    let (class, length) = classify(text, at);
    if class == Class::LateNumber {
        return (if DIGITS { Class::Number } else { Class::Other }, length);
    }
    (class, length)
}

/// Digits alone: one, or everything up to the next.
pub fn digits_end(text: &[u8], at: usize) -> usize {
    let (class, length) = class_at::<true>(text, at);
    if class == Class::Number {
        return at + length;
    }
    class_run_end(text, at + length, |class| class != Class::Number)
}

/// A run of digits, or everything up to the next.
pub fn digit_run_end(text: &[u8], at: usize) -> usize {
    let (class, length) = class_at::<true>(text, at);
    let is_number = class == Class::Number;
    class_run_end(text, at + length, |class| {
        (class == Class::Number) == is_number
    })
}

fn class_run_end(text: &[u8], mut at: usize, belongs: impl Fn(Class) -> bool) -> usize {
    while at < text.len() {
        let (class, length) = class_at::<true>(text, at);
        if !belongs(class) {
            break;
        }
        at += length;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words<const DIGITS: bool>(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        let mut at = 0;
        while at < text.len() {
            let end = word_end::<DIGITS>(text.as_bytes(), at);
            words.push(&text[at..end]);
            at = end;
        }
        words
    }

    fn split(text: &str) -> Vec<&str> {
        words::<true>(text)
    }

    #[test]
    fn a_space_goes_with_the_word_behind_it() {
        assert_eq!(
            split("Hello  big world! "),
            ["Hello", " ", " big", " world", "!", " "]
        );
    }

    #[test]
    fn every_digit_stands_alone_and_takes_no_space() {
        assert_eq!(
            split("in 2024, x1"),
            ["in", " ", "2", "0", "2", "4", ",", " x", "1"]
        );
        assert_eq!(split("a  12"), ["a", "  ", "1", "2"]);
        assert_eq!(split("½٣"), ["½", "٣"]);
    }

    #[test]
    fn without_digit_splitting_numbers_are_gpt2s() {
        assert_eq!(
            words::<false>("in 2024, x1  3"),
            ["in", " 2024", ",", " x", "1", " ", " 3"]
        );
    }

    #[test]
    fn contractions_are_cut_off_only_in_lower_case_and_at_a_words_start() {
        assert_eq!(
            split("we'll don't I'M 'round"),
            ["we", "'ll", " don", "'t", " I", "'", "M", " '", "round"]
        );
        assert_eq!(split("''s"), ["''", "s"]);
        assert_eq!(split("'re'"), ["'re", "'"]);
    }

    #[test]
    fn runs_of_whitespace_leave_one_to_the_next_word() {
        assert_eq!(
            split("a\n\n  b\t\tc\u{a0}\u{a0}d\n"),
            [
                "a", "\n\n ", " b", "\t", "\t", "c", "\u{a0}", "\u{a0}", "d", "\n"
            ]
        );
        assert_eq!(split("   "), ["   "]);
    }

    #[test]
    fn combining_marks_break_words_as_the_pattern_says() {
        assert_eq!(split("e\u{301}a"), ["e", "\u{301}", "a"]);
        assert_eq!(split("नमस्ते"), ["नमस", "्", "त", "े"]);
    }

    #[test]
    fn words_together_are_the_text() {
        let text = "x'd  🤦🏼‍♂️ 漢字 3½\r\n\u{2028} end ";
        assert_eq!(split(text).concat(), text);
    }
}
