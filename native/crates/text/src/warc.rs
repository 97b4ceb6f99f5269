//! WARC files, plain, gzip or zstd, read so that every byte of the file is accounted for: it belongs to a record
//! or to a reported damage, and the two sums make the size of the file. After damage the reader looks for the next
//! place where a record can begin and goes on there.

mod header;

use crate::members::{Members, Packing, Step};
use header::{Header, LOOK_AHEAD, blank_line, find_version_line, is_version_line, parse_header};
use std::io::{Read, Seek};

const STEP: usize = 1 << 16;
const MAX_HEADER: usize = 1 << 16;

/// One record with the range of the file that it takes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Record {
    pub offset: u64,
    pub length: u64,
    pub kind: String,
    pub url: Option<String>,
    pub content_type: Option<String>,
    pub date: Option<String>,
    /// Why the crawler did not take all of the page: `length`, `time`, ...
    pub truncated: Option<String>,
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

/// Streams the records of one file; memory is bounded by the largest record that is accepted.
pub struct Reader<F: Read + Seek> {
    members: Members<F>,
    max_record: usize,
    /// Decoded bytes not yet used, and where the first of them came from.
    text: Vec<u8>,
    text_from: u64,
    /// Where in `text` a member begins, for the last member begun.
    boundary: Option<usize>,
    accounted: u64,
}

impl<F: Read + Seek> Reader<F> {
    pub fn new(file: F, max_record: usize) -> std::io::Result<Self> {
        Ok(Self {
            members: Members::of_records(file, b"WARC/")?,
            max_record,
            text: Vec::new(),
            text_from: 0,
            boundary: None,
            accounted: 0,
        })
    }

    pub fn size(&self) -> u64 {
        self.members.size
    }

    /// Bytes of the file that records and damages so far make together.
    pub fn accounted(&self) -> u64 {
        self.accounted
    }

