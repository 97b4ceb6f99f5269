//! Gopher's repeated n-grams, with datatrove's definitions.

use crate::words::for_each_ngram;
use crate::words::tokens::Token;

/// Characters in the most frequent 2-, 3- and 4-gram (joined by spaces) and in repeated 5- to 10-grams (not joined).
pub struct Repetition {
    pub top: [u64; 3],
    pub duplicate: [u64; 6],
}

impl Repetition {
    pub fn of(tokens: &[Token], grams: &mut GramTable) -> Self {
        let mut found = Self {
            top: [0; 3],
            duplicate: [0; 6],
        };
        for n in 2..=4 {
            found.top[n - 2] = top_gram(tokens, n, grams);
        }
        for n in 5..=10 {
            found.duplicate[n - 5] = duplicate_grams(tokens, n, grams);
        }
        found
    }
}

/// The first n-gram to have the highest count, as Python's `Counter.most_common` chooses: its length times its count.
fn top_gram(tokens: &[Token], n: usize, grams: &mut GramTable) -> u64 {
    if tokens.len() < n {
        return 0;
    }
    grams.clear(tokens.len());
    let (mut best_count, mut best_at) = (0, 0);
    for_each_ngram(
        |at| tokens[at].hash,
        tokens.len(),
        n,
        |at, hash| {
            let (count, first) = grams.count(hash, at as u32);
            if count > best_count || count == best_count && first < best_at {
                (best_count, best_at) = (count, first);
            }
        },
    );
    let first = &tokens[best_at as usize..best_at as usize + n];
    let length: u64 = first.iter().map(|token| u64::from(token.characters)).sum();
    (length + n as u64 - 1) * u64::from(best_count)
}

/// A repeated n-gram counts and is stepped over, a new one is remembered and stepped through.
fn duplicate_grams(tokens: &[Token], n: usize, grams: &mut GramTable) -> u64 {
    grams.clear(tokens.len());
    let (mut next, mut characters) = (0, 0);
    for_each_ngram(
        |at| tokens[at].hash,
        tokens.len(),
        n,
        |at, hash| {
            if at < next {
                return;
            }
            if grams.count(hash, 0).0 > 1 {
                let repeated = &tokens[at..at + n];
                characters += repeated
                    .iter()
                    .map(|token| u64::from(token.characters))
                    .sum::<u64>();
                next = at + n;
            }
        },
    );
    characters
}

/// A hash table with open addressing that is emptied by counting up one number.
#[derive(Default)]
pub struct GramTable {
    entries: Vec<Entry>,
    generation: u32,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    hash: u64,
    generation: u32,
    count: u32,
    first: u32,
}

impl GramTable {
    /// Empties the table and makes room for this many different hashes.
    pub fn clear(&mut self, hashes: usize) {
        let wanted = (2 * hashes + 2).next_power_of_two();
        let far_too_large = self.entries.len() > (1 << 20) && self.entries.len() / 64 > wanted;
        if self.entries.len() < wanted || far_too_large || self.generation == u32::MAX {
            self.entries.clear();
            self.entries.resize(wanted, Entry::default());
            self.entries.shrink_to_fit();
            self.generation = 0;
        }
        self.generation += 1;
    }

    /// Counts a hash: how often it has come now, and the place given with its first coming.
    pub fn count(&mut self, hash: u64, place: u32) -> (u32, u32) {
        let mask = self.entries.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            let entry = &mut self.entries[at];
            if entry.generation != self.generation {
                *entry = Entry {
                    hash,
                    generation: self.generation,
                    count: 1,
                    first: place,
                };
                return (1, place);
            }
            if entry.hash == hash {
                entry.count += 1;
                return (entry.count, entry.first);
            }
            at = (at + 1) & mask;
        }
    }
}
