//! How often each word comes: one table a thread, put together at the end.

use rustc_hash::FxHashMap;

/// Words up to this length are kept in the slot itself.
const SHORT_WORD: usize = 16;
const FIRST_SLOTS: usize = 1 << 14;

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u128,
    count: u64,
    /// 0 marks a free slot.
    length: u8,
}

pub struct WordCounts {
    slots: Vec<Slot>,
    entries: usize,
    long: FxHashMap<Box<[u8]>, u64>,
}

impl Default for WordCounts {
    fn default() -> Self {
        Self {
            slots: vec![Slot::default(); FIRST_SLOTS],
            entries: 0,
            long: FxHashMap::default(),
        }
    }
}

impl WordCounts {
    /// Counts the word `text[start..end]`, which is not empty.
    #[inline]
    pub fn add(&mut self, text: &[u8], start: usize, end: usize) {
        let length = end - start;
        if length > SHORT_WORD {
            return self.add_long(&text[start..end]);
        }
        let key = short_key(text, start, length);
        let mut at = self.slot_of(key, length);
        loop {
            let slot = &mut self.slots[at];
            if slot.length == 0 {
                *slot = Slot {
                    key,
                    count: 1,
                    length: length as u8,
                };
                self.entries += 1;
                if self.entries * 2 > self.slots.len() {
                    self.grow();
                }
                return;
            }
            if slot.key == key && slot.length as usize == length {
                slot.count += 1;
                return;
            }
            at = (at + 1) & (self.slots.len() - 1);
        }
    }

    #[inline(never)]
    fn add_long(&mut self, word: &[u8]) {
        match self.long.get_mut(word) {
            Some(count) => *count += 1,
            None => {
                self.long.insert(word.into(), 1);
            }
        }
    }

    #[inline(never)]
    fn grow(&mut self) {
        let doubled = vec![Slot::default(); self.slots.len() * 2];
        for slot in std::mem::replace(&mut self.slots, doubled) {
            if slot.length == 0 {
                continue;
            }
            let mut at = self.slot_of(slot.key, slot.length as usize);
            while self.slots[at].length != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = slot;
        }
    }

    #[inline(always)]
    fn slot_of(&self, key: u128, length: usize) -> usize {
        hash_of(key, length) as usize & (self.slots.len() - 1)
    }

    /// Words and counts in no order that means anything.
    pub fn into_words(self) -> impl Iterator<Item = (Box<[u8]>, u64)> {
        let short = self.slots.into_iter().filter(|slot| slot.length > 0);
        short
            .map(|slot| {
                let bytes = slot.key.to_le_bytes();
                (bytes[..slot.length as usize].into(), slot.count)
            })
            .chain(self.long)
    }
}

/// The words of all tables with their sums, in the order of their bytes, so that nothing depends on the threads.
pub fn sum(tables: Vec<WordCounts>) -> Vec<(Box<[u8]>, u64)> {
    use rayon::prelude::*;
    let mut words: Vec<_> = tables
        .into_iter()
        .flat_map(WordCounts::into_words)
        .collect();
    words.par_sort_unstable();
    words.dedup_by(|(word, count), (kept, total)| {
        let same = word == kept;
        if same {
            *total += *count;
        }
        same
    });
    words
}

/// The bytes of a short word as a number, zeros behind it.
#[inline(always)]
pub fn short_key(text: &[u8], start: usize, length: usize) -> u128 {
    if let Some(window) = text.get(start..start + SHORT_WORD) {
        let all = u128::from_le_bytes(window.try_into().expect("16 bytes"));
        // length is 1 to 16, the shift 120 to 0
        return all & (u128::MAX >> (8 * (SHORT_WORD - length)));
    }
    let mut bytes = [0; SHORT_WORD];
    bytes[..length].copy_from_slice(&text[start..start + length]);
    u128::from_le_bytes(bytes)
}

/// Low bits first: all of them depend on the whole word.
#[inline(always)]
pub fn hash_of(key: u128, length: usize) -> u64 {
    let low = key as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let high = (key >> 64) as u64 ^ 0xd1b5_4a32_d192_ed03 ^ length as u64;
    let product = low as u128 * high as u128;
    (product as u64 ^ (product >> 64) as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_lengths_are_counted_in_any_number_of_tables() {
        let mut tables = [WordCounts::default(), WordCounts::default()];
        let mut expected = std::collections::BTreeMap::new();
        for n in 0..60_000u32 {
            let word = format!("{}{}", "w".repeat(n as usize % 23), n % 20_011);
            tables[n as usize % 2].add(word.as_bytes(), 0, word.len());
            *expected
                .entry(word.into_bytes().into_boxed_slice())
                .or_insert(0) += 1;
        }
        tables[0].add(b"a\0", 0, 2);
        tables[0].add(b"a\0", 0, 1);
        expected.insert(b"a\0".as_slice().into(), 1);
        expected.insert(b"a".as_slice().into(), 1);
        assert_eq!(sum(tables.into()), expected.into_iter().collect::<Vec<_>>());
    }
}
