//! Word n-grams of a few texts, looked up in many: contamination by evaluation items, overlap with held-out text.

mod subsequence;

use crate::words::{Word, for_each_ngram, split_words};
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use subsequence::Subsequence;

/// The n-grams of the indexed texts by 64-bit hash. A text with fewer words than `ngram` is one gram of its length.
pub struct NgramIndex {
    slots: FxHashMap<u64, u32>,
    /// The texts that have the gram of a slot: `texts[starts[slot]..starts[slot + 1]]`.
    starts: Vec<u32>,
    texts: Vec<u32>,
    sizes: Vec<u32>,
    /// The word hashes of each indexed text, for its longest common subsequence with a passage.
    words: Vec<Vec<u64>>,
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
    /// Words of the indexed text that come in the same order around the match, as a share of all of them; 0 where it was
    /// not asked for.
    pub subsequence: f32,
}

impl NgramIndex {
    /// Texts of fewer than `min_words` words have no gram and never match.
    pub fn new(texts: &[String], ngram: usize, min_words: usize) -> Self {
        let ngram = ngram.max(1);
        let (grams, words): (Vec<TextGrams>, Vec<Vec<u64>>) = texts
            .par_iter()
            .map_init(Vec::new, |words, text| {
                let grams = grams_of(text, ngram, min_words, words);
                (
                    grams,
                    words.iter().map(|word| word.hash).collect::<Vec<_>>(),
                )
            })
            .unzip();
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
            words,
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

    /// For each text that shares a gram, the indexed text of which it has the largest share; with `subsequence` the one
    /// whose longest common subsequence with a passage is the largest share of it.
    pub fn scan<T: AsRef<str> + Sync>(&self, texts: &[T], subsequence: bool) -> Vec<Hit> {
        texts
            .par_iter()
            .enumerate()
            .map_init(Vec::new, |words, (number, text)| {
                self.scan_one(number as u32, text.as_ref(), subsequence, words)
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

    fn scan_one(
        &self,
        number: u32,
        text: &str,
        subsequence: bool,
        words: &mut Vec<Word>,
    ) -> Option<Hit> {
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
        let mut shared: Vec<(u32, u32)> = shared.into_iter().collect();
        shared.sort_unstable_by(|a, b| {
            let by_share = share(b).total_cmp(&share(a));
            by_share.then(b.1.cmp(&a.1)).then(a.0.cmp(&b.0))
        });
        let candidates = if subsequence { MOST_CANDIDATES } else { 1 };
        let hits = shared.into_iter().take(candidates);
        hits.map(|(indexed, shared)| {
            let places = self.places(indexed, &matches);
            let (start, end, subsequence) = if subsequence {
                self.best_passage(indexed, &places, words)
            } else {
                let (start, end) = first_run(&places);
                (start, end, 0.0)
            };
            Hit {
                text: number,
                indexed,
                shared,
                start: words[start].start,
                end: words[end - 1].end,
                subsequence,
            }
        })
        // Of equals the one with the larger share, which came first.
        .reduce(|best, hit| {
            if hit.subsequence > best.subsequence {
                hit
            } else {
                best
            }
        })
    }

    /// Where grams of one indexed text are: first word and the one after the last, in order.
    fn places(&self, indexed: u32, matches: &[(u32, usize, usize)]) -> Vec<(usize, usize)> {
        let mut places: Vec<(usize, usize)> = matches
            .iter()
            .filter(|&&(slot, ..)| self.texts_of(slot).contains(&indexed))
            .map(|&(_, at, n)| (at, at + n))
            .collect();
        places.sort_unstable();
        places
    }

    /// Matches less than the indexed text's length apart are one passage, which reaches as far to both sides: beyond it
    /// common words would make up a subsequence that says nothing.
    fn best_passage(
        &self,
        indexed: u32,
        places: &[(usize, usize)],
        words: &[Word],
    ) -> (usize, usize, f32) {
        let item = &self.words[indexed as usize];
        let reach = item.len();
        let mut finder = Subsequence::new(item);
        let (start, end) = first_run(places);
        let mut best = (start, end, 0.0);
        let passages = places.chunk_by(|a, b| b.0 <= a.1 + reach);
        for passage in passages.take(MOST_PASSAGES) {
            let first = passage[0].0;
            let last = passage.iter().map(|place| place.1).max().unwrap_or(first);
            let from = first.saturating_sub(reach);
            let to = (last + reach).min(words.len());
            let length = finder.length(words[from..to].iter().map(|word| word.hash));
            let share = length as f32 / item.len().max(1) as f32;
            if share > best.2 {
                let (start, end) = first_run(passage);
                best = (start, end, share);
            }
        }
        best
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

/// The indexed texts of which a document has the largest shares are compared word by word, this many at most.
const MOST_CANDIDATES: usize = 16;
const MOST_PASSAGES: usize = 16;

/// The first match with those that touch it.
fn first_run(places: &[(usize, usize)]) -> (usize, usize) {
    let (first, mut last) = places[0];
    for &(at, end) in places {
        if at > last {
            break;
        }
        last = last.max(end);
    }
    (first, last)
}

/// The length of a text's grams and their hashes.
type TextGrams = (usize, Vec<u64>);

fn grams_of(text: &str, ngram: usize, min_words: usize, words: &mut Vec<Word>) -> TextGrams {
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
        let hits = index.scan(&found, false);
        assert_eq!(hits.len(), 2);
        assert_eq!((hits[0].text, hits[0].indexed, hits[0].shared), (1, 0, 2));
        assert_eq!(
            &found[1][hits[0].start..hits[0].end],
            "One, two THREE four five"
        );
        assert_eq!((hits[1].text, hits[1].indexed), (2, 1));
    }

    #[test]
    fn measures_the_longest_common_subsequence_around_the_match() {
        let items = texts(&["a b c d e f g h i j", "a b c d x y z"]);
        let index = NgramIndex::new(&items, 4, 3);
        let found = texts(&[
            "a b c d q e q f g then nothing of it for a while and more words than reach h i j",
            "a b c d x y",
        ]);
        let hits = index.scan(&found, true);
        assert_eq!((hits[0].indexed, hits[0].shared), (0, 1));
        assert!((hits[0].subsequence - 0.7).abs() < 1e-6);
        assert_eq!(&found[0][hits[0].start..hits[0].end], "a b c d");
        assert_eq!(hits[1].indexed, 1);
        assert!((hits[1].subsequence - 6.0 / 7.0).abs() < 1e-6);
    }

    #[test]
    fn marks_shares() {
        let index = NgramIndex::new(&texts(&["a b c d e", "x y", ""]), 2, 1);
        index.mark(&texts(&["a b c", "y x"]));
        assert_eq!(index.marked_shares(), [0.5, 0.0, 0.0]);
    }
}
