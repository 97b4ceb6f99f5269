//! Word n-grams of a few texts, looked up in many: contamination by evaluation items, overlap with held-out text.

use crate::words::{Word, for_each_ngram, split_words};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};

/// The n-grams of the indexed texts by 64-bit hash. A text with fewer words than `ngram` is one gram of its length.
pub struct NgramIndex {
    slots: FxHashMap<u64, u32>,
    /// The texts that have the gram of a slot: `texts[starts[slot]..starts[slot + 1]]`.
    starts: Vec<u32>,
    texts: Vec<u32>,
    sizes: Vec<u32>,
    /// The lengths of grams that occur.
    lengths: Vec<usize>,
    /// One bit for a few bits of each hash: most look-ups end here, in the cache.
    filter: Vec<u64>,
    marked: Vec<AtomicBool>,
}

/// One text that shares n-grams with an indexed one; `start` and `end` are bytes of the first matching passage.
pub struct Hit {
    pub text: u32,
    pub indexed: u32,
    pub shared: u32,
    pub start: usize,
    pub end: usize,
}

impl NgramIndex {
    /// Texts of fewer than `min_words` words have no gram and never match.
    pub fn new(texts: &[String], ngram: usize, min_words: usize) -> Self {
        let ngram = ngram.max(1);
        let grams: Vec<(usize, Vec<u64>)> = texts
            .par_iter()
            .map_init(Vec::new, |words, text| {
                grams_of(text, ngram, min_words, words)
            })
            .collect();
        let sizes = grams.iter().map(|(_, grams)| grams.len() as u32).collect();
        let mut lengths: Vec<usize> = grams
            .iter()
            .filter(|(_, grams)| !grams.is_empty())
            .map(|&(n, _)| n)
            .collect();
        lengths.sort_unstable();
        lengths.dedup();
        let mut pairs: Vec<(u64, u32)> = grams
            .into_iter()
            .enumerate()
            .flat_map(|(text, (_, grams))| grams.into_iter().map(move |gram| (gram, text as u32)))
            .collect();
        pairs.par_sort_unstable();
        let mut index = Self {
            slots: FxHashMap::default(),
            starts: Vec::new(),
            texts: pairs.iter().map(|&(_, text)| text).collect(),
            sizes,
            lengths,
            filter: vec![0; (pairs.len() / 4 + 1).next_power_of_two()],
            marked: Vec::new(),
        };
        let mut start = 0;
        for same in pairs.chunk_by(|a, b| a.0 == b.0) {
            index.slots.insert(same[0].0, index.starts.len() as u32);
            index.starts.push(start);
            start += same.len() as u32;
            let (word, bit) = index.filter_place(same[0].0);
            index.filter[word] |= bit;
        }
        index.starts.push(start);
        index.marked = (1..index.starts.len())
            .map(|_| AtomicBool::new(false))
            .collect();
        index
    }

    /// How many different n-grams each indexed text has.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// For each text that shares a gram, the indexed text of which it has the largest share.
    pub fn scan(&self, texts: &[String]) -> Vec<Hit> {
        texts
            .par_iter()
            .enumerate()
            .map_init(Vec::new, |words, (number, text)| {
                self.scan_one(number as u32, text, words)
            })
            .flatten()
            .collect()
    }

    /// Remembers which of the grams these texts have.
    pub fn mark(&self, texts: &[String]) {
        texts.par_iter().for_each_init(Vec::new, |words, text| {
            split_words(text, usize::MAX, words);
            self.each_match(words, |_, _, slot| {
                self.marked[slot as usize].store(true, Ordering::Relaxed);
            });
        });
    }

    /// For each indexed text the share of its grams that `mark` has met.
    pub fn marked_shares(&self) -> Vec<f64> {
        let mut met = vec![0u32; self.sizes.len()];
        for (slot, marked) in self.marked.iter().enumerate() {
            if marked.load(Ordering::Relaxed) {
                for &text in self.texts_of(slot as u32) {
                    met[text as usize] += 1;
                }
            }
        }
        let share = |(&met, &size): (&u32, &u32)| f64::from(met) / f64::from(size.max(1));
        met.iter().zip(&self.sizes).map(share).collect()
    }

