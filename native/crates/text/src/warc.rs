//! WARC files, plain, gzip or zstd, read so that every byte of the file is accounted for: it belongs to a record
//! or to a reported damage, and the two sums make the size of the file. After damage the reader looks for the next
//! place where a record can begin and goes on there.

use flate2::{Decompress, FlushDecompress, Status};
use std::io::{Read, Seek, SeekFrom};
use zstd::stream::raw::{Decoder as ZstdDecoder, Operation};

const WINDOW: usize = 1 << 18;
const STEP: usize = 1 << 16;
const MAX_HEADER: usize = 1 << 16;
const GZIP_MAGIC: [u8; 3] = [0x1f, 0x8b, 0x08];
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// One record with the range of the file that it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub offset: u64,
    pub length: u64,
    pub kind: String,
    pub url: Option<String>,
    pub content_type: Option<String>,
    pub payload: Vec<u8>,
}

/// A range of the file that gave no record.
#[derive(Debug, Clone, PartialEq)]
pub struct Damage {
    pub offset: u64,
    pub length: u64,
    pub reason: String,
}

#[derive(Debug, PartialEq)]
pub enum Item {
    Record(Record),
    Damage(Damage),
}

#[derive(Clone, Copy, PartialEq)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
}

enum Decoder {
    Plain,
    Gzip(Decompress),
    Zstd(Box<ZstdDecoder<'static>>),
}

/// Streams the records of one file; memory is bounded by the largest record that is accepted.
pub struct Reader<F: Read + Seek> {
    file: F,
    size: u64,
    packing: Packing,
    max_record: usize,
    /// A part of the file around the place that is read.
    window: Vec<u8>,
    window_at: u64,
    /// The next byte of the file that the decoder takes.
    position: u64,
    member: Option<Decoder>,
    member_at: u64,
    /// Decoded bytes not yet used, and where the first of them came from.
    text: Vec<u8>,
    text_from: u64,
    /// Where in `text` a member begins, for the last member begun.
    boundary: Option<usize>,
    accounted: u64,
}

impl<F: Read + Seek> Reader<F> {
    pub fn new(mut file: F, max_record: usize) -> std::io::Result<Self> {
        let size = file.seek(SeekFrom::End(0))?;
        let mut reader = Self {
            file,
            size,
            packing: Packing::Plain,
            max_record,
            window: Vec::new(),
            window_at: 0,
            position: 0,
            member: None,
            member_at: 0,
            text: Vec::new(),
            text_from: 0,
            boundary: None,
            accounted: 0,
        };
        reader.packing = reader.detect_packing()?;
        Ok(reader)
    }

    /// By the first bytes; where they are damaged, by the first member that begins with a record.
    fn detect_packing(&mut self) -> std::io::Result<Packing> {
        let start = self.bytes_at(0, 8)?;
        if start.starts_with(&GZIP_MAGIC[..2]) {
            return Ok(Packing::Gzip);
        }
        if start.starts_with(&ZSTD_MAGIC) || is_skippable_frame(start) {
            return Ok(Packing::Zstd);
        }
        if start.starts_with(b"WARC/") {
            return Ok(Packing::Plain);
        }
        for packing in [Packing::Gzip, Packing::Zstd] {
            self.packing = packing;
            self.next_member(0)?;
            let found = self.position < self.size;
            self.position = 0;
            self.text_from = 0;
            if found {
                return Ok(packing);
            }
        }
        Ok(Packing::Plain)
    }

    pub fn size(&self) -> u64 {
        self.size
    }

    /// Bytes of the file that records and damages so far make together.
    pub fn accounted(&self) -> u64 {
        self.accounted
    }

    /// The next record or damage; nothing at the end of the file. Errors are those of the file system alone.
    pub fn next_item(&mut self) -> std::io::Result<Option<Item>> {
        loop {
            if self.text.is_empty() && self.position >= self.size && self.member.is_none() {
                return Ok(None);
            }
            match self.read_record() {
                Ok(Some(record)) => return Ok(Some(Item::Record(record))),
                Ok(None) => continue,
                Err(Trouble::File(error)) => return Err(error),
                Err(Trouble::Damage(reason, place)) => {
                    self.resynchronise(place)?;
                    let end = self.place().max(self.accounted);
                    let damage = Damage {
                        offset: self.accounted,
                        length: end - self.accounted,
                        reason: reason.into(),
                    };
                    self.accounted = end;
                    if damage.length > 0 {
                        return Ok(Some(Item::Damage(damage)));
                    }
                }
            }
        }
    }

    /// The place in the file of the first byte that is not used yet.
    fn place(&self) -> u64 {
        if self.text.is_empty() {
            self.position
        } else if self.packing == Packing::Plain {
            self.position - self.text.len() as u64
        } else if self.boundary == Some(0) {
            self.member_at
        } else {
            self.text_from
        }
    }

