//! Pairs of a 64-bit key and a document, more than the memory holds: parted by the key's first bits, appended to one
//! file, read back a part at a time.

use super::scratch_file::ScratchFile;
use std::io;
use std::path::Path;

/// Each part is sorted in memory: at 100 million documents and 14 bands it has 5.5 million pairs.
pub const PARTS: usize = 256;

pub fn part_of(key: u64) -> usize {
    (key >> 56) as usize
}

pub type Pair = (u64, u32);

pub struct Spill {
    file: ScratchFile,
    parts: Vec<Part>,
    held: usize,
    /// Bytes that may wait in memory.
    budget: usize,
}

#[derive(Default)]
struct Part {
    waiting: Vec<u8>,
    /// Where in the file its pieces are: offset and bytes.
    pieces: Vec<(u64, usize)>,
}

const PAIR_BYTES: usize = 12;

impl Spill {
    pub fn new(folder: &Path, budget: usize) -> Self {
        Self {
            file: ScratchFile::new(folder),
            parts: (0..PARTS).map(|_| Part::default()).collect(),
            held: 0,
            budget,
        }
    }

    pub fn push(&mut self, (key, document): Pair) -> io::Result<()> {
        let waiting = &mut self.parts[part_of(key)].waiting;
        waiting.extend_from_slice(&key.to_le_bytes());
        waiting.extend_from_slice(&document.to_le_bytes());
        self.held += PAIR_BYTES;
        if self.held >= self.budget {
            return self.write_out();
        }
        Ok(())
    }

    /// Bytes on the disk.
    pub fn spilled(&self) -> u64 {
        self.file.length()
    }

    /// The pairs of one part, sorted.
    pub fn part(&self, number: usize) -> io::Result<Vec<Pair>> {
        let part = &self.parts[number];
        let on_disk: usize = part.pieces.iter().map(|&(_, length)| length).sum();
        let mut pairs = Vec::with_capacity((on_disk + part.waiting.len()) / PAIR_BYTES);
        let mut piece = Vec::new();
        for &(offset, length) in &part.pieces {
            piece.resize(length, 0);
            self.file.read_at(offset, &mut piece)?;
            pairs.extend(pairs_in(&piece));
        }
        pairs.extend(pairs_in(&part.waiting));
        pairs.sort_unstable();
        Ok(pairs)
    }

    fn write_out(&mut self) -> io::Result<()> {
        for part in &mut self.parts {
            if !part.waiting.is_empty() {
                let offset = self.file.append(&part.waiting)?;
                part.pieces.push((offset, part.waiting.len()));
                part.waiting.clear();
            }
        }
        self.held = 0;
        Ok(())
    }
}

pub fn pairs_in(bytes: &[u8]) -> impl Iterator<Item = Pair> {
    bytes.chunks_exact(PAIR_BYTES).map(|pair| {
        let (key, document) = pair.split_at(8);
        let key = u64::from_le_bytes(key.try_into().unwrap_or_default());
        (
            key,
            u32::from_le_bytes(document.try_into().unwrap_or_default()),
        )
    })
}

pub fn bytes_of(pairs: &[Pair]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(pairs.len() * PAIR_BYTES);
    for (key, document) in pairs {
        bytes.extend_from_slice(&key.to_le_bytes());
        bytes.extend_from_slice(&document.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::mix;

    #[test]
    fn what_went_to_the_disk_comes_back_with_what_stayed_in_memory() {
        let pairs: Vec<Pair> = (0..20_000u32)
            .map(|i| (mix(u64::from(i % 7_000)), i))
            .collect();
        for budget in [1, 1_000, 100_000, usize::MAX] {
            let mut spill = Spill::new(&std::env::temp_dir(), budget);
            pairs.iter().for_each(|&pair| spill.push(pair).unwrap());
            let all: Vec<Pair> = (0..PARTS)
                .flat_map(|part| spill.part(part).unwrap())
                .collect();
            let mut expected = pairs.clone();
            expected.sort_unstable();
            assert!(all == expected);
            assert_eq!(spill.spilled() > 0, budget < 200_000);
        }
    }
}
