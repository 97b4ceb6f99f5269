//! A file's uncompressed bytes in blocks of whole lines.

use super::Damage;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Whole lines of a file.
pub struct Block {
    pub bytes: Vec<u8>,
    /// Where the block begins in the uncompressed file.
    pub offset: u64,
    /// The 1-based number of its first line.
    pub line: u64,
}

/// Reads blocks ahead of nothing: each call reads as much as it gives.
pub struct BlockReader {
    source: Box<dyn Read + Send>,
    compressed: bool,
    consumed: Arc<AtomicU64>,
    max_line_bytes: usize,
    /// The begin of a line that the last block did not take.
    rest: Vec<u8>,
    offset: u64,
    line: u64,
    ended: bool,
}

impl BlockReader {
    pub fn open(path: &Path, max_line_bytes: usize) -> io::Result<Self> {
        let consumed = Arc::new(AtomicU64::new(0));
        let counted = Counted {
            file: File::open(path)?,
            consumed: consumed.clone(),
        };
        let mut file = BufReader::with_capacity(1 << 18, counted);
        let first = file.fill_buf()?;
        let gzip = first.starts_with(&[0x1f, 0x8b]);
        let zstd = first.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]);
        let bom = first.starts_with(b"\xef\xbb\xbf");
        if bom {
            file.consume(3);
        }
        let source: Box<dyn Read + Send> = if gzip {
            Box::new(MultiGzDecoder::new(file))
        } else if zstd {
            Box::new(zstd::stream::read::Decoder::with_buffer(file)?)
        } else {
            Box::new(file)
        };
        Ok(Self {
            source,
            compressed: gzip || zstd,
            consumed,
            max_line_bytes,
            rest: Vec::new(),
            offset: if bom { 3 } else { 0 },
            line: 1,
            ended: false,
        })
    }

    /// Bytes of the file read so far.
    pub fn consumed(&self) -> u64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// About `bytes` bytes of lines; a longer line comes whole, one above the cap is passed over as a damage.
    pub fn next_block(
        &mut self,
        bytes: usize,
        damages: &mut Vec<Damage>,
    ) -> io::Result<Option<Block>> {
        let bytes = bytes.max(1);
        let mut block = std::mem::take(&mut self.rest);
        loop {
            if !self.ended {
                let from = block.len();
                // A line that is longer than a block doubles the room, so that it is not searched again and again.
                let wanted = bytes.max(block.len()) - block.len().min(bytes);
                self.fill(&mut block, wanted.max(bytes / 4 + 1), damages)?;
                if !self.ended && memchr::memrchr(b'\n', &block[from..]).is_none() {
                    if block.len() > self.max_line_bytes {
                        self.pass_over_line(&mut block, damages)?;
                    }
                    continue;
                }
            }
            if block.is_empty() {
                return Ok(None);
            }
            if !self.ended
                && let Some(end) = memchr::memrchr(b'\n', &block)
            {
                self.rest = block.split_off(end + 1);
            }
            let given = Block {
                offset: self.offset,
                line: self.line,
                bytes: block,
            };
            self.offset += given.bytes.len() as u64;
            self.line += memchr::memchr_iter(b'\n', &given.bytes).count() as u64;
            return Ok(Some(given));
        }
    }

    fn fill(
        &mut self,
        block: &mut Vec<u8>,
        wanted: usize,
        damages: &mut Vec<Damage>,
    ) -> io::Result<()> {
        let from = block.len();
        block.reserve(wanted);
        match (&mut self.source).take(wanted as u64).read_to_end(block) {
            Ok(_) => self.ended = block.len() - from < wanted,
            // A disk's error comes with the number that the system gave it, a decoder's without.
            Err(error) if self.compressed && error.raw_os_error().is_none() => {
                self.ended = true;
                damages.push(Damage {
                    offset: self.consumed(),
                    length: 0,
                    line: 0,
                    reason: format!("the compressed file is damaged or ends too early: {error}"),
                });
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Drops a line that is longer than the cap: all of the block, and what comes up to the line end.
    fn pass_over_line(&mut self, block: &mut Vec<u8>, damages: &mut Vec<Damage>) -> io::Result<()> {
        let mut length = block.len() as u64;
        block.clear();
        block.shrink_to(STEP);
        let after = loop {
            self.fill(block, STEP, damages)?;
            let end = memchr::memchr(b'\n', block);
            length += end.unwrap_or(block.len()) as u64;
            if end.is_some() || self.ended {
                break end.map_or(block.len(), |end| end + 1);
            }
            block.clear();
        };
        damages.push(Damage {
            offset: self.offset,
            length,
            line: self.line,
            reason: format!("a line longer than {} bytes", self.max_line_bytes),
        });
        block.drain(..after);
        self.offset += length + 1;
        self.line += 1;
        Ok(())
    }
}

const STEP: usize = 1 << 20;

struct Counted {
    file: File,
    consumed: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(count) => {
                    self.consumed.fetch_add(count as u64, Ordering::Relaxed);
                    return Ok(count);
                }
                other => return other,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn blocks(content: &[u8], bytes: usize, cap: usize) -> (Vec<Block>, Vec<Damage>) {
        let path = std::env::temp_dir().join(format!(
            "smolforge-blocks-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, content).unwrap();
        let mut reader = BlockReader::open(&path, cap).unwrap();
        let mut damages = Vec::new();
        let mut all = Vec::new();
        while let Some(block) = reader.next_block(bytes, &mut damages).unwrap() {
            all.push(block);
        }
        std::fs::remove_file(&path).unwrap();
        (all, damages)
    }

    fn text() -> Vec<u8> {
        (0..500)
            .flat_map(|i| format!("{}\n", "x".repeat(i * 7 % 300)).into_bytes())
            .collect()
    }

    #[test]
    fn blocks_are_whole_lines_and_follow_one_another() {
        let text = text();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text[..9_000]).unwrap();
        let mut packed = gzip.finish().unwrap();
        let mut second = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        second.write_all(&text[9_000..]).unwrap();
        packed.extend(second.finish().unwrap());
        let zstd = zstd::encode_all(&text[..], 1).unwrap();
        for content in [&text, &packed, &zstd] {
            for bytes in [1, 50, 1000, 1 << 20] {
                let (all, damages) = blocks(content, bytes, 1 << 20);
                assert!(damages.is_empty(), "{damages:?}");
                let (mut offset, mut line) = (0, 1);
                for block in &all {
                    assert_eq!((block.offset, block.line), (offset, line));
                    assert_eq!(block.bytes.last(), Some(&b'\n'));
                    offset += block.bytes.len() as u64;
                    line += block.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
                }
                let joined: Vec<u8> = all.into_iter().flat_map(|block| block.bytes).collect();
                assert!(joined == text);
            }
        }
    }

    #[test]
    fn a_line_above_the_cap_is_a_damage_and_the_next_is_read() {
        let long = [b"first\n".to_vec(), vec![b'y'; 3 << 20], b"\nlast".to_vec()].concat();
        let (all, damages) = blocks(&long, 100, 1 << 20);
        let lines: Vec<u64> = all.iter().map(|block| block.line).collect();
        let joined: Vec<u8> = all.into_iter().flat_map(|block| block.bytes).collect();
        assert_eq!(joined, b"first\nlast");
        assert_eq!(lines, [1, 3]);
        assert_eq!(
            (damages[0].offset, damages[0].length, damages[0].line),
            (6, 3 << 20, 2)
        );
    }

    #[test]
    fn a_cut_member_gives_what_was_whole_and_a_damage() {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(&text()).unwrap();
        let packed = gzip.finish().unwrap();
        let zstd = zstd::encode_all(&text()[..], 1).unwrap();
        for whole in [packed, zstd] {
            let (_, damages) = blocks(&whole[..whole.len() - 10], 1000, 1 << 20);
            assert_eq!(damages.len(), 1, "{damages:?}");
        }
    }
}
