//! Text to ids and back.

use super::added::{AddedToken, AddedTokens, Piece};
use super::cache::Cache;
use super::merge::{MergeTable, Scratch};
use super::nfc::nfc;
use super::pair_key;
use super::pretokenizer::PreTokenizer;
use rayon::prelude::*;
use rustc_hash::FxHashMap;
use std::borrow::Cow;
use std::sync::Mutex;

/// What a vocabulary is made of; checked by `Encoder::new`.
pub struct Parts {
    /// The bytes of all tokens end to end, and where each ends.
    pub token_bytes: Vec<u8>,
    pub token_ends: Vec<u32>,
    /// (left, right, result) by rank.
    pub merges: Vec<[u32; 3]>,
    /// The id of each byte, -1 where there is none: such bytes give no id.
    pub byte_ids: [i32; 256],
    pub added: Vec<AddedToken>,
    pub pre_tokenizer: PreTokenizer,
    /// Whether texts are brought to NFC.
    pub nfc: bool,
    /// The tokens that a word becomes whole, whatever the merges say (`ignore_merges`).
    pub whole_words: Vec<u32>,
}

pub struct Encoder {
    token_bytes: Vec<u8>,
    token_ends: Vec<u32>,
    merges: MergeTable,
    byte_ids: [i32; 256],
    /// Those that are looked for in the text as it is, and in the normalised text.
    added: [AddedTokens; 2],
    pre_tokenizer: PreTokenizer,
    nfc: bool,
    whole_words: FxHashMap<Box<[u8]>, u32>,
    /// One for each thread that has worked, warm for the next call.
    workers: Mutex<Vec<Worker>>,
}

/// One thread's work, with a cache that the encoder keeps for the next.
pub struct Session<'a> {
    encoder: &'a Encoder,
    worker: Worker,
}

impl Session<'_> {
    /// Appends the ids of a text.
    pub fn append(&mut self, text: &str, ids: &mut Vec<u32>) {
        self.encoder.encode_text(text, &mut self.worker, ids);
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Ok(mut workers) = self.encoder.workers.lock() {
            workers.push(std::mem::take(&mut self.worker));
        }
    }
}

#[derive(Default)]
struct Worker {
    cache: Cache,
    scratch: Scratch,
}

impl Encoder {
    pub fn new(parts: Parts) -> Result<Self, String> {
        let size = parts.token_ends.len();
        let ordered = parts.token_ends.is_sorted();
        if !ordered
            || parts.token_ends.last().copied().unwrap_or(0) as usize != parts.token_bytes.len()
        {
            return Err("token ends do not fit the token bytes".into());
        }
        let known = |id: u32| (id as usize) < size;
        if let Some(rank) = parts
            .merges
            .iter()
            .position(|merge| !merge.iter().all(|&id| known(id)))
        {
            return Err(format!(
                "merge {rank} names an id outside the vocabulary of {size}"
            ));
        }
        if parts
            .byte_ids
            .iter()
            .any(|&id| id >= 0 && !known(id as u32))
        {
            return Err("a byte has an id outside the vocabulary".into());
        }
        if parts.added.iter().any(|token| !known(token.id)) {
            return Err("an added token has an id outside the vocabulary".into());
        }
        let mut merges =
            MergeTable::with_capacity_and_hasher(parts.merges.len(), Default::default());
        for (rank, &[left, right, result]) in parts.merges.iter().enumerate() {
            merges.insert(pair_key(left, right), (rank as u32, result));
        }
        if !parts.whole_words.iter().all(|&id| known(id)) {
            return Err("a whole word has an id outside the vocabulary".into());
        }
        let bytes_of = |id: u32| {
            let start = match id {
                0 => 0,
                _ => parts.token_ends[id as usize - 1] as usize,
            };
            &parts.token_bytes[start..parts.token_ends[id as usize] as usize]
        };
        let whole_words = parts
            .whole_words
            .iter()
            .map(|&id| (bytes_of(id).into(), id))
            .collect();
        let (mut normalized, plain): (Vec<_>, Vec<_>) =
            parts.added.into_iter().partition(|token| token.normalized);
        if parts.nfc {
            for token in &mut normalized {
                token.content = nfc(&token.content).into_owned();
            }
        }
        Ok(Self {
            added: [AddedTokens::new(plain)?, AddedTokens::new(normalized)?],
            pre_tokenizer: parts.pre_tokenizer,
            nfc: parts.nfc,
            whole_words,
            token_bytes: parts.token_bytes,
            token_ends: parts.token_ends,
            merges,
            byte_ids: parts.byte_ids,
            workers: Mutex::default(),
        })
    }

