//! The shingle sets of documents that share a band with another, for their true Jaccard similarity.

use super::scratch_file::ScratchFile;
use std::io;
use std::path::Path;

/// A shingle is kept as 32 bits of its 64: two sets of n shingles then have n^2 / 2^32 too many in common by chance,
/// under a thousandth of them up to 4 million words.
pub struct ShingleStore {
    /// A bit for each document that has a set, and how many have one before each 64 of them.
    wanted: Vec<u64>,
    ranks: Vec<u32>,
    /// Where the set of each of them begins, in shingles.
    starts: Vec<u64>,
    file: ScratchFile,
    waiting: Vec<u8>,
    budget: usize,
}

impl ShingleStore {
    pub fn new(wanted: Vec<u64>, folder: &Path, budget: usize) -> Self {
        let mut before = 0;
        let ranks = wanted
            .iter()
            .map(|bits| {
                let rank = before;
                before += bits.count_ones();
                rank
            })
            .collect();
        Self {
            wanted,
            ranks,
            starts: vec![0],
            file: ScratchFile::new(folder),
            waiting: Vec::new(),
            budget,
        }
    }

    pub fn wants(&self, document: u32) -> bool {
        self.wanted[document as usize / 64] >> (document % 64) & 1 == 1
    }

    /// Sets come in the order of the documents.
    pub fn push(&mut self, set: &[u32]) -> io::Result<()> {
        let bytes = set.iter().flat_map(|shingle| shingle.to_le_bytes());
        self.waiting.extend(bytes);
        let start = self.starts.last().copied().unwrap_or(0);
        self.starts.push(start + set.len() as u64);
        if self.waiting.len() >= self.budget {
            self.file.append(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    pub fn spilled(&self) -> u64 {
        self.file.length()
    }

    /// Whether every document that was wanted came.
    pub fn is_complete(&self) -> bool {
        let wanted: usize = self
            .wanted
            .iter()
            .map(|bits| bits.count_ones() as usize)
            .sum();
        self.starts.len() == wanted + 1
    }

    pub fn jaccard(&self, a: u32, b: u32, scratch: &mut [Vec<u8>; 2]) -> io::Result<f32> {
        let [first, second] = scratch;
        self.read(a, first)?;
        self.read(b, second)?;
        Ok(jaccard(first, second))
    }

    fn read(&self, document: u32, bytes: &mut Vec<u8>) -> io::Result<()> {
        let word = document as usize / 64;
        let below = self.wanted[word] & ((1 << (document % 64)) - 1);
        let rank = (self.ranks[word] + below.count_ones()) as usize;
        let (start, end) = (4 * self.starts[rank], 4 * self.starts[rank + 1]);
        let on_disk = self.file.length();
        bytes.clear();
        if start >= on_disk {
            let range = (start - on_disk) as usize..(end - on_disk) as usize;
            bytes.extend_from_slice(&self.waiting[range]);
            return Ok(());
        }
        bytes.resize((end - start) as usize, 0);
        self.file.read_at(start, bytes)
    }
}

/// The set of a text's shingles, sorted.
pub fn shingle_set(shingles: &[u64]) -> Vec<u32> {
    let mut set: Vec<u32> = shingles.iter().map(|&shingle| shingle as u32).collect();
    set.sort_unstable();
    set.dedup();
    set
}

/// |A and B| / |A or B| of two sorted sets of little-endian 32-bit numbers.
fn jaccard(a: &[u8], b: &[u8]) -> f32 {
    let numbers = |bytes: &[u8], at: usize| {
        u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
    };
    let (mut i, mut j, mut shared) = (0, 0, 0usize);
    while i < a.len() && j < b.len() {
        let (x, y) = (numbers(a, i), numbers(b, j));
        shared += usize::from(x == y);
        i += 4 * usize::from(x <= y);
        j += 4 * usize::from(y <= x);
    }
    let all = (a.len() + b.len()) / 4 - shared;
    shared as f32 / all.max(1) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn gives_the_jaccard_similarity_of_the_sets_wherever_they_lie() {
        let sets: Vec<Vec<u32>> = (0..130u32)
            .map(|i| (0..i * 7 % 90).map(|k| (i / 10 + k) * k % 101).collect())
            .map(|set: Vec<u32>| {
                shingle_set(&set.iter().map(|&x| u64::from(x)).collect::<Vec<_>>())
            })
            .collect();
        let wanted = |i: usize| !i.is_multiple_of(3);
        let mut bits = vec![0u64; 3];
        (0..130)
            .filter(|&i| wanted(i))
            .for_each(|i| bits[i / 64] |= 1 << (i % 64));
        for budget in [1, 2_000, usize::MAX] {
            let mut store = ShingleStore::new(bits.clone(), &std::env::temp_dir(), budget);
            (0..130)
                .filter(|&i| store.wants(i as u32))
                .for_each(|i| assert!(wanted(i)));
            (0..130)
                .filter(|&i| wanted(i))
                .for_each(|i| store.push(&sets[i]).unwrap());
            assert!(store.is_complete());
            for (a, b) in [(1, 2), (64, 128), (127, 1), (7, 7)] {
                let (first, second): (HashSet<_>, HashSet<_>) =
                    (sets[a].iter().collect(), sets[b].iter().collect());
                let shared = first.intersection(&second).count() as f32;
                let all = first.union(&second).count() as f32;
                let found = store
                    .jaccard(a as u32, b as u32, &mut Default::default())
                    .unwrap();
                assert!((found - shared / all).abs() < 1e-6, "{a} {b}");
            }
        }
    }
}
