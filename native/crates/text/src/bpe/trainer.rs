//! Training: count words, then merge the most frequent pair again and again.
//! The order of ties is that of Hugging Face's `BpeTrainer` (highest count, then smallest pair of ids), and so are its
//! peculiarities: a pair's count is not lowered by its own merge, and an entry of the queue knows only the words in
//! which its pair appeared at one time. Both decide ties, and equal merges need them.

use super::counts::{self, WordCounts};
use super::nfc::nfc;
use super::pair_key;
use super::pretokenizer::PreTokenizer;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::collections::BinaryHeap;
use std::sync::{Mutex, PoisonError};

pub struct Trainer {
    pre_tokenizer: PreTokenizer,
    nfc: bool,
    counts: Mutex<Vec<WordCounts>>,
    merging: Option<Merging>,
}

/// A trained vocabulary: special tokens, the 256 bytes, one token for each merge (fewer when two merges give the same).
pub struct Trained {
    pub tokens: Vec<Vec<u8>>,
    /// (left, right, result) by rank.
    pub merges: Vec<[u32; 3]>,
}

struct Merging {
    vocab_size: usize,
    tokens: Vec<Vec<u8>>,
    ids: FxHashMap<Vec<u8>, u32>,
    merges: Vec<[u32; 3]>,
    words: Words,
    pair_counts: FxHashMap<u64, i64>,
    queue: BinaryHeap<Candidate>,
}

/// The symbols of all words end to end; a word shrinks in its place.
struct Words {
    symbols: Vec<u32>,
    starts: Vec<usize>,
    lengths: Vec<u32>,
    counts: Vec<i64>,
}

#[derive(PartialEq, Eq)]
struct Candidate {
    count: i64,
    pair: (u32, u32),
    /// Words in which the pair appeared, ascending.
    words: Vec<u32>,
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.count
            .cmp(&other.count)
            .then_with(|| other.pair.cmp(&self.pair))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Trainer {
    pub fn new(pre_tokenizer: PreTokenizer, nfc: bool) -> Self {
        Self {
            pre_tokenizer,
            nfc,
            counts: Mutex::default(),
            merging: None,
        }
    }

    /// Counts the words of the texts, on all threads.
    pub fn add(&mut self, texts: &[&str]) {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let target = (bytes / (4 * rayon::current_num_threads())).max(1 << 16);
        super::encoder::runs_of_texts(texts, target)
            .par_iter()
            .for_each(|run| self.count(run));
    }

    fn count(&self, texts: &[&str]) {
        let spare = self.counts.lock().ok().and_then(|mut tables| tables.pop());
        let mut counts = spare.unwrap_or_default();
        for text in texts {
            let normal = if self.nfc { nfc(text) } else { (*text).into() };
            self.pre_tokenizer
                .for_each_word(normal.as_bytes(), |text, start, end| {
                    counts.add(text, start, end);
                });
        }
        let mut tables = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        tables.push(counts);
    }

    /// Fixes the words and counts their pairs. The special tokens take the first ids.
    pub fn begin(&mut self, vocab_size: usize, special_tokens: &[&[u8]]) {
        let tables = std::mem::take(&mut self.counts)
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let counted = counts::sum(tables);

        let mut tokens: Vec<Vec<u8>> = Vec::new();
        let mut ids = FxHashMap::default();
        let alphabet = hugging_face_byte_order().map(|byte| vec![byte]);
        for token in special_tokens
            .iter()
            .map(|token| token.to_vec())
            .chain(alphabet)
        {
            if !ids.contains_key(&token) {
                ids.insert(token.clone(), tokens.len() as u32);
                tokens.push(token);
            }
        }
        let words = Words::new(&counted, &ids);
        let pairs = words.count_pairs();
        let mut pair_counts =
            FxHashMap::with_capacity_and_hasher(pairs.len() * 2, Default::default());
        let mut queue = Vec::with_capacity(pairs.len());
        for (pair, (count, words)) in pairs {
            pair_counts.insert(pair, count);
            queue.push(Candidate::new(pair, count, words));
        }
        self.merging = Some(Merging {
            vocab_size,
            tokens,
            ids,
            merges: Vec::new(),
            words,
            pair_counts,
            queue: queue.into(),
        });
    }

    /// Does up to `merges` merges; the number of tokens now and whether nothing is left to merge.
    pub fn advance(&mut self, merges: usize) -> (usize, bool) {
        let Some(merging) = &mut self.merging else {
            return (0, true);
        };
        let finished = (0..merges).any(|_| !merging.merge_best());
        (
            merging.tokens.len(),
            finished || merging.tokens.len() >= merging.vocab_size,
        )
    }

    pub fn finish(&mut self) -> Option<Trained> {
        let merging = self.merging.take()?;
        // A pair that was merged twice counts from its last time, as in Hugging Face's model.
        let mut last = FxHashMap::default();
        for (rank, &[left, right, _]) in merging.merges.iter().enumerate() {
            last.insert(pair_key(left, right), rank);
        }
        let merges = merging.merges.iter().enumerate();
        Some(Trained {
            merges: merges
                .filter(|(rank, [left, right, _])| last[&pair_key(*left, *right)] == *rank)
                .map(|(_, merge)| *merge)
                .collect(),
            tokens: merging.tokens,
        })
    }
}

impl Merging {
    /// One merge; false when the vocabulary is full or no pair is left.
    fn merge_best(&mut self) -> bool {
        if self.tokens.len() >= self.vocab_size {
            return false;
        }
        let best = loop {
            let Some(mut top) = self.queue.pop() else {
                return false;
            };
            let count = self.pair_counts[&pair_key(top.pair.0, top.pair.1)];
            if count == top.count {
                break top;
            }
            top.count = count;
            self.queue.push(top);
        };
        if best.count < 1 {
            return false;
        }
        let result = self.token_for(best.pair);
        self.merges.push([best.pair.0, best.pair.1, result]);

        let mut appeared: FxHashMap<u64, Vec<u32>> = FxHashMap::default();
        let counts = &mut self.pair_counts;
        for &word in &best.words {
            let times = self.words.counts[word as usize];
            self.words
                .merge(word as usize, best.pair, result, |pair, change| {
                    *counts.entry(pair).or_default() += change * times;
                    if change > 0 {
                        let list = appeared.entry(pair).or_default();
                        if list.last() != Some(&word) {
                            list.push(word);
                        }
                    }
                });
        }
        for (pair, words) in appeared {
            let count = counts[&pair];
            if count > 0 {
                self.queue.push(Candidate::new(pair, count, words));
            }
        }
        true
    }

