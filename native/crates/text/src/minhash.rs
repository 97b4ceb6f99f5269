//! MinHash signatures, the keys of their bands for locality-sensitive hashing, and hashes for exact duplicates.

use crate::words::{Word, for_each_ngram, mix, split_words};
use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64_with_seed, xxh3_128};

/// Two 64-bit halves for each text: the hash of its words, or of its bytes where it has no word.
pub fn text_hashes<T: AsRef<str> + Sync>(texts: &[T]) -> Vec<u64> {
    texts
        .par_iter()
        .map_init(Scratch::default, |scratch, text| {
            let hash = text_hash(text.as_ref(), scratch);
            [(hash >> 64) as u64, hash as u64]
        })
        .collect::<Vec<_>>()
        .concat()
}

pub fn text_hash(text: &str, scratch: &mut Scratch) -> u128 {
    split_words(text, usize::MAX, &mut scratch.words);
    if scratch.words.is_empty() {
        return xxh3_128(text.as_bytes());
    }
    scratch.bytes.clear();
    let hashes = scratch.words.iter().map(|word| word.hash.to_le_bytes());
    scratch.bytes.extend(hashes.flatten());
    xxh3_128(&scratch.bytes)
}

/// 64 bits for the words of a text, if they are as many.
pub fn word_hash(text: &str, min_words: usize, scratch: &mut Scratch) -> Option<u64> {
    let hash = text_hash(text, scratch);
    (scratch.words.len() >= min_words).then_some((hash >> 64) as u64)
}

/// What one thread needs again for each text.
#[derive(Default)]
pub struct Scratch {
    words: Vec<Word>,
    shingles: Vec<u64>,
    least: Vec<i64>,
    bytes: Vec<u8>,
}

impl Scratch {
    /// The 64-bit hashes of a text's word n-grams, in its order; a shorter text is one shingle.
    pub fn shingle(&mut self, text: &str, ngram: usize) -> &[u64] {
        split_words(text, usize::MAX, &mut self.words);
        self.shingles.clear();
        let (words, shingles) = (&self.words, &mut self.shingles);
        for_each_ngram(
            |at| words[at].hash,
            words.len(),
            ngram.min(words.len()),
            |_, hash| shingles.push(hash),
        );
        &self.shingles
    }
}

/// `bands * rows` functions of 64-bit shingles: x -> a x + b mod 2^64 with an odd a, compared as signed numbers.
pub struct Sketch {
    bands: usize,
    rows: usize,
    ngram: usize,
    factors: Vec<i64>,
    shifts: Vec<i64>,
}

/// Functions that go through the shingles together: what two registers of AVX-512 hold.
const LANES: usize = 16;

impl Sketch {
    pub fn new(bands: usize, rows: usize, ngram: usize, seed: u64) -> Self {
        let mut state = mix(seed ^ 0x5851_f42d_4c95_7f2d);
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            mix(state) as i64
        };
        let padded = (bands * rows).next_multiple_of(LANES);
        Self {
            bands,
            rows,
            ngram,
            factors: (0..padded).map(|_| next() | 1).collect(),
            shifts: (0..padded).map(|_| next()).collect(),
        }
    }

    pub fn bands(&self) -> usize {
        self.bands
    }

    pub fn ngram(&self) -> usize {
        self.ngram
    }

    /// Puts a 64-bit key of each band into `keys`; says no where the text has no word. Keys of different bands never
    /// stand for each other.
    pub fn keys(&self, text: &str, scratch: &mut Scratch, keys: &mut [u64]) -> bool {
        if !self.sign(text, scratch) {
            return false;
        }
        for (band, key) in keys.iter_mut().enumerate() {
            let rows = &scratch.least[band * self.rows..(band + 1) * self.rows];
            scratch.bytes.clear();
            scratch
                .bytes
                .extend(rows.iter().flat_map(|row| row.to_le_bytes()));
            *key = xxh3_64_with_seed(&scratch.bytes, band as u64);
        }
        true
    }

    fn sign(&self, text: &str, scratch: &mut Scratch) -> bool {
        scratch.shingle(text, self.ngram);
        scratch.least.clear();
        scratch.least.resize(self.factors.len(), i64::MAX);
        least(
            &scratch.shingles,
            &self.factors,
            &self.shifts,
            &mut scratch.least,
        );
        !scratch.shingles.is_empty()
    }
}

