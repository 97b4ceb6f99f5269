//! NFC as Hugging Face's tokenizers do it, of the same Unicode version, at little cost for text that is in it already.

use std::borrow::Cow;
use std::sync::LazyLock;
use unicode_normalization_alignments::char::canonical_combining_class;
use unicode_normalization_alignments::{IsNormalized, UnicodeNormalization, is_nfc_quick};

/// Below this every character is as it should be and joins nothing before it.
const FIRST_DOUBTFUL: char = '\u{300}';

/// A bit for each code point: it is in NFC whatever stands before it, so that text can be cut there.
static STABLE: LazyLock<Vec<u64>> = LazyLock::new(|| {
    let mut bits = vec![0; 0x110000 / 64];
    for code in 0..0x110000u32 {
        let stable = char::from_u32(code).is_none_or(|c| {
            canonical_combining_class(c) == 0
                && matches!(is_nfc_quick(std::iter::once(c)), IsNormalized::Yes)
        });
        bits[code as usize / 64] |= u64::from(stable) << (code % 64);
    }
    bits
});

#[inline]
fn is_stable(c: char) -> bool {
    c < FIRST_DOUBTFUL || STABLE[c as usize / 64] >> (c as usize % 64) & 1 == 1
}

/// The text in NFC; borrowed where nothing changes.
pub fn nfc(text: &str) -> Cow<'_, str> {
    let mut changed = String::new();
    let mut copied = 0;
    let mut previous = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        if is_stable(c) {
            previous = at;
            continue;
        }
        // From the stable character before to the next one is a unit of its own.
        let mut end = text.len();
        while let Some(&(next, c)) = characters.peek() {
            if is_stable(c) {
                end = next;
                break;
            }
            characters.next();
        }
        let unit = &text[previous..end];
        if !unit.nfc().map(|(c, _)| c).eq(unit.chars()) {
            changed.push_str(&text[copied..previous]);
            changed.extend(unit.nfc().map(|(c, _)| c));
            copied = end;
        }
        previous = end;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    changed.push_str(&text[copied..]);
    Cow::Owned(changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cutting_into_units_gives_what_the_whole_gives() {
        let mut state = 11u64;
        let mut random = |bound: u32| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            ((state >> 33) % u64::from(bound)) as u32
        };
        let blocks = [
            (0x41, 26),
            (0xe0, 32),
            (0x300, 112),
            (0x340, 8),
            (0x900, 128),
            (0x1100, 256),
            (0xac00, 400),
            (0x1e00, 256),
            (0xf900, 300),
            (0x1d15e, 10),
            (0x11099, 40),
        ];
        for _ in 0..20_000 {
            let text: String = (0..1 + random(12))
                .filter_map(|_| {
                    let (first, count) = blocks[random(blocks.len() as u32) as usize];
                    char::from_u32(first + random(count))
                })
                .collect();
            let whole: String = text.nfc().map(|(c, _)| c).collect();
            assert_eq!(nfc(&text), whole, "{text:?}");
        }
    }

    #[test]
    fn text_in_nfc_is_not_copied() {
        for text in ["", "plain é", "漢字 한국어 हिन्दी", "x\u{5d0}\u{327}"] {
            assert!(matches!(nfc(text), Cow::Borrowed(_)), "{text}");
        }
        assert_eq!(nfc("e\u{301}x"), "éx");
        assert_eq!(nfc("\u{212b}"), "\u{c5}");
    }
}
