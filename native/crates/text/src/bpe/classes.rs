//! What the pre-tokenizer's pattern asks of a character: letter, number, space or anything else.

use std::sync::LazyLock;
use unicode_general_category::{GeneralCategory::*, get_general_category};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Class {
    Other,
    /// `\p{L}`
    Letter,
    /// `\p{N}`
    Number,
    /// `\s`: White_Space
    Space,
    /// A digit for the digit splitter alone, `Other` for the pattern: see `is_late_number`.
    LateNumber,
}

/// The class of every code point, in two stages of 256: most blocks are alike and stored once.
struct Table {
    block: [u8; 0x1100],
    classes: Vec<[Class; 256]>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        block: [0; 0x1100],
        classes: Vec::new(),
    };
    for index in 0..0x1100u32 {
        let mut block = [Class::Other; 256];
        for (low, class) in block.iter_mut().enumerate() {
            *class = char::from_u32(index << 8 | low as u32).map_or(Class::Other, of_char);
        }
        let found = table.classes.iter().position(|other| *other == block);
        let at = found.unwrap_or_else(|| {
            table.classes.push(block);
            table.classes.len() - 1
        });
        table.block[index as usize] = u8::try_from(at).expect("fewer than 256 kinds of blocks");
    }
    table
});

/// ASCII without the table.
pub static ASCII: [Class; 128] = {
    let mut classes = [Class::Other; 128];
    let mut byte = 0;
    while byte < 128 {
        let b = byte as u8;
        if b.is_ascii_alphabetic() {
            classes[byte] = Class::Letter;
        } else if b.is_ascii_digit() {
            classes[byte] = Class::Number;
        } else if b == b' ' || (b >= 9 && b <= 13) {
            classes[byte] = Class::Space;
        }
        byte += 1;
    }
    classes
};

/// Class and length in bytes of the character at `at`. `text` is UTF-8 and `at` a character's first byte.
#[inline(always)]
pub fn classify(text: &[u8], at: usize) -> (Class, usize) {
    let byte = text[at];
    if byte < 0x80 {
        return (ASCII[byte as usize], 1);
    }
    classify_wide(text, at)
}

#[inline(never)]
fn classify_wide(text: &[u8], at: usize) -> (Class, usize) {
    let tail = |i: usize| (text[at + i] & 0x3f) as u32;
    let first = text[at] as u32;
    let (code, length) = if first < 0xe0 {
        ((first & 0x1f) << 6 | tail(1), 2)
    } else if first < 0xf0 {
        ((first & 0x0f) << 12 | tail(1) << 6 | tail(2), 3)
    } else {
        (
            (first & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3),
            4,
        )
    };
    let block = TABLE.block[(code >> 8) as usize];
    (
        TABLE.classes[block as usize][(code & 0xff) as usize],
        length,
    )
}

fn of_char(c: char) -> Class {
    match get_general_category(c) {
        UppercaseLetter | LowercaseLetter | TitlecaseLetter | ModifierLetter | OtherLetter => {
            Class::Letter
        }
        DecimalNumber | LetterNumber | OtherNumber => Class::Number,
        _ if is_white_space(c) => Class::Space,
        _ if is_late_number(c) => Class::LateNumber,
        _ => Class::Other,
    }
}

/// White_Space is stable: no character was added since Unicode 4.
fn is_white_space(c: char) -> bool {
    matches!(
        c as u32,
        9..=13 | 0x20 | 0x85 | 0xa0 | 0x1680 | 0x2000..=0x200a | 0x2028 | 0x2029 | 0x202f | 0x205f | 0x3000
    )
}

/// Hugging Face's tokenizers 0.23 takes letters and numbers from Unicode 16 (Oniguruma) but splits digits by
/// Unicode 17 (Rust): these 13 numbers are digits for the one and no numbers for the other.
fn is_late_number(c: char) -> bool {
    matches!(c as u32, 0x11de0..=0x11de9 | 0x16ff4..=0x16ff6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_shortcut_agrees_with_the_table() {
        for byte in 0..128u8 {
            assert_eq!(ASCII[byte as usize], of_char(byte as char), "byte {byte}");
        }
    }

    #[test]
    fn letters_are_narrower_than_rusts_alphabetic() {
        let class = |c: char| {
            let mut bytes = [0; 4];
            classify(c.encode_utf8(&mut bytes).as_bytes(), 0).0
        };
        assert_eq!(class('é'), Class::Letter);
        assert_eq!(class('漢'), Class::Letter);
        // Combining vowel sign and circled letter: alphabetic in Rust, no \p{L}.
        assert_eq!(class('\u{0345}'), Class::Other);
        assert_eq!(class('Ⓐ'), Class::Other);
        assert_eq!(class('½'), Class::Number);
        assert_eq!(class('Ⅷ'), Class::Number);
        assert_eq!(class('٣'), Class::Number);
        assert_eq!(class('\u{a0}'), Class::Space);
        assert_eq!(class('\u{3000}'), Class::Space);
        assert_eq!(class('\u{200b}'), Class::Other);
        assert_eq!(class('\u{11de3}'), Class::LateNumber);
        assert_eq!(class('\u{10ffff}'), Class::Other);
    }
}
