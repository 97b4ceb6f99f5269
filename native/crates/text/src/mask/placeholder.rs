//! Whether something looks like a real secret: not like a word that stands for one.

use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// Parts of what people write where a secret would stand.
static STAND_INS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build([
            "example",
            "xxxx",
            "your",
            "placeholder",
            "changeme",
            "change_me",
            "dummy",
            "sample",
            "insert",
            "replace",
            "0123456789",
            "123456789",
            "abcdefgh",
            "redacted",
            "****",
            "....",
            "<key>",
            "password",
            "undefined",
            "getenv",
            "environ",
            "localhost",
        ])
        .ok()
});

pub fn is_placeholder(value: &[u8]) -> bool {
    STAND_INS
        .as_ref()
        .is_some_and(|words| words.is_match(value))
}

/// Shannon's entropy of the bytes, in bits a byte.
pub fn entropy(value: &[u8]) -> f64 {
    let mut counts = [0u32; 256];
    value.iter().for_each(|&byte| counts[byte as usize] += 1);
    let total = value.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = f64::from(count) / total;
            -share * share.log2()
        })
        .sum()
}