    fn read_record(&mut self) -> Result<Option<Record>, Trouble> {
        if !self.need(1)? {
            // An empty member or the end of the file.
            let end = self.place();
            if end > self.accounted {
                return Err(Trouble::Damage("a member without content", Resume::Here));
            }
            return Ok(None);
        }
        let started_member = self.boundary == Some(0);
        // Some writers leave more empty lines between records than they should.
        let blank = self
            .text
            .iter()
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        if blank > 0 && blank == self.text.len() && blank < 64 && self.need(blank + 1)? {
            return self.read_record();
        }
        if blank > 0 && blank < self.text.len() {
            self.drop_text(blank);
        }
        let header_end = self.find_header_end()?;
        let header = parse_header(&self.text[..header_end])
            .map_err(|reason| Trouble::Damage(reason, Resume::AfterStart))?;
        if header.length > self.max_record as u64 {
            let resume = if started_member && self.packing != Packing::Plain {
                Resume::NextMember
            } else {
                Resume::Skip(header_end as u64 + header.length)
            };
            return Err(Trouble::Damage("a record larger than the limit", resume));
        }
        let body_end = header_end + header.length as usize;
        self.need_body(header_end, body_end)?;
        let tail = self.check_tail(body_end)?;
        let record = Record {
            offset: self.accounted,
            length: 0,
            kind: header.kind,
            url: header.url,
            content_type: header.content_type,
            payload: self.text[header_end..body_end].to_vec(),
        };
        self.drop_text(body_end + tail);
        // A member ends with its checksum: look for it now, so that a wrong one is this record's damage.
        if self.text.is_empty() && self.member.is_some() {
            self.step()?;
        }
        let end = self.place().max(self.accounted);
        let length = end - self.accounted;
        self.accounted = end;
        Ok(Some(Record { length, ..record }))
    }

    /// The end of the header: after the first empty line.
    fn find_header_end(&mut self) -> Result<usize, Trouble> {
        let mut searched = 0;
        loop {
            if let Some(end) = blank_line(&self.text, searched) {
                return Ok(end);
            }
            if self.text.len() >= 5 && !self.text.starts_with(b"WARC/") {
                return Err(Trouble::Damage(
                    "no WARC header where one should be",
                    Resume::AfterStart,
                ));
            }
            if self.text.len() > MAX_HEADER {
                return Err(Trouble::Damage(
                    "a WARC header without end",
                    Resume::AfterStart,
                ));
            }
            searched = self.text.len().saturating_sub(3);
            if !self.need(self.text.len() + 1)? {
                return Err(Trouble::Damage(
                    "the file ends within a header",
                    Resume::AfterStart,
                ));
            }
        }
    }

    /// Reads on to the end of the body. A member that begins with a record of its own ends the one before.
    fn need_body(&mut self, header_end: usize, body_end: usize) -> Result<(), Trouble> {
        while self.text.len() < body_end {
            if !self.need(self.text.len() + 1)? {
                return Err(Trouble::Damage(
                    "the file ends within a record",
                    Resume::AfterStart,
                ));
            }
            if let Some(at) = self.boundary
                && at >= header_end
                && at < body_end
                && self.need(at + 7)?
                && is_version_line(&self.text[at..])
            {
                return Err(Trouble::Damage(
                    "a record shorter than its Content-Length",
                    Resume::At(at),
                ));
            }
        }
        Ok(())
    }

    /// What follows a body: two line ends, or (leniently) the end of the file or the next record.
    fn check_tail(&mut self, body_end: usize) -> Result<usize, Trouble> {
        self.need_inside(body_end + 4)?;
        let tail = &self.text[body_end..];
        let length = [&b"\r\n\r\n"[..], b"\n\n", b"\r\n", b"\n"]
            .iter()
            .find(|end| tail.starts_with(end))
            .map_or(0, |end| end.len());
        let rest = body_end + length;
        self.need_inside(rest + 5)?;
        if self.text.len() > rest {
            let following = &self.text[rest..];
            let known = [&b"WARC/"[..], b"\r\n", b"\n"]
                .iter()
                .any(|start| following.starts_with(&start[..start.len().min(following.len())]));
            if !known && self.boundary != Some(rest) {
                return Err(Trouble::Damage(
                    "no record ends where Content-Length says",
                    Resume::AfterStart,
                ));
            }
        }
        Ok(length)
    }

    /// Goes to the next place where a record can begin.
    fn resynchronise(&mut self, resume: Resume) -> std::io::Result<()> {
        match resume {
            Resume::Here => Ok(()),
            Resume::At(at) => {
                self.drop_text(at);
                Ok(())
            }
            Resume::NextMember => self.next_member(self.member_at + 1),
            Resume::AfterMember(from) => self.next_member(from),
            Resume::Skip(count) => self.skip(count),
            Resume::AfterStart => self.next_version_line(),
        }
    }

