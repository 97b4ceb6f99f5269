//! Ids in the order of the documents, in memory or in a scratch file.

use super::scratch_file::ScratchFile;
use std::io;
use std::path::Path;

pub struct Ids {
    file: ScratchFile,
    waiting: Vec<u8>,
    budget: usize,
}

impl Ids {
    pub fn new(folder: &Path, budget: usize) -> Self {
        Self {
            file: ScratchFile::new(folder),
            waiting: Vec::new(),
            budget,
        }
    }

    /// Ids are JSON literals: none has a line end.
    pub fn push(&mut self, id: &str) -> io::Result<()> {
        self.waiting.extend_from_slice(id.as_bytes());
        self.waiting.push(b'\n');
        if self.waiting.len() >= self.budget {
            self.file.append(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    pub fn spilled(&self) -> u64 {
        self.file.length()
    }

    fn length(&self) -> u64 {
        self.file.length() + self.waiting.len() as u64
    }

    fn read_at(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let on_disk = self.file.length().saturating_sub(offset);
        let from_file = (bytes.len() as u64).min(on_disk) as usize;
        let (first, rest) = bytes.split_at_mut(from_file);
        if !first.is_empty() {
            self.file.read_at(offset, first)?;
        }
        let at = (offset + from_file as u64 - self.file.length().min(offset + from_file as u64))
            as usize;
        rest.copy_from_slice(&self.waiting[at..at + rest.len()]);
        Ok(())
    }
}

/// Goes through the ids once.
#[derive(Default)]
pub struct Cursor {
    offset: u64,
    block: Vec<u8>,
    at: usize,
}

const BLOCK: u64 = 1 << 20;

impl Cursor {
    pub fn next<'a>(&'a mut self, ids: &Ids) -> io::Result<&'a [u8]> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.block[self.at..]) {
                let start = self.at;
                self.at += end + 1;
                return Ok(&self.block[start..start + end]);
            }
            let more = (ids.length() - self.offset).min(BLOCK) as usize;
            if more == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.block.drain(..self.at);
            self.at = 0;
            let from = self.block.len();
            self.block.resize(from + more, 0);
            ids.read_at(self.offset, &mut self.block[from..])?;
            self.offset += more as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn come_back_in_order_from_disk_and_memory() {
        let id = |i: usize| format!("\"{}\"", "x".repeat(i * 37 % 3000));
        for budget in [1, 5_000, 1 << 20, usize::MAX] {
            let mut ids = Ids::new(&std::env::temp_dir(), budget);
            (0..2000).for_each(|i| ids.push(&id(i)).unwrap());
            let mut cursor = Cursor::default();
            for i in 0..2000 {
                assert_eq!(cursor.next(&ids).unwrap(), id(i).as_bytes());
            }
            assert!(cursor.next(&ids).is_err());
        }
    }
}