    fn scan_one(&self, number: u32, text: &str, words: &mut Vec<Word>) -> Option<Hit> {
        split_words(text, usize::MAX, words);
        let mut matches: Vec<(u32, usize, usize)> = Vec::new();
        self.each_match(words, |at, n, slot| matches.push((slot, at, n)));
        if matches.is_empty() {
            return None;
        }
        matches.sort_unstable();
        let mut shared: FxHashMap<u32, u32> = FxHashMap::default();
        for same in matches.chunk_by(|a, b| a.0 == b.0) {
            for &text in self.texts_of(same[0].0) {
                *shared.entry(text).or_default() += 1;
            }
        }
        let share =
            |&(text, count): &(u32, u32)| f64::from(count) / f64::from(self.sizes[text as usize]);
        let (indexed, shared) = shared.into_iter().max_by(|a, b| {
            let by_share = share(a).total_cmp(&share(b));
            by_share.then(a.1.cmp(&b.1)).then(b.0.cmp(&a.0))
        })?;
        let own = |slot: u32| self.texts_of(slot).contains(&indexed);
        let mut places: Vec<(usize, usize)> = matches
            .into_iter()
            .filter(|&(slot, ..)| own(slot))
            .map(|(_, at, n)| (at, at + n))
            .collect();
        places.sort_unstable();
        let &(first, mut last) = places.first()?;
        for &(at, end) in &places {
            if at > last {
                break;
            }
            last = last.max(end);
        }
        Some(Hit {
            text: number,
            indexed,
            shared,
            start: words[first].start,
            end: words[last - 1].end,
        })
    }

    fn each_match(&self, words: &[Word], mut each: impl FnMut(usize, usize, u32)) {
        for &n in &self.lengths {
            for_each_ngram(
                |at| words[at].hash,
                words.len(),
                n,
                |at, hash| {
                    let (word, bit) = self.filter_place(hash);
                    if self.filter[word] & bit != 0
                        && let Some(&slot) = self.slots.get(&hash)
                    {
                        each(at, n, slot);
                    }
                },
            );
        }
    }

    fn filter_place(&self, hash: u64) -> (usize, u64) {
        let place = (hash >> 20) as usize;
        ((place >> 6) & (self.filter.len() - 1), 1 << (place & 63))
    }

    fn texts_of(&self, slot: u32) -> &[u32] {
        let slot = slot as usize;
        &self.texts[self.starts[slot] as usize..self.starts[slot + 1] as usize]
    }
}

fn grams_of(
    text: &str,
    ngram: usize,
    min_words: usize,
    words: &mut Vec<Word>,
) -> (usize, Vec<u64>) {
    split_words(text, usize::MAX, words);
    let n = ngram.min(words.len());
    let mut grams = Vec::new();
    if words.len() >= min_words.max(1) {
        for_each_ngram(
            |at| words[at].hash,
            words.len(),
            n,
            |_, hash| grams.push(hash),
        );
        grams.sort_unstable();
        grams.dedup();
    }
    (n, grams)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| text.to_string()).collect()
    }

    #[test]
    fn finds_the_item_and_the_passage() {
        let items = texts(&[
            "one two three four five six",
            "short item here",
            "seven eight nine ten eleven",
        ]);
        let index = NgramIndex::new(&items, 4, 3);
        assert_eq!(index.sizes(), [3, 1, 2]);
        let found = texts(&[
            "nothing at all",
            "xx One, two THREE four five yy",
            "a SHORT item, here!",
        ]);
        let hits = index.scan(&found);
        assert_eq!(hits.len(), 2);
        assert_eq!((hits[0].text, hits[0].indexed, hits[0].shared), (1, 0, 2));
        assert_eq!(
            &found[1][hits[0].start..hits[0].end],
            "One, two THREE four five"
        );
        assert_eq!((hits[1].text, hits[1].indexed), (2, 1));
    }

    #[test]
    fn marks_shares() {
        let index = NgramIndex::new(&texts(&["a b c d e", "x y", ""]), 2, 1);
        index.mark(&texts(&["a b c", "y x"]));
        assert_eq!(index.marked_shares(), [0.5, 0.0, 0.0]);
    }
}