    /// The next record or damage; nothing at the end of the file. Errors are those of the file system alone.
    pub fn next_item(&mut self) -> std::io::Result<Option<Item>> {
        loop {
            if self.text.is_empty() && self.members.at_end() {
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
            self.members.position
        } else if self.members.packing == Packing::Plain {
            self.members.position - self.text.len() as u64
        } else if self.boundary == Some(0) {
            self.members.member_at
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
            let resume = if started_member && self.members.packing != Packing::Plain {
                Resume::NextMember
            } else {
                Resume::Skip(header_end as u64 + header.length)
            };
            return Err(Trouble::Damage("a record larger than the limit", resume));
        }
        let payload = self.read_body(header_end, &header)?;
        // A member ends with its checksum: look for it now, so that a wrong one is this record's damage.
        if self.text.is_empty() && self.members.inside() {
            self.step()?;
        }
        let end = self.place().max(self.accounted);
        let record = Record {
            offset: self.accounted,
            length: end - self.accounted,
            payload,
            ..header.record
        };
        self.accounted = end;
        Ok(Some(record))
    }

    /// Takes a record's body out of the text, and what ends it. Decoded straight to where it stays.
    fn read_body(&mut self, header_end: usize, header: &Header) -> Result<Vec<u8>, Trouble> {
        let length = header.length as usize;
        let have = (self.text.len() - header_end).min(length);
        let mut body = Vec::with_capacity(length);
        body.extend_from_slice(&self.text[header_end..header_end + have]);
        // The start of another member in the text already read is looked at byte by byte, as is the one in the body.
        let seen = self
            .boundary
            .is_some_and(|at| at >= header_end && at < header_end + length);
        let rest = self.text.split_off(header_end + have);
        if !seen && rest.is_empty() {
            while body.len() < length && self.members.inside() {
                let room = length - body.len();
                match self.members.step(&mut body, room).map_err(Trouble::File)? {
                    Step::Went => {}
                    step => {
                        self.text.truncate(header_end);
                        self.text.append(&mut body);
                        return Err(self.trouble(&step));
                    }
                }
            }
        }
        if body.len() == length {
            self.text.truncate(header_end);
            let header_text = std::mem::replace(&mut self.text, rest);
            self.moved(header_end + length);
            return match self.check_tail(0) {
                Ok(tail) => {
                    self.drop_text(tail);
                    Ok(body)
                }
                Err(trouble) => {
                    self.put_back(header_text, body);
                    Err(trouble)
                }
            };
        }
        self.text.truncate(header_end);
        self.text.append(&mut body);
        self.text.extend_from_slice(&rest);
        self.need_body(header_end, header_end + length)?;
        let tail = self.check_tail(header_end + length)?;
        let body = self.text[header_end..header_end + length].to_vec();
        self.drop_text(header_end + length + tail);
        Ok(body)
    }

    /// Undoes the taking out of a record that proved to be none.
    fn put_back(&mut self, mut header: Vec<u8>, mut body: Vec<u8>) {
        let taken = header.len() + body.len();
        header.append(&mut body);
        header.append(&mut self.text);
        self.text = header;
        self.boundary = self.boundary.map(|at| at + taken);
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
        // Two line ends as they should be: what follows, good or not, is no longer of this record.
        if length == 4 {
            return Ok(length);
        }
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
            Resume::NextMember => self.next_member(self.members.member_at + 1),
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
                .saturating_sub(LOOK_AHEAD)
                .max(from.min(self.text.len()));
            if dropped + keep_from > self.max_record && self.members.packing != Packing::Plain {
                return self.next_member(self.members.member_at + 1);
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
            if self.members.packing == Packing::Plain {
                self.members.position = (self.members.position + left).min(self.members.size);
                self.text_from = self.members.position;
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

    /// Goes to the next member whose text begins with a record; plain files never come here.
    fn next_member(&mut self, from: u64) -> std::io::Result<()> {
        self.text.clear();
        self.boundary = None;
        self.members.leave_member();
        let at = self.members.find_member(from)?;
        self.members.position = at;
        self.text_from = at;
        Ok(())
    }

    /// Decodes until `count` bytes of text wait; false when the file has no more.
    fn need(&mut self, count: usize) -> Result<bool, Trouble> {
        while self.text.len() < count {
            if self.members.at_end() {
                return Ok(false);
            }
            self.step()?;
        }
        Ok(true)
    }

    /// The same without beginning another member, whose damage would not be this record's.
    fn need_inside(&mut self, count: usize) -> Result<(), Trouble> {
        while self.text.len() < count && self.members.inside() {
            self.step()?;
        }
        Ok(())
    }

    /// Decodes a bounded piece, never beyond the end of a member.
    fn step(&mut self) -> Result<(), Trouble> {
        let begins = !self.members.inside();
        if self.text.is_empty() {
            self.text_from = self.members.position;
        }
        let before = self.text.len();
        let step = self.members.step(&mut self.text, STEP);
        match step.map_err(Trouble::File)? {
            Step::Foreign => {
                let at = self.members.position;
                Err(Trouble::Damage(
                    "bytes that belong to no member",
                    Resume::AfterMember(at),
                ))
            }
            step => {
                if begins && self.members.packing != Packing::Plain {
                    self.boundary = Some(before);
                }
                match step {
                    Step::Went => Ok(()),
                    step => Err(self.trouble(&step)),
                }
            }
        }
    }

    fn trouble(&self, step: &Step) -> Trouble {
        let reason = match step {
            Step::Cut => "the file ends within a member",
            _ => "compressed data that cannot be read",
        };
        Trouble::Damage(reason, Resume::NextMember)
    }

    fn drop_text(&mut self, count: usize) {
        let count = count.min(self.text.len());
        self.text.drain(..count);
        self.moved(count);
    }

    /// Keeps the account of where the text stands after `count` bytes of it went.
    fn moved(&mut self, count: usize) {
        if self.members.packing == Packing::Plain {
            self.text_from += count as u64;
        }
        self.boundary = match self.boundary {
            Some(at) if at >= count => Some(at - count),
            _ => None,
        };
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

#[cfg(test)]
mod tests;
