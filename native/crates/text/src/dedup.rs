//! Duplicates in more documents than the memory holds: keys of bands go to a spill, documents that share one are joined
//! by union-find; what stays in memory is 4 bytes a document.

mod ids;
mod results;
mod scratch_file;
mod segment;
mod shingle_store;
mod spill;
mod union_find;
mod units;

pub use segment::Segment;
pub use units::{Unit, UnitDeduplicator, UnitTotals};

use crate::jsonl::Texts;
use crate::minhash::{Scratch, Sketch, text_hash};
use ids::Ids;
use rayon::prelude::*;
use results::Output;
use segment::SegmentTable;
use shingle_store::{ShingleStore, shingle_set};
use spill::{PARTS, Pair, Spill};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use union_find::UnionFind;

/// What two documents have in common that are duplicates.
pub enum Likeness {
    /// All words in the same order (the first 64 bits of `text_hash`).
    Exact,
    /// All rows of a band of their MinHash signatures.
    Near(Sketch),
}

/// The passes: `add` every batch; `link`; with verification `add_shingles` of every batch again and `verify`; then the
/// results.
pub struct Deduplicator {
    likeness: Likeness,
    folder: PathBuf,
    /// Bytes that each kind of data may hold in memory before it goes to the disk.
    budget: usize,
    /// Earlier runs, and how many documents they had: theirs are the numbers below.
    segments: Vec<Segment>,
    first: u32,
    documents: u32,
    wordless: u32,
    keys: Spill,
    ids: Ids,
    found: Option<Found>,
    output: Output,
    /// The next document whose line with its text is asked for.
    next_text: u32,
    segment_table: SegmentTable,
    segment_parts: usize,
}

struct Found {
    joined: UnionFind,
    /// The least number of an earlier document that the cluster of a root has; EMPTY where there is none.
    earlier: Vec<AtomicU32>,
    /// With verification: pairs to be compared and what they need.
    candidates: Option<Candidates>,
}

struct Candidates {
    edges: Spill,
    shingles: ShingleStore,
    /// The next document whose shingles come.
    next: u32,
    /// The bits of the best similarity of each document: those of positive floats are ordered as the floats are.
    similarity: Vec<AtomicU32>,
}

const EMPTY: u32 = u32::MAX;

impl Deduplicator {
    pub fn new(
        likeness: Likeness,
        folder: PathBuf,
        budget: usize,
        segments: Vec<Segment>,
        first: u32,
    ) -> Self {
        Self {
            likeness,
            budget,
            segments,
            first,
            documents: 0,
            wordless: 0,
            keys: Spill::new(&folder, budget),
            ids: Ids::new(&folder, budget),
            folder,
            found: None,
            output: Output::default(),
            next_text: 0,
            segment_table: SegmentTable::default(),
            segment_parts: 0,
        }
    }

    pub fn documents(&self) -> u32 {
        self.documents
    }

    /// Documents without a word, which are no near-duplicates of anything.
    pub fn wordless(&self) -> u32 {
        self.wordless
    }

    /// Bytes on the disk.
    pub fn spilled(&self) -> u64 {
        let candidates = self.candidates();
        self.keys.spilled()
            + self.ids.spilled()
            + candidates.map_or(0, |c| c.edges.spilled() + c.shingles.spilled())
    }

    /// Takes the keys and ids of the next documents.
    pub fn add(&mut self, texts: &Texts) -> io::Result<()> {
        if texts.len() as u64 + u64::from(self.documents) + u64::from(self.first)
            >= u64::from(u32::MAX)
        {
            return Err(io::Error::other("more than 4 billion documents"));
        }
        let bands = match &self.likeness {
            Likeness::Exact => 1,
            Likeness::Near(sketch) => sketch.bands(),
        };
        let mut keys = vec![0u64; texts.len() * bands];
        let mut has_words = vec![true; texts.len()];
        keys.par_chunks_mut(bands)
            .zip(has_words.par_iter_mut())
            .enumerate()
            .for_each_init(
                Scratch::default,
                |scratch, (document, (keys, has_words))| {
                    let text = texts.text(document);
                    match &self.likeness {
                        Likeness::Exact => keys[0] = (text_hash(text, scratch) >> 64) as u64,
                        Likeness::Near(sketch) => *has_words = sketch.keys(text, scratch, keys),
                    }
                },
            );
        for (document, keys) in keys.chunks_exact(bands).enumerate() {
            self.ids.push(texts.id_json(document))?;
            if has_words[document] {
                for &key in keys {
                    self.keys.push((key, self.documents))?;
                }
            } else {
                self.wordless += 1;
            }
            self.documents += 1;
        }
        Ok(())
    }

