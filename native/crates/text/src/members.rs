//! The compressed members of a file: gzip members or zstd frames one after the other, or one plain stretch. Decoding
//! never goes beyond the end of a member, so that the place in the file of every decoded byte's member is known.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom};
use zstd::stream::raw::{Decoder as ZstdDecoder, InBuffer, Operation, OutBuffer};

const WINDOW: usize = 1 << 18;
const STEP: usize = 1 << 16;
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A dictionary is some hundred KB; what claims to be far larger is none.
const MAX_DICTIONARY: usize = 16 << 20;

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Packing {
    Plain,
    Gzip,
    Zstd,
}

enum Decoder {
    Plain,
    Gzip(Decompress),
    Zstd(Box<ZstdDecoder<'static>>),
}

/// What one step of decoding met.
pub(crate) enum Step {
    /// Some bytes were decoded, or a member began or ended.
    Went,
    /// No member begins here.
    Foreign,
    /// The member's bytes cannot be decoded.
    Broken,
    /// The file ended before the member.
    Cut,
}

pub(crate) struct Members<F: Read + Seek> {
    file: F,
    pub size: u64,
    pub packing: Packing,
    /// The next byte of the file that the decoder takes.
    pub position: u64,
    /// Where the member that was begun last begins.
    pub member_at: u64,
    decoder: Decoder,
    inside: bool,
    /// Of a zstd file that begins with its dictionary in a skippable frame.
    dictionary: Vec<u8>,
    /// Looks into members that may be none; made once, as a dictionary is costly to load.
    probe: Decoder,
    /// A part of the file around the place that is read.
    window: Vec<u8>,
    window_at: u64,
    /// How the text of a member begins that is looked for after damage; empty where any will do.
    begins: &'static [u8],
}

impl<F: Read + Seek> Members<F> {
    /// Members that hold records: after damage the next one counts whose text begins with `begins`.
    pub fn of_records(file: F, begins: &'static [u8]) -> Result<Self> {
        let mut members = Self::unread(file, begins)?;
        let packing = members.detect_packing()?;
        members.position = 0;
        members.become_packed(packing)?;
        Ok(members)
    }

    /// Members that hold anything; `expected` is how the file is packed where its first bytes are damaged.
    pub fn of_text(file: F, expected: Packing) -> Result<Self> {
        let mut members = Self::unread(file, b"")?;
        let start = members.bytes_at(0, 8)?;
        let packing = if start.starts_with(&GZIP_MAGIC[..2]) {
            Packing::Gzip
        } else if start.starts_with(&ZSTD_MAGIC) {
            Packing::Zstd
        } else if is_skippable_frame(start) {
            members.dictionary = members.read_dictionary()?;
            Packing::Zstd
        } else {
            expected
        };
        members.become_packed(packing)?;
        Ok(members)
    }