    /// Searches the decoded text for a line that begins a record.
    fn next_version_line(&mut self) -> std::io::Result<()> {
        let mut from = 1;
        let mut dropped = 0;
        loop {
            if let Some(at) = self.boundary
                && at >= from
                && at + 7 <= self.text.len()
                && is_version_line(&self.text[at..])
                && find_version_line(&self.text[..at], from).is_none()
            {
                self.drop_text(at);
                return Ok(());
            }
            if let Some(at) = find_version_line(&self.text, from) {
                self.drop_text(at);
                return Ok(());
            }
            let keep_from = self
                .text
                .len()
                .saturating_sub(8)
                .max(from.min(self.text.len()));
            if dropped + keep_from > self.max_record && self.packing != Packing::Plain {
                return self.next_member(self.member_at + 1);
            }
            if self.text.len() > 1 << 20 && self.boundary.is_none_or(|at| at < keep_from) {
                dropped += keep_from;
                self.drop_text(keep_from);
                from = 0;
            }
            match self.need(self.text.len() + 1) {
                Ok(true) => {}
                Ok(false) => {
                    let all = self.text.len();
                    self.drop_text(all);
                    return Ok(());
                }
                Err(Trouble::File(error)) => return Err(error),
                Err(Trouble::Damage(_, resume)) => return self.resynchronise(resume),
            }
        }
    }

    fn skip(&mut self, count: u64) -> std::io::Result<()> {
        let mut left = count;
        loop {
            let here = left.min(self.text.len() as u64);
            self.drop_text(here as usize);
            left -= here;
            if left == 0 {
                return Ok(());
            }
            if self.packing == Packing::Plain {
                self.position = (self.position + left).min(self.size);
                self.text_from = self.position;
                return Ok(());
            }
            match self.need(1) {
                Ok(true) => {}
                Ok(false) => return Ok(()),
                Err(Trouble::File(error)) => return Err(error),
                Err(Trouble::Damage(_, resume)) => return self.resynchronise(resume),
            }
        }
    }

