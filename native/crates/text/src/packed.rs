//! Packed text: gzip members or zstd frames one after the other, decoded piece by piece. What cannot be decoded is a
//! damage with its range of the file, and decoding goes on at the next member.

use crate::members::{Members, Packing, Step};
use std::fs::File;

const STEP: usize = 1 << 18;

#[derive(Debug, PartialEq)]
pub enum Piece {
    Text(Vec<u8>),
    /// A range of the file that gave no text. The text before and after it do not belong together.
    Damage {
        offset: u64,
        length: u64,
        reason: &'static str,
    },
}

/// Decodes one file front to back; memory is bounded by a piece.
pub struct Reader {
    members: Members<File>,
    /// A damage that is told after the text before it.
    waiting: Option<Piece>,
}

impl Reader {
    /// `zstd` says how the file is packed where its first bytes do not.
    pub fn open(path: &str, zstd: bool) -> std::io::Result<Self> {
        let expected = if zstd { Packing::Zstd } else { Packing::Gzip };
        Ok(Self {
            members: Members::of_text(File::open(path)?, expected)?,
            waiting: None,
        })
    }

    /// Where in the file decoding stands.
    pub fn position(&self) -> u64 {
        self.members.position
    }

    /// About `bytes` bytes of text, or a damage; nothing at the end.
    pub fn next_piece(&mut self, bytes: usize) -> std::io::Result<Option<Piece>> {
        if let Some(damage) = self.waiting.take() {
            return Ok(Some(damage));
        }
        let mut text = Vec::with_capacity(bytes + STEP);
        while text.len() < bytes && !self.members.at_end() {
            let (reason, from) = match self.members.step(&mut text, STEP)? {
                Step::Went => continue,
                Step::Foreign => ("bytes that belong to no member", self.members.position),
                Step::Broken => (
                    "compressed data that cannot be read",
                    self.members.member_at + 1,
                ),
                Step::Cut => ("the file ends within a member", self.members.member_at + 1),
            };
            let stopped = self.members.position;
            self.members.leave_member();
            let next = self.members.find_member(from)?;
            // A changed byte may be noticed only behind the end of its member: then all of the member is in doubt.
            let offset = if next < stopped {
                self.members.member_at
            } else {
                stopped
            };
            self.members.position = next;
            let damage = Piece::Damage {
                offset,
                length: next - offset,
                reason,
            };
            if text.is_empty() {
                return Ok(Some(damage));
            }
            self.waiting = Some(damage);
            break;
        }
        Ok((!text.is_empty()).then_some(Piece::Text(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn texts() -> Vec<Vec<u8>> {
        (0..6u64)
            .map(|n| {
                let mut x = n + 1;
                (0..40_000)
                    .map(|_| {
                        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(n);
                        b'a' + (x >> 60) as u8
                    })
                    .collect()
            })
            .collect()
    }

    fn read(name: &str, bytes: &[u8], zstd: bool) -> (Vec<u8>, Vec<(u64, u64)>) {
        let path = std::env::temp_dir().join(format!("smolforge-{}-{name}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let mut reader = Reader::open(path.to_str().unwrap(), zstd).unwrap();
        let (mut text, mut damages) = (Vec::new(), Vec::new());
        while let Some(piece) = reader.next_piece(10_000).unwrap() {
            match piece {
                Piece::Text(piece) => text.extend(piece),
                Piece::Damage { offset, length, .. } => damages.push((offset, length)),
            }
        }
        assert_eq!(reader.position(), bytes.len() as u64);
        std::fs::remove_file(path).unwrap();
        (text, damages)
    }

    #[test]
    fn a_damaged_member_costs_its_rest_and_the_next_ones_are_read() {
        for zstd in [false, true] {
            let pack = |text: &Vec<u8>| {
                if zstd {
                    crate::compression::compress(text, 3).unwrap()
                } else {
                    gzip(text)
                }
            };
            let name = if zstd { "zstd" } else { "gzip" };
            let members: Vec<Vec<u8>> = texts().iter().map(pack).collect();
            let whole = members.concat();
            assert_eq!(read(name, &whole, zstd), (texts().concat(), vec![]));
            let third = members[0].len() + members[1].len();

            let mut changed = whole.clone();
            for byte in &mut changed[third + 9_000..third + 9_010] {
                *byte ^= 0x55;
            }
            let (text, damages) = read(name, &changed, zstd);
            assert!(text.starts_with(&texts()[..2].concat()));
            assert!(text.ends_with(&texts()[3..].concat()), "{name}");
            assert!(damages.iter().all(|&(offset, length)| {
                offset >= third as u64 && offset + length <= (third + members[2].len()) as u64
            }));
            assert!(!damages.is_empty());

            let garbage = [members[0].as_slice(), &[7; 300], &members[1]].concat();
            let (text, damages) = read(name, &garbage, zstd);
            assert_eq!(text, texts()[..2].concat());
            assert_eq!(damages, [(members[0].len() as u64, 300)]);

            let mut headless = whole.clone();
            headless[..4].fill(0);
            let (text, damages) = read(name, &headless, zstd);
            assert_eq!(text, texts()[1..].concat());
            assert_eq!(damages, [(0, members[0].len() as u64)]);

            for cut in [1, 5, 100, third + 1, whole.len() - 1] {
                let (text, damages) = read(name, &whole[..cut], zstd);
                assert!(texts().concat().starts_with(&text), "{name} cut at {cut}");
                assert_eq!(damages.len(), 1, "{name} cut at {cut}");
            }
        }
    }
}
