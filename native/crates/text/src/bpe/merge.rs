//! Merging the symbols of one word by rank: the lowest rank first, of equal ones the leftmost.

use super::pair_key;
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// (left, right) to (rank, result).
pub type MergeTable = FxHashMap<u64, (u32, u32)>;

const NO_RANK: u32 = u32::MAX;
const NONE: u32 = u32::MAX;

/// Above this many symbols the quadratic scan loses to the heap.
const SCAN_LIMIT: usize = 96;

/// Room for one word's work, kept from word to word.
#[derive(Default)]
pub struct Scratch {
    ids: Vec<u32>,
    /// Of the pair that begins at this symbol: rank, result.
    pairs: Vec<(u32, u32)>,
    next: Vec<u32>,
    previous: Vec<u32>,
    heap: BinaryHeap<Reverse<(u32, u32, u32)>>,
}

impl Scratch {
    /// The ids of a word whose symbols are `symbols`.
    pub fn merge(&mut self, symbols: impl Iterator<Item = u32>, merges: &MergeTable) -> &[u32] {
        self.ids.clear();
        self.ids.extend(symbols);
        if self.ids.len() <= SCAN_LIMIT {
            self.by_scan(merges);
        } else {
            self.by_heap(merges);
        }
        &self.ids
    }

    /// A word that is one token.
    pub fn single(&mut self, id: u32) -> &[u32] {
        self.ids.clear();
        self.ids.push(id);
        &self.ids
    }

    fn by_scan(&mut self, merges: &MergeTable) {
        let rank = |left, right| {
            merges
                .get(&pair_key(left, right))
                .copied()
                .unwrap_or((NO_RANK, 0))
        };
        let ids = &mut self.ids;
        let pairs = &mut self.pairs;
        pairs.clear();
        pairs.extend(ids.windows(2).map(|pair| rank(pair[0], pair[1])));
        while let Some((at, &(best, result))) =
            pairs.iter().enumerate().min_by_key(|(_, pair)| pair.0)
        {
            if best == NO_RANK {
                break;
            }
            ids[at] = result;
            ids.remove(at + 1);
            pairs.remove(at);
            if at < pairs.len() {
                pairs[at] = rank(result, ids[at + 1]);
            }
            if at > 0 {
                pairs[at - 1] = rank(ids[at - 1], result);
            }
        }
    }

    fn by_heap(&mut self, merges: &MergeTable) {
        let length = self.ids.len();
        self.next.clear();
        self.next.extend((1..length as u32).chain([NONE]));
        self.previous.clear();
        self.previous
            .extend([NONE].into_iter().chain(0..length as u32 - 1));
        self.heap.clear();
        for at in 0..length - 1 {
            self.offer(at as u32, at as u32 + 1, merges);
        }
        while let Some(Reverse((_, at, result))) = self.heap.pop() {
            // Stale unless the same two symbols, or two that give the same, still stand there.
            let right = self.next[at as usize];
            if self.ids[at as usize] == NONE || right == NONE {
                continue;
            }
            let pair = pair_key(self.ids[at as usize], self.ids[right as usize]);
            if merges.get(&pair).is_none_or(|&(_, id)| id != result) {
                continue;
            }
            let behind = self.next[right as usize];
            self.ids[at as usize] = result;
            self.ids[right as usize] = NONE;
            self.next[at as usize] = behind;
            if behind != NONE {
                self.previous[behind as usize] = at;
                self.offer(at, behind, merges);
            }
            let before = self.previous[at as usize];
            if before != NONE {
                self.offer(before, at, merges);
            }
        }
        self.ids.retain(|&id| id != NONE);
    }

    fn offer(&mut self, left: u32, right: u32, merges: &MergeTable) {
        let pair = pair_key(self.ids[left as usize], self.ids[right as usize]);
        if let Some(&(rank, result)) = merges.get(&pair) {
            self.heap.push(Reverse((rank, left, result)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: again and again the leftmost pair of the lowest rank.
    fn naive(symbols: &[u32], merges: &MergeTable) -> Vec<u32> {
        let mut ids = symbols.to_vec();
        loop {
            let best = (0..ids.len().saturating_sub(1))
                .filter_map(|i| {
                    merges
                        .get(&pair_key(ids[i], ids[i + 1]))
                        .map(|&(rank, id)| (rank, i, id))
                })
                .min();
            let Some((_, at, id)) = best else { return ids };
            ids[at] = id;
            ids.remove(at + 1);
        }
    }

    #[test]
    fn scan_and_heap_give_what_the_definition_gives() {
        let mut state = 7u64;
        let mut random = |bound: u64| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) % bound
        };
        for _ in 0..50 {
            // Over three letters almost everything overlaps.
            let mut merges = MergeTable::default();
            for rank in 0..40u32 {
                let known = 3 + rank as u64;
                let key = pair_key(random(known) as u32, random(known) as u32);
                merges.entry(key).or_insert((rank, 3 + rank));
            }
            for length in [1, 2, 3, 10, 90, 97, 300, 2500] {
                let symbols: Vec<u32> = (0..length).map(|_| random(3) as u32).collect();
                let got = Scratch::default()
                    .merge(symbols.iter().copied(), &merges)
                    .to_vec();
                assert_eq!(got, naive(&symbols, &merges));
            }
        }
    }
}