    /// The token that two make together, new unless another pair has made it before.
    fn token_for(&mut self, (left, right): (u32, u32)) -> u32 {
        let token = [
            self.tokens[left as usize].as_slice(),
            &self.tokens[right as usize],
        ]
        .concat();
        let next = self.tokens.len() as u32;
        let id = *self.ids.entry(token.clone()).or_insert(next);
        if id == next {
            self.tokens.push(token);
        }
        id
    }
}

impl Candidate {
    fn new(pair: u64, count: i64, words: Vec<u32>) -> Self {
        Self {
            count,
            pair: ((pair >> 32) as u32, pair as u32),
            words,
        }
    }
}

impl Words {
    fn new(counted: &[(Box<[u8]>, u64)], ids: &FxHashMap<Vec<u8>, u32>) -> Self {
        let byte_ids: [u32; 256] = std::array::from_fn(|byte| ids[[byte as u8].as_slice()]);
        let mut words = Self {
            symbols: Vec::with_capacity(counted.iter().map(|(word, _)| word.len()).sum()),
            starts: Vec::with_capacity(counted.len()),
            lengths: Vec::with_capacity(counted.len()),
            counts: Vec::with_capacity(counted.len()),
        };
        for (word, count) in counted {
            words.starts.push(words.symbols.len());
            words
                .symbols
                .extend(word.iter().map(|&byte| byte_ids[byte as usize]));
            words.lengths.push(word.len() as u32);
            words.counts.push(*count as i64);
        }
        words
    }

    fn symbols_of(&self, word: usize) -> &[u32] {
        let start = self.starts[word];
        &self.symbols[start..start + self.lengths[word] as usize]
    }

