//! What was found, once all passes are over: who stays, with what cluster, as lines and as the segment of an index.

use super::ids::Cursor;
use super::spill::{PARTS, Pair};
use super::{Deduplicator, EMPTY};
use crate::jsonl::Texts;
use rayon::prelude::*;
use std::io;
use std::sync::atomic::Ordering;

/// How far the lines of all documents have come.
#[derive(Default)]
pub struct Output {
    next: u32,
    cursor: Cursor,
}

impl Deduplicator {
    /// For each document the first of its cluster.
    pub fn roots(&self) -> Vec<u32> {
        let joined = self.found.as_ref().map(|found| &found.joined);
        (0..self.documents)
            .map(|document| joined.map_or(document, |joined| joined.root(document)))
            .collect()
    }

    /// For each document the best verified similarity that joined it to another; 0 where none did.
    pub fn similarity(&self) -> Vec<f32> {
        let candidates = self.candidates();
        candidates.map_or(Vec::new(), |candidates| {
            let bits = candidates.similarity.iter();
            bits.map(|bits| f32::from_bits(bits.load(Ordering::Relaxed)))
                .collect()
        })
    }

    /// The true Jaccard similarity of documents that were verified.
    pub fn jaccard(&self, pairs: &[(u32, u32)]) -> io::Result<Vec<f32>> {
        let Some(candidates) = self.candidates() else {
            return Err(io::Error::other("nothing was verified"));
        };
        let shingles = &candidates.shingles;
        if pairs.iter().any(|&(a, b)| {
            a >= self.documents || b >= self.documents || !shingles.wants(a) || !shingles.wants(b)
        }) {
            return Err(io::Error::other("a document that was not verified"));
        }
        pairs
            .par_iter()
            .map_init(Default::default, |scratch: &mut [Vec<u8>; 2], &(a, b)| {
                shingles.jaccard(a, b, scratch)
            })
            .collect()
    }

    /// How many documents stay, and how many clusters have more than one document or an earlier one.
    pub fn counts(&self) -> (u32, u32) {
        let mut kept = 0;
        let mut sizes = vec![false; self.documents as usize];
        let mut clusters = 0;
        for document in 0..self.documents {
            let (root, keep) = self.place(document);
            kept += u32::from(keep);
            if !keep && !std::mem::replace(&mut sizes[root as usize], true) {
                clusters += 1;
            }
        }
        (kept, clusters)
    }

    /// About `bytes` bytes of lines `{"id","keep","cluster"}`, going on where the last call ended; empty at the end.
    pub fn output(&mut self, bytes: usize) -> io::Result<Vec<u8>> {
        let mut output = std::mem::take(&mut self.output);
        let mut lines = Vec::with_capacity(bytes + 256);
        while output.next < self.documents && lines.len() < bytes {
            let (root, keep) = self.place(output.next);
            lines.extend_from_slice(b"{\"id\":");
            lines.extend_from_slice(output.cursor.next(&self.ids)?);
            let rest = format!(",\"keep\":{keep},\"cluster\":{}}}\n", self.cluster(root));
            lines.extend_from_slice(rest.as_bytes());
            output.next += 1;
        }
        self.output = output;
        Ok(lines)
    }

    /// Lines `{"id","text"}` of those documents that stay: the same documents in the same order as they were added.
    pub fn kept_lines(&mut self, texts: &Texts) -> io::Result<Vec<u8>> {
        let first = self.next_text;
        if texts.len() as u64 + u64::from(first) > u64::from(self.documents) {
            return Err(io::Error::other("more documents than in the first pass"));
        }
        self.next_text += texts.len() as u32;
        Ok(texts.lines_of(|document| self.place(first + document as u32).1))
    }

    /// The keys of this run that the index has not, with the first document of their cluster: the bytes of a segment of an
    /// index, piece by piece; `None` at the end. A piece may be empty.
    pub fn segment_piece(&mut self) -> io::Result<Option<Vec<u8>>> {
        let part = self.segment_parts;
        if part > PARTS {
            return Ok(None);
        }
        self.segment_parts += 1;
        if part == PARTS {
            return Ok(Some(std::mem::take(&mut self.segment_table).end()));
        }
        let mut pairs: Vec<Pair> = Vec::new();
        self.each_key(part, |key, old, documents| {
            if old.is_none() {
                let clusters = documents.iter().map(|&document| {
                    let (root, _) = self.place(document);
                    self.cluster(root)
                });
                pairs.push((key, clusters.min().unwrap_or(EMPTY)));
            }
        })?;
        Ok(Some(self.segment_table.part(&pairs)))
    }

    /// The root of a document and whether it stays.
    fn place(&self, document: u32) -> (u32, bool) {
        let Some(found) = &self.found else {
            return (document, true);
        };
        let root = found.joined.root(document);
        let is_new = found
            .earlier
            .get(root as usize)
            .is_none_or(|old| old.load(Ordering::Relaxed) == EMPTY);
        (root, root == document && is_new)
    }

    /// The number of a root's cluster: that of its first document in all runs.
    fn cluster(&self, root: u32) -> u32 {
        let earlier = self
            .found
            .as_ref()
            .and_then(|found| found.earlier.get(root as usize))
            .map_or(EMPTY, |old| old.load(Ordering::Relaxed));
        if earlier == EMPTY {
            self.first + root
        } else {
            earlier
        }
    }
}
