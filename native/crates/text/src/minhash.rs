//! MinHash signatures and the clusters that locality-sensitive hashing finds in them; hashes for exact duplicates.

use crate::words::{Word, for_each_ngram, mix, split_words};
use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The signature of a text without a word.
const NO_WORDS: u32 = u32::MAX;

/// Two 64-bit halves for each text: the hash of its words, or of its bytes where it has no word.
pub fn text_hashes(texts: &[String]) -> Vec<u64> {
    texts
        .par_iter()
        .map_init(
            || (Vec::new(), Vec::new()),
            |(words, bytes): &mut (Vec<Word>, Vec<u8>), text| {
                split_words(text, usize::MAX, words);
                bytes.clear();
                bytes.extend(words.iter().flat_map(|word| word.hash.to_le_bytes()));
                let hash = xxh3_128(if words.is_empty() {
                    text.as_bytes()
                } else {
                    bytes
                });
                [(hash >> 64) as u64, hash as u64]
            },
        )
        .collect::<Vec<_>>()
        .concat()
}

/// [texts x hashes]: for each of `hashes` functions the least value over the text's word n-grams. Shingles are 64-bit;
/// a function maps both their halves, mod 2^32, with factors drawn from the seed. A shorter text is one shingle.
pub fn signatures(texts: &[String], ngram: usize, hashes: usize, seed: u64) -> Vec<u32> {
    let factors = Factors::draw(hashes, seed);
    let mut all = vec![NO_WORDS; texts.len() * hashes];
    all.par_chunks_mut(hashes.max(1))
        .zip(texts.par_iter())
        .for_each_init(
            || (Vec::new(), Vec::new()),
            |(words, shingles): &mut (Vec<Word>, Vec<u64>), (signature, text)| {
                split_words(text, usize::MAX, words);
                shingles.clear();
                let n = ngram.min(words.len());
                for_each_ngram(
                    |at| words[at].hash,
                    words.len(),
                    n,
                    |_, hash| shingles.push(hash),
                );
                factors.least(shingles, signature);
            },
        );
    all
}

struct Factors {
    low: Vec<u32>,
    high: Vec<u32>,
    shift: Vec<u32>,
}

impl Factors {
    fn draw(hashes: usize, seed: u64) -> Self {
        let mut state = mix(seed ^ 0x5851_f42d_4c95_7f2d);
        let mut next = || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            (mix(state) >> 32) as u32
        };
        Self {
            low: (0..hashes).map(|_| next() | 1).collect(),
            high: (0..hashes).map(|_| next()).collect(),
            shift: (0..hashes).map(|_| next()).collect(),
        }
    }

    fn least(&self, shingles: &[u64], signature: &mut [u32]) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has AVX2.
            unsafe { self.least_avx2(shingles, signature) };
            return;
        }
        self.least_anywhere(shingles, signature);
    }

    /// The same arithmetic, compiled for 8 lanes with a 32-bit multiply.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    unsafe fn least_avx2(&self, shingles: &[u64], signature: &mut [u32]) {
        self.least_anywhere(shingles, signature);
    }

    #[inline(always)]
    fn least_anywhere(&self, shingles: &[u64], signature: &mut [u32]) {
        let count = signature.len();
        let (low, high, shift) = (
            &self.low[..count],
            &self.high[..count],
            &self.shift[..count],
        );
        for &shingle in shingles {
            let (lower, upper) = (shingle as u32, (shingle >> 32) as u32);
            for i in 0..count {
                let product = lower
                    .wrapping_mul(low[i])
                    .wrapping_add(upper.wrapping_mul(high[i]));
                signature[i] = signature[i].min(product.wrapping_add(shift[i]));
            }
        }
    }
}

pub struct Clusters {
    /// For each document the one that its cluster keeps.
    pub kept: Vec<i32>,
    /// The best agreement with one of the cluster that was met in a bucket.
    pub similarity: Vec<f32>,
    pub to_kept: Vec<f32>,
}

/// Documents that agree on all rows of a band are compared by their whole signatures and, from `min_similarity` on,
/// joined. Of each cluster the document with the highest priority is kept, the first of equals.
pub fn clusters(
    signatures: &[u32],
    bands: usize,
    rows: usize,
    min_similarity: f64,
    priorities: &[f64],
) -> Clusters {
    let width = bands * rows;
    let count = priorities.len();
    let signature =
        |document: u32| &signatures[document as usize * width..(document as usize + 1) * width];
    let with_words: Vec<u32> = (0..count as u32)
        .filter(|&document| signature(document).iter().any(|&value| value != NO_WORDS))
        .collect();
    let mut joined = UnionFind::new(count);
    let mut similarity = vec![0f32; count];
    let mut buckets: Vec<(u64, u32)> = Vec::new();
    let mut leaders: Vec<u32> = Vec::new();
    for band in 0..bands {
        buckets.clear();
        with_words
            .par_iter()
            .map(|&document| {
                let rows = &signature(document)[band * rows..(band + 1) * rows];
                let bytes: Vec<u8> = rows.iter().flat_map(|value| value.to_le_bytes()).collect();
                (xxh3_64(&bytes), document)
            })
            .collect_into_vec(&mut buckets);
        buckets.par_sort_unstable();
        for bucket in buckets.chunk_by(|a, b| a.0 == b.0) {
            leaders.clear();
            for &(_, document) in bucket {
                join_one(
                    document,
                    &mut leaders,
                    &mut joined,
                    &mut similarity,
                    min_similarity,
                    signature,
                );
            }
        }
    }
    choose(&mut joined, similarity, priorities, signature)
}