    /// Every pair with its count and the words that have it, ascending.
    fn count_pairs(&self) -> FxHashMap<u64, (i64, Vec<u32>)> {
        let total = self.starts.len();
        let step = total.div_ceil(4 * rayon::current_num_threads()).max(1);
        let parts: Vec<_> = (0..total.div_ceil(step))
            .into_par_iter()
            .map(|part| {
                let mut pairs: FxHashMap<u64, (i64, Vec<u32>)> = FxHashMap::default();
                for word in part * step..((part + 1) * step).min(total) {
                    for pair in self.symbols_of(word).windows(2) {
                        let (count, words) = pairs.entry(pair_key(pair[0], pair[1])).or_default();
                        *count += self.counts[word];
                        if words.last() != Some(&(word as u32)) {
                            words.push(word as u32);
                        }
                    }
                }
                pairs
            })
            .collect();
        let mut parts = parts.into_iter();
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            for (pair, (count, words)) in part {
                let entry = all.entry(pair).or_default();
                entry.0 += count;
                entry.1.extend(words);
            }
        }
        all
    }

    /// Replaces the pair in one word; `change` hears of every neighbouring pair that went (-1) or came (+1).
    fn merge(
        &mut self,
        word: usize,
        (left, right): (u32, u32),
        result: u32,
        mut change: impl FnMut(u64, i64),
    ) {
        let start = self.starts[word];
        let length = self.lengths[word] as usize;
        let symbols = &mut self.symbols[start..start + length];
        let mut kept = 0;
        let mut at = 0;
        while at < length {
            if symbols[at] != left || at + 1 == length || symbols[at + 1] != right {
                symbols[kept] = symbols[at];
                kept += 1;
                at += 1;
                continue;
            }
            if kept > 0 {
                change(pair_key(symbols[kept - 1], left), -1);
                change(pair_key(symbols[kept - 1], result), 1);
            }
            at += 2;
            if at < length {
                change(pair_key(right, symbols[at]), -1);
                change(pair_key(result, symbols[at]), 1);
            }
            symbols[kept] = result;
            kept += 1;
        }
        self.lengths[word] = kept as u32;
    }
}

/// Hugging Face sorts the alphabet by the characters that stand for bytes: printable bytes first, then the others.
fn hugging_face_byte_order() -> impl Iterator<Item = u8> {
    let printable = |byte: &u8| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    (0..=255u8)
        .filter(printable)
        .chain((0..=255u8).filter(move |byte| !printable(byte)))
}

#[cfg(test)]
mod tests {
    use super::super::pretokenizer::Step;
    use super::*;

    fn trainer() -> Trainer {
        Trainer::new(PreTokenizer::new(vec![Step::Digits, Step::Gpt2]), false)
    }

    fn train(texts: &[&str], vocab_size: usize) -> Trained {
        let mut trainer = trainer();
        trainer.add(texts);
        trainer.begin(vocab_size, &[b"<|endoftext|>"]);
        while !trainer.advance(3).1 {}
        trainer.finish().unwrap()
    }

    #[test]
    fn the_most_frequent_pair_comes_first_and_ties_go_to_the_smallest_ids() {
        let trained = train(&["ab ab ab", "cd cd", "ef ef"], 257 + 3);
        let tokens: Vec<_> = trained.tokens[257..]
            .iter()
            .map(|t| String::from_utf8_lossy(t))
            .collect();
        // "ab" three times; " ab", "cd" and "ef" twice or once: (c, d) has the smallest ids of the pairs with two.
        assert_eq!(tokens[0], "ab");
        assert_eq!(trained.merges.len(), 3);
        assert_eq!(tokens[1], "cd");
    }

    #[test]
    fn special_tokens_come_first_then_all_bytes() {
        let trained = train(&["x"], 300);
        assert_eq!(trained.tokens[0], b"<|endoftext|>");
        assert_eq!(trained.tokens[1], b"!");
        assert_eq!(trained.tokens[257 - 1], [0xad]);
        assert_eq!(
            trained.tokens.len(),
            257,
            "a text of one letter has no pair"
        );
    }

    #[test]
    fn the_order_and_the_grouping_of_texts_do_not_matter() {
        let texts: Vec<String> = (0..400)
            .map(|i| format!("the cat {} sat on matte{}r", i * 7, i % 9))
            .collect();
        let mut forward = trainer();
        forward.add(&texts.iter().map(String::as_str).collect::<Vec<_>>());
        let mut backward = trainer();
        for text in texts.iter().rev() {
            backward.add(&[text]);
        }
        let finish = |mut trainer: Trainer| {
            trainer.begin(320, &[]);
            trainer.advance(1000);
            trainer.finish().unwrap().merges
        };
        assert_eq!(finish(forward), finish(backward));
    }
}