    /// Ids of all texts end to end, and where each text's ids end. Uses all threads.
    pub fn encode_batch(&self, texts: &[&str]) -> (Vec<u32>, Vec<u32>) {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let threads = rayon::current_num_threads();
        if bytes < 1 << 14 || threads == 1 || texts.len() == 1 {
            return self.encode_run(texts);
        }
        let runs = runs_of_texts(texts, (bytes / (4 * threads)).max(1 << 13));
        let parts: Vec<_> = runs.par_iter().map(|run| self.encode_run(run)).collect();
        let mut ids = Vec::with_capacity(parts.iter().map(|part| part.0.len()).sum());
        let mut ends = Vec::with_capacity(texts.len());
        for (part_ids, part_ends) in parts {
            let base = ids.len() as u32;
            ids.extend_from_slice(&part_ids);
            ends.extend(part_ends.iter().map(|end| base + end));
        }
        (ids, ends)
    }

    /// The bytes of the tokens end to end; the first id outside the vocabulary as the error.
    pub fn decode(&self, ids: &[u32]) -> Result<Vec<u8>, u32> {
        let mut bytes = Vec::with_capacity(ids.len() * 4);
        for &id in ids {
            let end = *self.token_ends.get(id as usize).ok_or(id)? as usize;
            let start = if id == 0 {
                0
            } else {
                self.token_ends[id as usize - 1] as usize
            };
            bytes.extend_from_slice(&self.token_bytes[start..end]);
        }
        Ok(bytes)
    }

    /// As shard bytes: the little-endian ids of all texts, `WIDTH` bytes each and `end_of_text` behind each text, and how
    /// many each text has. The ids must fit. Uses all threads.
    pub fn encode_packed<const WIDTH: usize>(
        &self,
        texts: &[&str],
        end_of_text: u32,
    ) -> (Vec<u8>, Vec<u32>) {
        let bytes: usize = texts.iter().map(|text| text.len()).sum();
        let target = (bytes / (8 * rayon::current_num_threads())).max(1 << 16);
        let parts: Vec<_> = runs_of_texts(texts, target)
            .par_iter()
            .map(|run| {
                let mut session = self.session();
                let mut packed = Vec::new();
                let mut counts = Vec::with_capacity(run.len());
                let mut ids = Vec::new();
                for text in *run {
                    ids.clear();
                    session.append(text, &mut ids);
                    if ids.last() != Some(&end_of_text) {
                        ids.push(end_of_text);
                    }
                    for id in &ids {
                        packed.extend_from_slice(&id.to_le_bytes()[..WIDTH]);
                    }
                    counts.push(ids.len() as u32);
                }
                (packed, counts)
            })
            .collect();
        let mut packed = Vec::with_capacity(parts.iter().map(|part| part.0.len()).sum());
        let mut counts = Vec::with_capacity(texts.len());
        for (part, part_counts) in parts {
            packed.extend_from_slice(&part);
            counts.extend_from_slice(&part_counts);
        }
        (packed, counts)
    }

    pub fn vocab_size(&self) -> usize {
        self.token_ends.len()
    }

    /// Bytes of a token, whose id is known.
    pub fn token_length(&self, id: u32) -> usize {
        let start = match id {
            0 => 0,
            _ => self.token_ends[id as usize - 1],
        };
        (self.token_ends[id as usize] - start) as usize
    }

