//! Gopher's repeated n-grams, with datatrove's definitions.

use super::grams::HashCounts;
use crate::words::hash::combine;
use crate::words::tokens::Token;

/// Characters in the most frequent 2-, 3- and 4-gram (joined by spaces) and in repeated 5- to 10-grams (not joined).
#[derive(Default)]
pub struct Repetition {
    pub top: [u64; 3],
    pub duplicate: [u64; 6],
}

/// An n-gram that may occur again.
#[derive(Clone, Copy)]
pub struct Gram {
    at: u32,
    /// Where its entry is in the table.
    entry: u32,
    hash: u64,
}

impl Repetition {
    /// From short to long: an n-gram can only be repeated where both (n-1)-grams in it are, so that all but the first
    /// pass look at what is left of the one before.
    pub fn of(tokens: &[Token], counts: &mut HashCounts, grams: &mut Vec<Gram>) -> Self {
        let mut found = Self::default();
        grams.clear();
        grams.extend(tokens.iter().enumerate().map(|(at, token)| Gram {
            at: at as u32,
            entry: 0,
            hash: token.hash,
        }));
        for n in 2..=10 {
            lengthen(tokens, n, grams);
            keep_repeated(counts, grams);
            if n <= 4 {
                found.top[n - 2] = top_gram(tokens, n, counts, grams);
            } else {
                found.duplicate[n - 5] = duplicate_grams(tokens, n, counts, grams);
            }
        }
        found
    }
}

/// From (n-1)-grams to n-grams, where the next (n-1)-gram is there too.
fn lengthen(tokens: &[Token], n: usize, grams: &mut Vec<Gram>) {
    let mut kept = 0;
    for i in 1..grams.len() {
        let gram = grams[i - 1];
        if grams[i].at == gram.at + 1 {
            let last = tokens[gram.at as usize + n - 1].hash;
            grams[kept] = Gram {
                hash: combine(gram.hash, last),
                ..gram
            };
            kept += 1;
        }
    }
    grams.truncate(kept);
}

fn keep_repeated(counts: &mut HashCounts, grams: &mut Vec<Gram>) {
    if grams.is_empty() {
        return;
    }
    counts.clear(grams.len());
    for gram in grams.iter_mut() {
        gram.entry = counts.count(gram.hash, gram.at);
    }
    grams.retain(|gram| counts.entry(gram.entry).count > 1);
}

/// The first n-gram to have the highest count, as Python's `Counter.most_common` chooses: its length times its count.
fn top_gram(tokens: &[Token], n: usize, counts: &mut HashCounts, grams: &[Gram]) -> u64 {
    if tokens.len() < n {
        return 0;
    }
    let (mut most, mut first) = (1, 0);
    for gram in grams {
        let count = counts.entry(gram.entry).count;
        if count > most {
            (most, first) = (count, gram.at as usize);
        }
    }
    (characters(&tokens[first..first + n]) + n as u64 - 1) * u64::from(most)
}

/// A repeated n-gram counts and is stepped over, a new one is remembered and stepped through.
fn duplicate_grams(tokens: &[Token], n: usize, counts: &mut HashCounts, grams: &[Gram]) -> u64 {
    let (mut next, mut repeated) = (0, 0);
    for gram in grams {
        let at = gram.at as usize;
        if at < next {
            continue;
        }
        // Its count has done its work: 0 says from now on that the n-gram was seen.
        let entry = counts.entry(gram.entry);
        if entry.count == 0 {
            repeated += characters(&tokens[at..at + n]);
            next = at + n;
        }
        entry.count = 0;
    }
    repeated
}

fn characters(tokens: &[Token]) -> u64 {
    tokens.iter().map(|token| u64::from(token.characters)).sum()
}
