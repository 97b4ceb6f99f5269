//! The length of the longest common subsequence, 64 words of one side in a step (Hyyro 2004).

use rustc_hash::FxHashMap;

pub struct Subsequence {
    /// For each word a bit at every place where the item has it.
    places: FxHashMap<u64, Vec<u64>>,
    row: Vec<u64>,
    length: usize,
}

impl Subsequence {
    pub fn new(item: &[u64]) -> Self {
        let blocks = item.len().div_ceil(64);
        let mut places: FxHashMap<u64, Vec<u64>> = FxHashMap::default();
        for (at, &word) in item.iter().enumerate() {
            places.entry(word).or_insert_with(|| vec![0; blocks])[at / 64] |= 1 << (at % 64);
        }
        Self {
            places,
            row: vec![0; blocks],
            length: item.len(),
        }
    }

    /// With the words of a passage.
    pub fn length(&mut self, passage: impl Iterator<Item = u64>) -> usize {
        self.row.fill(u64::MAX);
        for word in passage {
            let Some(places) = self.places.get(&word) else {
                continue;
            };
            let mut carry = false;
            for (row, &places) in self.row.iter_mut().zip(places) {
                let matched = *row & places;
                let (sum, over) = row.overflowing_add(matched);
                let (sum, more) = sum.overflowing_add(u64::from(carry));
                carry = over || more;
                *row = sum | (*row & !places);
            }
        }
        // A bit that is 0 is a word of the subsequence; a carry may clear some past the item's end, which count for none.
        let zeros = |(block, row): (usize, &u64)| {
            let used = (self.length - block * 64).min(64);
            (!row & (u64::MAX >> (64 - used))).count_ones() as usize
        };
        self.row.iter().enumerate().map(zeros).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::mix;

    fn slow(a: &[u64], b: &[u64]) -> usize {
        let mut row = vec![0; b.len() + 1];
        for &x in a {
            let mut before = 0;
            for (at, &y) in b.iter().enumerate() {
                let above = row[at + 1];
                row[at + 1] = if x == y {
                    before + 1
                } else {
                    above.max(row[at])
                };
                before = above;
            }
        }
        row[b.len()]
    }

    #[test]
    fn is_the_length_that_the_table_gives() {
        for seed in 0..300u64 {
            let words = |salt: u64, most: u64| -> Vec<u64> {
                let count = mix(seed ^ salt << 32) % most;
                (0..count)
                    .map(|i| mix(seed + i * 7919 + salt) % (3 + seed % 40))
                    .collect()
            };
            let (a, b) = (words(1, 200), words(2, 300));
            let found = Subsequence::new(&a).length(b.iter().copied());
            assert_eq!(found, slow(&a, &b), "seed {seed}");
        }
    }
}