    /// Searches the file for the next member whose text begins with a record; plain files never come here.
    fn next_member(&mut self, from: u64) -> std::io::Result<()> {
        self.text.clear();
        self.boundary = None;
        self.member = None;
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
                if self.begins_record(at)? {
                    break;
                }
                at += 1;
            } else if length < WINDOW {
                at = self.size;
            } else {
                at += (length - magic.len() + 1) as u64;
            }
        }
        self.position = at.min(self.size);
        self.text_from = self.position;
        Ok(())
    }

    fn begins_record(&mut self, at: u64) -> std::io::Result<bool> {
        let packing = self.packing;
        // A zstd block gives nothing before it is whole: 128 KiB at most.
        let piece = self.bytes_at(at, (1 << 17) + 64)?;
        let mut start = [0u8; 5];
        let ok = match new_decoder(packing) {
            Decoder::Gzip(mut d) => d
                .decompress(piece, &mut start, FlushDecompress::None)
                .is_ok(),
            Decoder::Zstd(mut d) => d.run_on_buffers(piece, &mut start).is_ok(),
            Decoder::Plain => false,
        };
        Ok(ok && &start == b"WARC/")
    }

    /// Decodes until `count` bytes of text wait; false when the file has no more.
    fn need(&mut self, count: usize) -> Result<bool, Trouble> {
        while self.text.len() < count {
            if self.position >= self.size && self.member.is_none() {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }

    /// The same without beginning another member, whose damage would not be this record's.
    fn need_inside(&mut self, count: usize) -> Result<(), Trouble> {
        while self.text.len() < count && self.member.is_some() {
            self.step()?;
        }
        Ok(())
    }

    /// Decodes a bounded piece, never beyond the end of a member.
    fn step(&mut self) -> Result<(), Trouble> {
        if self.member.is_none() {
            self.begin_member()?;
        }
        if self.text.is_empty() {
            self.text_from = self.position;
        }
        let at = self.position;
        let packing = self.packing;
        self.bytes_at(at, STEP).map_err(Trouble::File)?;
        let from = (at - self.window_at) as usize;
        let piece = &self.window[from..(from + STEP).min(self.window.len())];
        let before = self.text.len();
        if packing == Packing::Plain {
            self.text.extend_from_slice(piece);
            self.position += piece.len() as u64;
            if self.position >= self.size {
                self.member = None;
            }
            return Ok(());
        }
        self.text.resize(before + STEP, 0);
        let (read, written, ended, failed) = match self.member.as_mut() {
            Some(Decoder::Gzip(gzip)) => {
                let (read, written) = (gzip.total_in(), gzip.total_out());
                let status =
                    gzip.decompress(piece, &mut self.text[before..], FlushDecompress::None);
                (
                    (gzip.total_in() - read) as usize,
                    (gzip.total_out() - written) as usize,
                    matches!(status, Ok(Status::StreamEnd)),
                    status.is_err(),
                )
            }
            Some(Decoder::Zstd(zstd)) => match zstd.run_on_buffers(piece, &mut self.text[before..])
            {
                Ok(s) => (s.bytes_read, s.bytes_written, s.remaining == 0, false),
                Err(_) => (0, 0, false, true),
            },
            _ => (0, 0, false, true),
        };
        self.text.truncate(before + written);
        self.position += read as u64;
        if failed {
            return Err(Trouble::Damage(
                "compressed data that cannot be read",
                Resume::NextMember,
            ));
        }
        if ended {
            self.member = None;
        } else if read == 0 && written == 0 {
            return Err(Trouble::Damage(
                "the file ends within a member",
                Resume::NextMember,
            ));
        }
        Ok(())
    }

    fn begin_member(&mut self) -> Result<(), Trouble> {
        let at = self.position;
        self.member_at = at;
        let packing = self.packing;
        let start = self.bytes_at(at, 4).map_err(Trouble::File)?;
        let known = match packing {
            Packing::Plain => true,
            Packing::Gzip => start.starts_with(&GZIP_MAGIC),
            Packing::Zstd => start.starts_with(&ZSTD_MAGIC) || is_skippable_frame(start),
        };
        if !known {
            return Err(Trouble::Damage(
                "bytes that belong to no member",
                Resume::AfterMember(at),
            ));
        }
        self.member = Some(new_decoder(packing));
        if packing != Packing::Plain {
            self.boundary = Some(self.text.len());
        }
        Ok(())
    }

    fn drop_text(&mut self, count: usize) {
        let count = count.min(self.text.len());
        self.text.drain(..count);
        if self.packing == Packing::Plain {
            self.text_from += count as u64;
        }
        self.boundary = match self.boundary {
            Some(at) if at >= count => Some(at - count),
            _ => None,
        };
    }

    /// Up to `count` bytes of the file from `at`.
    fn bytes_at(&mut self, at: u64, count: usize) -> std::io::Result<&[u8]> {
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

enum Trouble {
    File(std::io::Error),
    Damage(&'static str, Resume),
}

enum Resume {
    Here,
    At(usize),
    AfterStart,
    Skip(u64),
    NextMember,
    AfterMember(u64),
}

struct Header {
    kind: String,
    url: Option<String>,
    content_type: Option<String>,
    length: u64,
}

fn parse_header(bytes: &[u8]) -> Result<Header, &'static str> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    if !lines.next().is_some_and(|line| line.starts_with("WARC/")) {
        return Err("no WARC header where one should be");
    }
    let mut header = Header {
        kind: String::new(),
        url: None,
        content_type: None,
        length: 0,
    };
    let mut length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "warc-type" => header.kind = value.to_ascii_lowercase(),
            // Old writers put angle brackets around it.
            "warc-target-uri" => {
                header.url = Some(
                    value
                        .trim_start_matches('<')
                        .trim_end_matches('>')
                        .to_string(),
                );
            }
            "content-type" => header.content_type = Some(value.to_string()),
            "content-length" => length = value.parse::<u64>().ok(),
            _ => {}
        }
    }
    header.length = length.ok_or("a record without a readable Content-Length")?;
    Ok(header)
}

fn new_decoder(packing: Packing) -> Decoder {
    match packing {
        Packing::Plain => Decoder::Plain,
        Packing::Gzip => Decoder::Gzip(Decompress::new_gzip(15)),
        Packing::Zstd => match ZstdDecoder::new() {
            Ok(decoder) => Decoder::Zstd(Box::new(decoder)),
            Err(_) => Decoder::Plain,
        },
    }
}

fn is_skippable_frame(start: &[u8]) -> bool {
    start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18]
}

fn is_version_line(text: &[u8]) -> bool {
    text.len() >= 7 && text.starts_with(b"WARC/") && text[5].is_ascii_digit() && text[6] == b'.'
}

/// Where the first line that begins a record starts, at `from` or later.
fn find_version_line(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from.saturating_sub(1);
    while at < text.len() {
        let found = find(&text[at..], b"\nWARC/")? + at;
        if found + 1 >= from && is_version_line(&text[found + 1..]) {
            return Some(found + 1);
        }
        at = found + 1;
    }
    None
}

fn blank_line(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text[at..].iter().position(|&b| b == b'\n') {
        let end = at + found + 1;
        if text[end..].starts_with(b"\r\n") {
            return Some(end + 2);
        }
        if text[end..].starts_with(b"\n") {
            return Some(end + 1);
        }
        at = end;
    }
    None
}

fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
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

#[cfg(test)]
#[path = "warc_tests.rs"]
mod tests;
