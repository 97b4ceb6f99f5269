//! A table that counts 64-bit hashes, used over and over.

/// Open addressing in one block that is wiped between uses.
#[derive(Default)]
pub struct HashCounts {
    entries: Vec<Entry>,
    mask: usize,
}

#[derive(Clone, Copy, Default)]
pub struct Entry {
    /// 0 for an empty place.
    hash: u64,
    pub count: u32,
    /// The place given with the first coming.
    pub first: u32,
}

impl HashCounts {
    /// Empties the table and makes room for this many different hashes.
    pub fn clear(&mut self, hashes: usize) {
        let wanted = (hashes + hashes / 2 + 2).next_power_of_two();
        // One huge text must not slow down or fatten all that come after it.
        if self.entries.len() < wanted || self.entries.len() > MOST_KEPT && wanted < MOST_KEPT / 2 {
            self.entries = vec![Entry::default(); wanted];
        } else {
            self.entries[..wanted].fill(Entry::default());
        }
        self.mask = wanted - 1;
    }

    /// Counts a hash; the answer is where its entry is.
    #[inline]
    pub fn count(&mut self, hash: u64, place: u32) -> u32 {
        let hash = hash.max(1);
        let mut at = hash as usize & self.mask;
        loop {
            let entry = &mut self.entries[at];
            if entry.hash == hash {
                entry.count += 1;
                return at as u32;
            }
            if entry.hash == 0 {
                *entry = Entry {
                    hash,
                    count: 1,
                    first: place,
                };
                return at as u32;
            }
            at = (at + 1) & self.mask;
        }
    }

    #[inline]
    pub fn entry(&mut self, at: u32) -> &mut Entry {
        &mut self.entries[at as usize]
    }
}

const MOST_KEPT: usize = 1 << 18;
