//! What an index keeps of one run: the key of each band with the first document that has it, sorted, in the parts of
//! `spill`. After the parts stands a table of how many pairs each has and their checksum.

use super::spill::{PARTS, Pair, bytes_of, pairs_in};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8; 8] = b"SFDEDUP1";
const PAIR_BYTES: u64 = 12;
const TABLE_BYTES: usize = PARTS * 16 + 8;

/// A segment that is being written: its parts come one after the other.
#[derive(Default)]
pub struct SegmentTable {
    table: Vec<u8>,
}

impl SegmentTable {
    /// The bytes of the next part.
    pub fn part(&mut self, pairs: &[Pair]) -> Vec<u8> {
        let bytes = bytes_of(pairs);
        self.table
            .extend_from_slice(&(pairs.len() as u64).to_le_bytes());
        self.table.extend_from_slice(&xxh3_64(&bytes).to_le_bytes());
        bytes
    }

    /// The bytes after the last part.
    pub fn end(self) -> Vec<u8> {
        let mut table = self.table;
        table.extend_from_slice(MAGIC);
        table
    }
}

pub struct Segment {
    file: Mutex<File>,
    /// Offset, pairs and checksum of each part.
    parts: Vec<(u64, u64, u64)>,
}

impl Segment {
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let size = file.metadata()?.len();
        let mut table = vec![0; TABLE_BYTES];
        let start = size
            .checked_sub(TABLE_BYTES as u64)
            .ok_or_else(|| damaged("it is too short"))?;
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut table)?;
        if &table[TABLE_BYTES - 8..] != MAGIC {
            return Err(damaged("it has no table at its end"));
        }
        let mut offset = 0u64;
        let mut parts = Vec::with_capacity(PARTS);
        for row in table.chunks_exact(16).take(PARTS) {
            let number =
                |at: usize| u64::from_le_bytes(row[at..at + 8].try_into().unwrap_or_default());
            parts.push((offset, number(0), number(8)));
            offset = number(0)
                .checked_mul(PAIR_BYTES)
                .and_then(|bytes| bytes.checked_add(offset))
                .filter(|&end| end <= start)
                .ok_or_else(|| damaged("its table does not fit its size"))?;
        }
        if offset != start {
            return Err(damaged("its table does not fit its size"));
        }
        Ok(Self {
            file: Mutex::new(file),
            parts,
        })
    }

    /// Adds the pairs of one part to `pairs`.
    pub fn part(&self, number: usize, pairs: &mut Vec<Pair>) -> io::Result<()> {
        let (offset, count, checksum) = self.parts[number];
        let mut bytes = vec![0; (count * PAIR_BYTES) as usize];
        {
            let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
            file.seek(SeekFrom::Start(offset))?;
            file.read_exact(&mut bytes)?;
        }
        if xxh3_64(&bytes) != checksum {
            return Err(damaged("a part has another checksum"));
        }
        pairs.extend(pairs_in(&bytes));
        Ok(())
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the index file is damaged: {reason}"),
    )
}
