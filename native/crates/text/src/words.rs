//! Words for comparing texts: lower case, letters and digits only, marks and Latin accents gone, numbers kept.
//! Shingles, decontamination and the classifiers share them; the quality rules count `tokens` instead.

mod addresses;
mod affixes;
pub mod characters;
mod fold;
pub mod hash;
mod segments;
mod special;
pub mod tokens;

pub use segments::Segmentation;

use characters::{is_mark, stands_alone};

/// A word's 64-bit hash and where it stands in the text, in bytes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Word {
    pub hash: u64,
    pub start: usize,
    pub end: usize,
}

/// Puts the first `limit` words of a text into `words`. Anything that is no letter or digit separates; a character of
/// a script that writes without spaces (Han, kana, Thai, Lao, Khmer, Burmese) is a word of its own.
pub fn split_words(text: &str, limit: usize, words: &mut Vec<Word>) {
    words.clear();
    let bytes = text.as_bytes();
    let (mut at, mut start, mut hash) = (0, usize::MAX, FNV_START);
    while at < bytes.len() && words.len() < limit {
        let byte = bytes[at];
        if byte < 128 {
            let lower = ASCII_WORD[byte as usize];
            if lower != 0 {
                if start == usize::MAX {
                    (start, hash) = (at, FNV_START);
                }
                hash = (hash ^ u64::from(lower)).wrapping_mul(FNV_PRIME);
            } else if start != usize::MAX {
                words.push(finished(hash, start, at));
                start = usize::MAX;
            }
            at += 1;
            continue;
        }
        let Some(character) = text[at..].chars().next() else {
            break;
        };
        let next = at + character.len_utf8();
        if stands_alone(character) {
            if start != usize::MAX {
                words.push(finished(hash, start, at));
                start = usize::MAX;
            }
            if words.len() < limit {
                words.push(finished(add_char(FNV_START, character), at, next));
            }
        } else if is_mark(character) {
            // An accent on its own belongs to the letter before and says nothing, as in NFC after folding.
        } else if character.is_alphanumeric() {
            if start == usize::MAX {
                (start, hash) = (at, FNV_START);
            }
            for folded in fold::fold(character) {
                hash = add_char(hash, folded);
            }
        } else if start != usize::MAX {
            words.push(finished(hash, start, at));
            start = usize::MAX;
        }
        at = next;
    }
    if start != usize::MAX && words.len() < limit {
        words.push(finished(hash, start, at));
    }
}

/// How many words each text has.
pub fn counts(texts: &[String]) -> Vec<u32> {
    let mut words = Vec::new();
    let count = |text: &String| {
        split_words(text, usize::MAX, &mut words);
        words.len() as u32
    };
    texts.iter().map(count).collect()
}

/// Calls `each` with the place and the 64-bit hash of every run of `n` words, by one rolling pass. Hashes of different
/// `n` never stand for each other.
pub fn for_each_ngram(
    hashes: impl Fn(usize) -> u64,
    count: usize,
    n: usize,
    mut each: impl FnMut(usize, u64),
) {
    if n == 0 || count < n {
        return;
    }
    let leaving = power(n);
    let mut rolling = 0u64;
    for at in 0..count {
        rolling = rolling.wrapping_mul(ROLLING).wrapping_add(hashes(at));
        if at >= n {
            rolling = rolling.wrapping_sub(hashes(at - n).wrapping_mul(leaving));
        }
        if at + 1 >= n {
            each(at + 1 - n, mix(rolling.wrapping_add(n as u64)));
        }
    }
}

/// Spreads every bit over all others (the finaliser of MurmurHash3).
pub fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;
const ROLLING: u64 = 0x9e37_79b9_7f4a_7c15;

/// The lower-case letter or digit of each ASCII byte, 0 for what separates words.
const ASCII_WORD: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0;
    while byte < 128 {
        if (byte as u8).is_ascii_alphanumeric() {
            table[byte] = (byte as u8).to_ascii_lowercase();
        }
        byte += 1;
    }
    table
};

fn finished(hash: u64, start: usize, end: usize) -> Word {
    Word {
        hash: mix(hash),
        start,
        end,
    }
}

fn add_char(hash: u64, character: char) -> u64 {
    let mut buffer = [0; 4];
    let bytes = character.encode_utf8(&mut buffer).as_bytes();
    bytes.iter().fold(hash, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME)
    })
}

fn power(n: usize) -> u64 {
    (0..n).fold(1u64, |product, _| product.wrapping_mul(ROLLING))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        let mut words = Vec::new();
        split_words(text, usize::MAX, &mut words);
        words
            .iter()
            .map(|word| &text[word.start..word.end])
            .collect()
    }

    fn hashes(text: &str) -> Vec<u64> {
        let mut words = Vec::new();
        split_words(text, usize::MAX, &mut words);
        words.iter().map(|word| word.hash).collect()
    }

    #[test]
    fn separates_at_everything_that_is_no_letter_or_digit() {
        assert_eq!(
            words("Don't, re-use x_1!"),
            ["Don", "t", "re", "use", "x", "1"]
        );
        assert_eq!(words("…—"), [""; 0]);
    }

    #[test]
    fn counts_scripts_without_spaces_by_character() {
        assert_eq!(words("日本 ok ไทย"), ["日", "本", "ok", "ไ", "ท", "ย"]);
    }

    #[test]
    fn folds_case_and_accents_however_they_are_written() {
        assert_eq!(
            hashes("CAFÉ Ærø Straße"),
            hashes("cafe\u{301} aero strasse")
        );
        assert_eq!(hashes("ПРИВЕТ"), hashes("привет"));
        assert_ne!(hashes("12"), hashes("13"));
    }

    #[test]
    fn rolls_to_the_same_hash_as_a_fresh_start() {
        let all = hashes("a b c d e f g h a b c d e");
        let mut rolled = vec![0; all.len()];
        for_each_ngram(|i| all[i], all.len(), 5, |at, hash| rolled[at] = hash);
        for at in 0..=all.len() - 5 {
            let mut fresh = 0;
            for_each_ngram(|i| all[at + i], 5, 5, |_, hash| fresh = hash);
            assert_eq!(rolled[at], fresh);
        }
        assert_eq!(rolled[0], rolled[8]);
        assert_ne!(rolled[0], rolled[1]);
    }

    #[test]
    fn stops_at_the_limit() {
        let mut found = Vec::new();
        split_words("one two 三四 five", 3, &mut found);
        assert_eq!(found.len(), 3);
    }
}