    /// Joins documents that share a key; with `verify` it only remembers their pairs.
    pub fn link(&mut self, verify: bool) -> io::Result<()> {
        let count = self.documents as usize;
        let tracked = if self.segments.is_empty() { 0 } else { count };
        let joined = UnionFind::new(count);
        let earlier: Vec<AtomicU32> = (0..tracked).map(|_| AtomicU32::new(EMPTY)).collect();
        let mut edges = Spill::new(&self.folder, self.budget);
        let mut wanted = vec![0u64; count.div_ceil(64)];
        // A few parts at a time: each is sorted in memory.
        for parts in (0..PARTS).collect::<Vec<_>>().chunks(PARTS_AT_ONCE) {
            let found: Vec<Vec<(u32, u32)>> = parts
                .par_iter()
                .map(|&part| {
                    let mut pairs = Vec::new();
                    self.each_bucket(part, |_, old, documents| {
                        if let Some(old) = old {
                            for &document in documents {
                                earlier[document as usize].fetch_min(old, Ordering::Relaxed);
                            }
                        }
                        for (at, &document) in documents.iter().enumerate().skip(1) {
                            if verify {
                                pairs.push((documents[0], document));
                                if at > 1 {
                                    pairs.push((documents[at - 1], document));
                                }
                            } else {
                                joined.join(documents[0], document);
                            }
                        }
                    })?;
                    Ok(pairs)
                })
                .collect::<io::Result<_>>()?;
            for (a, b) in found.into_iter().flatten() {
                wanted[a as usize / 64] |= 1 << (a % 64);
                wanted[b as usize / 64] |= 1 << (b % 64);
                edges.push((u64::from(a) * self.edge_step(), b))?;
            }
        }
        for document in 0..tracked {
            let old = earlier[document].load(Ordering::Relaxed);
            earlier[joined.root(document as u32) as usize].fetch_min(old, Ordering::Relaxed);
        }
        let candidates = verify.then(|| Candidates {
            edges,
            shingles: ShingleStore::new(wanted, &self.folder, self.budget),
            next: 0,
            similarity: (0..count).map(|_| AtomicU32::new(0)).collect(),
        });
        self.found = Some(Found {
            joined,
            earlier,
            candidates,
        });
        Ok(())
    }

    /// Pairs to be verified, once they are found and where that was asked for.
    fn candidates(&self) -> Option<&Candidates> {
        self.found.as_ref()?.candidates.as_ref()
    }

    /// Takes the shingles of candidates: the same documents in the same order as they were added.
    pub fn add_shingles(&mut self, texts: &Texts) -> io::Result<()> {
        let Some(candidates) = self
            .found
            .as_mut()
            .and_then(|found| found.candidates.as_mut())
        else {
            return Err(io::Error::other("nothing is to be verified"));
        };
        let next = candidates.next;
        if texts.len() as u64 + u64::from(next) > u64::from(self.documents) {
            return Err(io::Error::other("more documents than in the first pass"));
        }
        let Likeness::Near(sketch) = &self.likeness else {
            return Err(io::Error::other("exact duplicates need no verification"));
        };
        let shingles = &candidates.shingles;
        let sets: Vec<Option<Vec<u32>>> = (0..texts.len() as u32)
            .into_par_iter()
            .map_init(Scratch::default, |scratch, document| {
                shingles.wants(next + document).then(|| {
                    shingle_set(scratch.shingle(texts.text(document as usize), sketch.ngram()))
                })
            })
            .collect();
        for set in sets.iter().flatten() {
            candidates.shingles.push(set)?;
        }
        candidates.next += texts.len() as u32;
        Ok(())
    }

    /// Joins the candidates whose sets of shingles have this Jaccard similarity or more.
    pub fn verify(&mut self, threshold: f64) -> io::Result<()> {
        let step = self.edge_step();
        let Some(Found {
            joined,
            candidates: Some(candidates),
            ..
        }) = &self.found
        else {
            return Err(io::Error::other("nothing is to be verified"));
        };
        if !candidates.shingles.is_complete() {
            return Err(io::Error::other("fewer documents than in the first pass"));
        }
        for part in 0..PARTS {
            let mut edges = candidates.edges.part(part)?;
            edges.dedup();
            edges.par_iter().try_for_each_init(
                Default::default,
                |scratch: &mut [Vec<u8>; 2], &(key, b)| {
                    let a = (key / step) as u32;
                    let similarity = candidates.shingles.jaccard(a, b, scratch)?;
                    if f64::from(similarity) >= threshold {
                        joined.join(a, b);
                        for one in [a, b] {
                            candidates.similarity[one as usize]
                                .fetch_max(similarity.to_bits(), Ordering::Relaxed);
                        }
                    }
                    Ok::<(), io::Error>(())
                },
            )?;
        }
        Ok(())
    }

    /// Every key of a part that two documents have, or one and the index.
    fn each_bucket(
        &self,
        part: usize,
        mut each: impl FnMut(u64, Option<u32>, &[u32]),
    ) -> io::Result<()> {
        self.each_key(part, |key, old, documents| {
            if old.is_some() || documents.len() > 1 {
                each(key, old, documents);
            }
        })
    }

    /// Every key of a part with the earlier document that has it and those of this run.
    fn each_key(
        &self,
        part: usize,
        mut each: impl FnMut(u64, Option<u32>, &[u32]),
    ) -> io::Result<()> {
        let mut earlier: Vec<Pair> = Vec::new();
        for segment in &self.segments {
            segment.part(part, &mut earlier)?;
        }
        earlier.sort_unstable();
        let pairs = self.keys.part(part)?;
        let mut documents = Vec::new();
        let mut at = 0;
        for bucket in pairs.chunk_by(|a, b| a.0 == b.0) {
            let key = bucket[0].0;
            while at < earlier.len() && earlier[at].0 < key {
                at += 1;
            }
            let old = earlier.get(at).filter(|pair| pair.0 == key);
            documents.clear();
            documents.extend(bucket.iter().map(|pair| pair.1));
            each(key, old.map(|pair| pair.1), &documents);
        }
        Ok(())
    }

    /// Edges are parted by their first document: its number times this is their key.
    fn edge_step(&self) -> u64 {
        u64::MAX / u64::from(self.documents.max(1))
    }
}

const PARTS_AT_ONCE: usize = 8;

#[cfg(test)]
mod tests;
