//! Words that were merged before, with their ids: text repeats its words, a look-up costs a fiftieth of a merge.

use super::counts::{hash_of, short_key};
use rustc_hash::FxHashMap;

const FIRST_SLOTS: usize = 1 << 9;
const MOST_SLOTS: usize = 1 << 17;
const MOST_LONG_WORDS: usize = 1 << 14;
const LONGEST_WORD: usize = 256;
/// Words up to this length are kept in the slot itself.
const SHORT_WORD: usize = 16;
const INLINE_IDS: usize = 3;

#[derive(Clone, Copy, Default)]
struct Slot {
    key: u128,
    /// The ids themselves, or the place of the first in `ids` when there are more.
    ids: [u32; INLINE_IDS],
    /// 0 marks a free slot.
    length: u8,
    count: u8,
}

/// One thread's cache, of bounded size: it grows with the words that it meets, and when full it is emptied, the frequent
/// words are back at once.
#[derive(Default)]
pub struct Cache {
    /// A power of two of them, none before the first word.
    slots: Vec<Slot>,
    entries: usize,
    ids: Vec<u32>,
    long: FxHashMap<Box<[u8]>, Box<[u32]>>,
}

impl Cache {
    /// Appends the ids of the word `text[start..end]`; `merge` finds them where the cache does not have them.
    #[inline]
    pub fn append<'a>(
        &mut self,
        text: &[u8],
        start: usize,
        end: usize,
        out: &mut Vec<u32>,
        merge: impl FnOnce(&[u8]) -> &'a [u32],
    ) {
        let length = end - start;
        if length > SHORT_WORD {
            return self.append_long(&text[start..end], out, merge);
        }
        let key = short_key(text, start, length);
        if self.entries * 2 >= self.slots.len() {
            self.make_room();
        }
        let mask = self.slots.len() - 1;
        let mut at = slot_of(key, length) & mask;
        loop {
            let slot = &self.slots[at];
            if slot.length == 0 {
                break;
            }
            if slot.key == key && slot.length as usize == length {
                let count = slot.count as usize;
                if count == 1 {
                    out.push(slot.ids[0]);
                } else if count <= INLINE_IDS {
                    out.extend_from_slice(&slot.ids[..count]);
                } else {
                    let first = slot.ids[0] as usize;
                    out.extend_from_slice(&self.ids[first..first + count]);
                }
                return;
            }
            at = (at + 1) & mask;
        }
        let ids = merge(&text[start..end]);
        out.extend_from_slice(ids);
        let mut slot = Slot {
            key,
            ids: [0; INLINE_IDS],
            length: length as u8,
            count: ids.len() as u8,
        };
        if ids.len() <= INLINE_IDS {
            slot.ids[..ids.len()].copy_from_slice(ids);
        } else {
            slot.ids[0] = self.ids.len() as u32;
            self.ids.extend_from_slice(ids);
        }
        self.slots[at] = slot;
        self.entries += 1;
    }

    #[inline(never)]
    fn make_room(&mut self) {
        if self.slots.len() == MOST_SLOTS {
            self.slots.fill(Slot::default());
            self.entries = 0;
            self.ids.clear();
            return;
        }
        let larger = vec![Slot::default(); (self.slots.len() * 4).clamp(FIRST_SLOTS, MOST_SLOTS)];
        let mask = larger.len() - 1;
        for slot in std::mem::replace(&mut self.slots, larger) {
            if slot.length == 0 {
                continue;
            }
            let mut at = slot_of(slot.key, slot.length as usize) & mask;
            while self.slots[at].length != 0 {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    fn append_long<'a>(
        &mut self,
        word: &[u8],
        out: &mut Vec<u32>,
        merge: impl FnOnce(&[u8]) -> &'a [u32],
    ) {
        if word.len() > LONGEST_WORD {
            out.extend_from_slice(merge(word));
            return;
        }
        if let Some(ids) = self.long.get(word) {
            out.extend_from_slice(ids);
            return;
        }
        let ids = merge(word);
        out.extend_from_slice(ids);
        if self.long.len() == MOST_LONG_WORDS {
            self.long.clear();
        }
        self.long.insert(word.into(), ids.into());
    }
}

#[inline(always)]
fn slot_of(key: u128, length: usize) -> usize {
    hash_of(key, length) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_in_trailing_zero_bytes_are_told_apart() {
        let mut cache = Cache::default();
        let mut out = Vec::new();
        cache.append(b"a", 0, 1, &mut out, |_| &[1]);
        cache.append(b"a\0", 0, 2, &mut out, |_| &[1, 2]);
        cache.append(b"a\0", 0, 1, &mut out, |_| panic!("cached"));
        cache.append(b"a\0", 0, 2, &mut out, |_| panic!("cached"));
        assert_eq!(out, [1, 1, 2, 1, 1, 2]);
    }

    #[test]
    fn a_full_cache_goes_on_with_right_answers() {
        let mut cache = Cache::default();
        for round in 0..2 {
            for n in 0..(MOST_SLOTS as u32 + 5000) {
                let word = format!("w{n}");
                let ids = [n, n + 1, n + 2, n + 3, round];
                let keep = 1 + n as usize % 4;
                let mut out = Vec::new();
                cache.append(word.as_bytes(), 0, word.len(), &mut out, |_| &ids[..keep]);
                assert_eq!(out, ids[..keep]);
            }
        }
    }
}
