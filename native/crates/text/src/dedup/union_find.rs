//! Which documents belong together, joined from several threads without a lock.

use std::sync::atomic::{AtomicU32, Ordering};

/// A parent never has a higher number than its child: the root of a cluster is its first document, in whatever order
/// the joins came (Anderson and Woll 1991, with links by number).
pub struct UnionFind {
    parents: Vec<AtomicU32>,
}

impl UnionFind {
    pub fn new(count: usize) -> Self {
        Self {
            parents: (0..count as u32).map(AtomicU32::new).collect(),
        }
    }

    pub fn root(&self, mut one: u32) -> u32 {
        loop {
            let parent = self.parents[one as usize].load(Ordering::Relaxed);
            if parent == one {
                return one;
            }
            let above = self.parents[parent as usize].load(Ordering::Relaxed);
            // Halves the path; that another thread was faster does no harm.
            self.parents[one as usize].fetch_min(above, Ordering::Relaxed);
            one = above;
        }
    }

    pub fn join(&self, a: u32, b: u32) {
        loop {
            let (a, b) = (self.root(a), self.root(b));
            if a == b {
                return;
            }
            let (low, high) = (a.min(b), a.max(b));
            let linked = self.parents[high as usize].compare_exchange(
                high,
                low,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if linked.is_ok() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::mix;
    use rayon::prelude::*;

    #[test]
    fn joins_of_many_threads_end_as_those_of_one() {
        let count = 50_000;
        let pairs: Vec<(u32, u32)> = (0..40_000u64)
            .map(|i| ((mix(i) % count) as u32, (mix(!i) % count) as u32))
            .collect();
        let (together, alone) = (
            UnionFind::new(count as usize),
            UnionFind::new(count as usize),
        );
        pairs.par_iter().for_each(|&(a, b)| together.join(a, b));
        pairs.iter().rev().for_each(|&(a, b)| alone.join(a, b));
        let roots = |found: &UnionFind| -> Vec<u32> {
            (0..count as u32).map(|one| found.root(one)).collect()
        };
        assert!(roots(&together) == roots(&alone));
        // A slow check on the begin of the list: flooding labels.
        let mut labels: Vec<u32> = (0..count as u32).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for &(a, b) in &pairs {
                let least = labels[a as usize].min(labels[b as usize]);
                changed |= labels[a as usize] != least || labels[b as usize] != least;
                labels[a as usize] = least;
                labels[b as usize] = least;
            }
        }
        assert!(roots(&together) == labels);
    }
}