    /// The text as it is encoded.
    pub fn normalized<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.nfc { nfc(text) } else { text.into() }
    }

    /// Encoding text after text on one thread.
    pub fn session(&self) -> Session<'_> {
        let spare = self
            .workers
            .lock()
            .ok()
            .and_then(|mut workers| workers.pop());
        Session {
            encoder: self,
            worker: spare.unwrap_or_default(),
        }
    }

    fn encode_run(&self, texts: &[&str]) -> (Vec<u32>, Vec<u32>) {
        let mut session = self.session();
        let mut ids =
            Vec::with_capacity(texts.iter().map(|text| text.len()).sum::<usize>() / 3 + 16);
        let mut ends = Vec::with_capacity(texts.len());
        for text in texts {
            session.append(text, &mut ids);
            ends.push(ids.len() as u32);
        }
        (ids, ends)
    }

    /// Cuts out the added tokens, normalises what is left, cuts out those that are normalised too, splits the rest.
    fn encode_text(&self, text: &str, worker: &mut Worker, ids: &mut Vec<u32>) {
        self.added[0].split(text, |piece| match piece {
            Piece::Token(id) => ids.push(id),
            Piece::Text(text) => {
                let normal = self.normalized(text);
                self.added[1].split(&normal, |piece| match piece {
                    Piece::Token(id) => ids.push(id),
                    Piece::Text(text) => self.encode_words(text.as_bytes(), worker, ids),
                });
            }
        });
    }

    fn encode_words(&self, text: &[u8], worker: &mut Worker, ids: &mut Vec<u32>) {
        let Worker { cache, scratch } = worker;
        self.pre_tokenizer.for_each_word(text, |text, start, end| {
            cache.append(text, start, end, ids, |word| {
                if let Some(&id) = self.whole_words.get(word) {
                    return scratch.single(id);
                }
                let symbols = word.iter().map(|&byte| self.byte_ids[byte as usize]);
                scratch.merge(
                    symbols.filter(|&id| id >= 0).map(|id| id as u32),
                    &self.merges,
                )
            });
        });
    }
}

/// Consecutive texts in runs of at least `target` bytes.
pub fn runs_of_texts<'a, 'b>(texts: &'a [&'b str], target: usize) -> Vec<&'a [&'b str]> {
    let mut runs = Vec::new();
    let mut from = 0;
    let mut bytes = 0;
    for (i, text) in texts.iter().enumerate() {
        bytes += text.len();
        if bytes >= target {
            runs.push(&texts[from..=i]);
            from = i + 1;
            bytes = 0;
        }
    }
    if from < texts.len() {
        runs.push(&texts[from..]);
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::pretokenizer::Step;
    use super::*;

    /// All bytes, then "ab", "abc" and a special token.
    fn small() -> Encoder {
        let mut token_bytes: Vec<u8> = (0..=255).collect();
        let mut token_ends: Vec<u32> = (1..=256).collect();
        for token in ["ab", "abc", "<|x|>"] {
            token_bytes.extend_from_slice(token.as_bytes());
            token_ends.push(token_bytes.len() as u32);
        }
        Encoder::new(Parts {
            token_bytes,
            token_ends,
            merges: vec![[97, 98, 256], [256, 99, 257]],
            byte_ids: std::array::from_fn(|byte| byte as i32),
            added: vec![AddedToken {
                content: "<|x|>".into(),
                id: 258,
                ..Default::default()
            }],
            pre_tokenizer: PreTokenizer::new(vec![Step::Digits, Step::Gpt2]),
            nfc: false,
            whole_words: Vec::new(),
        })
        .unwrap()
    }

    #[test]
    fn text_that_spells_a_special_token_is_that_token() {
        let (ids, ends) = small().encode_batch(&["abc<|x|>ab", "", "<|x"]);
        assert_eq!(ids, [257, 258, 256, 60, 124, 120]);
        assert_eq!(ends, [3, 3, 6]);
    }

    #[test]
    fn many_threads_give_the_ids_of_one_and_decoding_gives_the_text() {
        let encoder = small();
        let texts: Vec<String> = (0..3000)
            .map(|i| format!("abcab {i} ünï <|x|>").repeat(1 + i % 4))
            .collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (ids, ends) = encoder.encode_batch(&texts);
        let mut start = 0;
        for (text, &end) in texts.iter().zip(&ends) {
            let own = &ids[start..end as usize];
            assert_eq!(own, encoder.encode_batch(&[text]).0);
            assert_eq!(encoder.decode(own).unwrap(), text.as_bytes());
            start = end as usize;
        }
    }

    #[test]
    fn ids_outside_the_vocabulary_are_named() {
        assert_eq!(small().decode(&[1, 999]), Err(999));
    }
}