    fn unread(mut file: F, begins: &'static [u8]) -> Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        Ok(Self {
            file,
            size,
            packing: Packing::Plain,
            position: 0,
            member_at: 0,
            decoder: Decoder::Plain,
            inside: false,
            dictionary: Vec::new(),
            probe: Decoder::Plain,
            window: Vec::new(),
            window_at: 0,
            begins,
        })
    }

    /// Whether decoding stands within a member.
    pub fn inside(&self) -> bool {
        self.inside
    }

    pub fn at_end(&self) -> bool {
        self.position >= self.size && !self.inside
    }

    pub fn leave_member(&mut self) {
        self.inside = false;
    }

    /// By the first bytes; where they are damaged, by the first member that begins with a record.
    fn detect_packing(&mut self) -> Result<Packing> {
        let begins = self.begins;
        let start = self.bytes_at(0, 8)?;
        if start.starts_with(&GZIP_MAGIC[..2]) {
            return Ok(Packing::Gzip);
        }
        if start.starts_with(&ZSTD_MAGIC) {
            return Ok(Packing::Zstd);
        }
        if is_skippable_frame(start) {
            self.dictionary = self.read_dictionary()?;
            return Ok(Packing::Zstd);
        }
        if start.starts_with(begins) {
            return Ok(Packing::Plain);
        }
        for packing in [Packing::Gzip, Packing::Zstd] {
            self.become_packed(packing)?;
            if self.find_member(0)? < self.size {
                return Ok(packing);
            }
        }
        Ok(Packing::Plain)
    }

    fn become_packed(&mut self, packing: Packing) -> Result<()> {
        self.packing = packing;
        self.decoder = new_decoder(packing, &self.dictionary)?;
        self.probe = new_decoder(packing, &self.dictionary)?;
        Ok(())
    }

    /// The dictionary of a .warc.zst (iipc/warc-specifications, warc-zstd 1.0): the content of the first skippable
    /// frame, itself compressed or not. Empty where that frame holds something else.
    fn read_dictionary(&mut self) -> Result<Vec<u8>> {
        let start = self.bytes_at(0, 8)?;
        if start.len() < 8 || start[0] != 0x5d {
            return Ok(Vec::new());
        }
        let length = u32::from_le_bytes([start[4], start[5], start[6], start[7]]) as usize;
        if length > MAX_DICTIONARY {
            return Ok(Vec::new());
        }
        let content = self.bytes_at(8, length)?;
        if content.starts_with(&ZSTD_MAGIC) {
            return Ok(zstd::bulk::decompress(content, MAX_DICTIONARY).unwrap_or_default());
        }
        Ok(content.to_vec())
    }

    /// Decodes a bounded piece to the end of `text`, at most `limit` bytes of it, and never beyond the end of a member.
    pub fn step(&mut self, text: &mut Vec<u8>, limit: usize) -> Result<Step> {
        if !self.inside {
            self.member_at = self.position;
            if !self.begins_member()? {
                return Ok(Step::Foreign);
            }
            match &mut self.decoder {
                Decoder::Zstd(zstd) => zstd.reinit()?,
                Decoder::Gzip(gzip) => *gzip = Decompress::new_gzip(15),
                Decoder::Plain => {}
            }
            self.inside = true;
        }
        let at = self.position;
        self.bytes_at(at, STEP)?;
        let from = (at - self.window_at) as usize;
        let piece = &self.window[from..(from + STEP).min(self.window.len())];
        let room = limit.min(STEP);
        text.reserve(room);
        let (read, wrote, ended) = match &mut self.decoder {
            Decoder::Plain => {
                let taken = piece.len().min(room);
                text.extend_from_slice(&piece[..taken]);
                self.position += taken as u64;
                self.inside = self.position < self.size;
                return Ok(Step::Went);
            }
            Decoder::Gzip(gzip) => {
                let (read, wrote) = (gzip.total_in(), gzip.total_out());
                let status = gzip.decompress_vec(piece, text, FlushDecompress::None);
                let read = gzip.total_in() - read;
                match status {
                    Ok(status) => (read, gzip.total_out() != wrote, status == Status::StreamEnd),
                    Err(_) => {
                        self.position += read;
                        return Ok(Step::Broken);
                    }
                }
            }
            Decoder::Zstd(zstd) => {
                let before = text.len();
                let mut input = InBuffer::around(piece);
                let mut output = OutBuffer::around_pos(text, before);
                let result = zstd.run(&mut input, &mut output);
                let read = input.pos() as u64;
                match result {
                    Ok(left) => (read, text.len() > before, left == 0),
                    Err(_) => {
                        self.position += read;
                        return Ok(Step::Broken);
                    }
                }
            }
        };
        self.position += read;
        if ended {
            self.inside = false;
        } else if read == 0 && !wrote {
            return Ok(Step::Cut);
        }
        Ok(Step::Went)
    }

    /// The next place at `from` or later where a member begins as it should, or the end of the file.
    pub fn find_member(&mut self, from: u64) -> Result<u64> {
        let magic: &[u8] = match self.packing {
            Packing::Gzip => &GZIP_MAGIC,
            _ => &ZSTD_MAGIC,
        };
        let mut at = from;
        while at < self.size {
            let piece = self.bytes_at(at, WINDOW)?;
            let length = piece.len();
            if let Some(found) = find(piece, magic) {
                at += found as u64;
                if self.begins_wanted(at)? {
                    return Ok(at);
                }
                at += 1;
            } else if length < WINDOW {
                return Ok(self.size);
            } else {
                at += (length - magic.len() + 1) as u64;
            }
        }
        Ok(self.size)
    }

    fn begins_wanted(&mut self, at: u64) -> Result<bool> {
        // A zstd block gives nothing before it is whole: 128 KiB at most.
        self.bytes_at(at, (1 << 17) + 64)?;
        let piece = &self.window[(at - self.window_at) as usize..];
        let mut start = [0u8; 1024];
        let (ok, wrote) = match &mut self.probe {
            Decoder::Gzip(gzip) => {
                *gzip = Decompress::new_gzip(15);
                let status = gzip.decompress(piece, &mut start, FlushDecompress::None);
                (status.is_ok(), gzip.total_out() as usize)
            }
            Decoder::Zstd(zstd) => {
                zstd.reinit()?;
                match zstd.run_on_buffers(piece, &mut start) {
                    Ok(status) => (true, status.bytes_written),
                    Err(_) => (false, 0),
                }
            }
            Decoder::Plain => (false, 0),
        };
        Ok(ok && wrote > 0 && start[..wrote].starts_with(self.begins))
    }

    fn begins_member(&mut self) -> Result<bool> {
        let packing = self.packing;
        let start = self.bytes_at(self.position, 4)?;
        Ok(match packing {
            Packing::Plain => true,
            Packing::Gzip => start.starts_with(&GZIP_MAGIC),
            Packing::Zstd => start.starts_with(&ZSTD_MAGIC) || is_skippable_frame(start),
        })
    }

    /// Up to `count` bytes of the file from `at`.
    fn bytes_at(&mut self, at: u64, count: usize) -> Result<&[u8]> {
        let end = (at + count as u64).min(self.size);
        let have = self.window_at + self.window.len() as u64;
        if at < self.window_at || end > have {
            let length = (self.size - at.min(self.size)).min(WINDOW.max(count) as u64);
            self.window.resize(length as usize, 0);
            self.file.seek(SeekFrom::Start(at))?;
            self.file.read_exact(&mut self.window)?;
            self.window_at = at;
        }
        let from = (at.min(self.size) - self.window_at.min(at)) as usize;
        let from = from.min(self.window.len());
        let to = (end.saturating_sub(self.window_at) as usize).clamp(from, self.window.len());
        Ok(&self.window[from..to])
    }
}

fn new_decoder(packing: Packing, dictionary: &[u8]) -> Result<Decoder> {
    Ok(match packing {
        Packing::Plain => Decoder::Plain,
        Packing::Gzip => Decoder::Gzip(Decompress::new_gzip(15)),
        Packing::Zstd if dictionary.is_empty() => Decoder::Zstd(Box::new(ZstdDecoder::new()?)),
        Packing::Zstd => {
            let decoder = ZstdDecoder::with_dictionary(dictionary);
            Decoder::Zstd(Box::new(decoder.map_err(|error| {
                Error::new(
                    ErrorKind::InvalidData,
                    format!("its zstd dictionary is damaged: {error}"),
                )
            })?))
        }
    })
}

fn is_skippable_frame(start: &[u8]) -> bool {
    start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18]
}

pub(crate) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    let mut at = 0;
    while at + needle.len() <= text.len() {
        let last = text.len() - needle.len() + 1;
        at += text[at..last].iter().position(|&b| b == first)?;
        if text[at..].starts_with(needle) {
            return Some(at);
        }
        at += 1;
    }
    None
}