/// Documents of one bucket that are too different from each other are remembered up to this many.
const MOST_LEADERS: usize = 32;

fn join_one<'a>(
    document: u32,
    leaders: &mut Vec<u32>,
    joined: &mut UnionFind,
    similarity: &mut [f32],
    min_similarity: f64,
    signature: impl Fn(u32) -> &'a [u32],
) {
    for &leader in leaders.iter() {
        if joined.root(leader) == joined.root(document) {
            return;
        }
        let agreement = agreement(signature(leader), signature(document));
        if f64::from(agreement) >= min_similarity {
            for one in [leader, document] {
                similarity[one as usize] = similarity[one as usize].max(agreement);
            }
            joined.join(leader, document);
            return;
        }
    }
    if leaders.len() < MOST_LEADERS {
        leaders.push(document);
    }
}

fn choose<'a>(
    joined: &mut UnionFind,
    similarity: Vec<f32>,
    priorities: &[f64],
    signature: impl Fn(u32) -> &'a [u32],
) -> Clusters {
    let count = priorities.len();
    let mut best: Vec<u32> = (0..count as u32).collect();
    let roots: Vec<u32> = (0..count as u32)
        .map(|document| joined.root(document))
        .collect();
    for (document, &root) in roots.iter().enumerate() {
        let current = best[root as usize] as usize;
        let higher = priorities[document] > priorities[current];
        let earlier = priorities[document] == priorities[current] && document < current;
        if higher || earlier {
            best[root as usize] = document as u32;
        }
    }
    let kept: Vec<i32> = roots
        .iter()
        .map(|&root| best[root as usize] as i32)
        .collect();
    let to_kept = kept
        .iter()
        .enumerate()
        .map(|(document, &kept)| agreement(signature(document as u32), signature(kept as u32)))
        .collect();
    Clusters {
        kept,
        similarity,
        to_kept,
    }
}

/// The estimate of the Jaccard similarity: the share of equal values.
fn agreement(a: &[u32], b: &[u32]) -> f32 {
    let equal = a.iter().zip(b).filter(|(a, b)| a == b).count();
    equal as f32 / a.len().max(1) as f32
}

struct UnionFind {
    parents: Vec<u32>,
}

impl UnionFind {
    fn new(count: usize) -> Self {
        Self {
            parents: (0..count as u32).collect(),
        }
    }

    fn root(&mut self, mut document: u32) -> u32 {
        while self.parents[document as usize] != document {
            let parent = self.parents[document as usize];
            self.parents[document as usize] = self.parents[parent as usize];
            document = parent;
        }
        document
    }

    /// The lower number becomes the root: the outcome does not hang on the order of joins.
    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(range: std::ops::Range<u32>) -> String {
        range.map(|number| format!("w{number} ")).collect()
    }

    #[test]
    fn estimates_the_jaccard_similarity_of_shingle_sets() {
        // 1996 shingles each, 1496 shared: Jaccard 1496 / 2496 = 0.599.
        let texts = [numbered(0..2000), numbered(500..2500)];
        let signatures = signatures(&texts, 5, 1024, 7);
        let estimate = agreement(&signatures[..1024], &signatures[1024..]);
        assert!((estimate - 0.599).abs() < 0.06, "{estimate}");
    }

    #[test]
    fn joins_near_duplicates_and_keeps_the_preferred_one() {
        let near = numbered(0..1000) + "tail";
        let texts = [
            numbered(0..1000),
            numbered(5000..6000),
            near,
            String::new(),
            String::new(),
        ];
        let signatures = signatures(&texts, 5, 112, 1);
        let first = clusters(&signatures, 14, 8, 0.7, &[0.0; 5]);
        assert_eq!(first.kept, [0, 1, 0, 3, 4]);
        let preferred = clusters(&signatures, 14, 8, 0.7, &[0.0, 0.0, 1.0, 0.0, 0.0]);
        assert_eq!(preferred.kept, [2, 1, 2, 3, 4]);
        assert!(preferred.to_kept[0] > 0.9);
    }
}