fn least(shingles: &[u64], factors: &[i64], shifts: &[i64], least: &mut [i64]) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the processor has these parts of AVX-512.
            return unsafe { least_avx512(shingles, factors, shifts, least) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            return unsafe { least_avx2(shingles, factors, shifts, least) };
        }
    }
    least_anywhere(shingles, factors, shifts, least);
}

/// The same arithmetic with a 64-bit multiply of 8 lanes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512dq,avx512vl")]
unsafe fn least_avx512(shingles: &[u64], factors: &[i64], shifts: &[i64], least: &mut [i64]) {
    least_anywhere(shingles, factors, shifts, least);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn least_avx2(shingles: &[u64], factors: &[i64], shifts: &[i64], least: &mut [i64]) {
    least_anywhere(shingles, factors, shifts, least);
}

#[inline(always)]
fn least_anywhere(shingles: &[u64], factors: &[i64], shifts: &[i64], least: &mut [i64]) {
    let lanes = |values: &[i64], at: usize| -> [i64; LANES] {
        std::array::from_fn(|lane| values[at + lane])
    };
    for at in (0..least.len()).step_by(LANES) {
        let (a, b) = (lanes(factors, at), lanes(shifts, at));
        let mut smallest = [i64::MAX; LANES];
        for &shingle in shingles {
            let x = shingle as i64;
            for lane in 0..LANES {
                let value = x.wrapping_mul(a[lane]).wrapping_add(b[lane]);
                smallest[lane] = smallest[lane].min(value);
            }
        }
        least[at..at + LANES].copy_from_slice(&smallest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: std::ops::Range<u32>) -> String {
        range.map(|number| format!("w{number} ")).collect()
    }

    #[test]
    fn the_share_of_equal_rows_estimates_the_jaccard_similarity_of_shingle_sets() {
        // 1996 shingles each, 1496 shared: Jaccard 1496 / 2496 = 0.599.
        let sketch = Sketch::new(1, 1024, 5, 7);
        let sign = |text: String| {
            let mut scratch = Scratch::default();
            assert!(sketch.sign(&text, &mut scratch));
            scratch.least
        };
        let (a, b) = (sign(numbered(0..2000)), sign(numbered(500..2500)));
        let equal = a.iter().zip(&b).filter(|(a, b)| a == b).count();
        let estimate = equal as f64 / a.len() as f64;
        assert!((estimate - 0.599).abs() < 0.05, "{estimate}");
    }

    #[test]
    fn every_instruction_set_finds_the_same_least_values() {
        let mut scratch = Scratch::default();
        for (hashes, words) in [(1, 1), (10, 40), (112, 333)] {
            let sketch = Sketch::new(1, hashes, 5, 3);
            let text = numbered(0..words);
            sketch.sign(&text, &mut scratch);
            let mut slow = vec![i64::MAX; sketch.factors.len()];
            for &shingle in &scratch.shingles {
                for (i, least) in slow.iter_mut().enumerate() {
                    let product = (shingle as i128 * sketch.factors[i] as i128) as i64;
                    *least = (*least).min(product.wrapping_add(sketch.shifts[i]));
                }
            }
            assert_eq!(scratch.least, slow);
        }
    }

    #[test]
    fn bands_have_keys_of_their_own_and_a_text_without_words_has_none() {
        let sketch = Sketch::new(2, 1, 5, 1);
        let mut scratch = Scratch::default();
        let (mut a, mut b) = ([0; 2], [0; 2]);
        assert!(sketch.keys("One, two", &mut scratch, &mut a));
        assert!(sketch.keys("one TWO", &mut scratch, &mut b));
        assert_eq!(a, b);
        assert_ne!(a[0], a[1]);
        assert!(!sketch.keys("…!", &mut scratch, &mut a));
    }
}
