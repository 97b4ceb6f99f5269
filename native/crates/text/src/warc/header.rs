//! The header of a WARC record (ISO 28500): a version line and named fields, ended by an empty line.

use super::Record;
use crate::members::find;

/// The fields that a reader of pages needs, without the record's payload.
pub(super) struct Header {
    pub record: Record,
    pub length: u64,
}

pub(super) fn parse_header(bytes: &[u8]) -> Result<Header, &'static str> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines();
    if !lines.next().is_some_and(|line| line.starts_with("WARC/")) {
        return Err("no WARC header where one should be");
    }
    let mut record = Record::default();
    let mut length = None;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "warc-type" => record.kind = value.to_ascii_lowercase(),
            // Old writers put angle brackets around it.
            "warc-target-uri" => {
                let url = value.trim_start_matches('<').trim_end_matches('>');
                record.url = Some(url.to_string());
            }
            "warc-date" => record.date = Some(value.to_string()),
            "warc-truncated" => record.truncated = Some(value.to_ascii_lowercase()),
            "content-type" => record.content_type = Some(value.to_string()),
            "content-length" => length = value.parse::<u64>().ok(),
            _ => {}
        }
    }
    let length = length.ok_or("a record without a readable Content-Length")?;
    Ok(Header { record, length })
}

pub(super) fn is_version_line(text: &[u8]) -> bool {
    text.len() >= 7 && text.starts_with(b"WARC/") && text[5].is_ascii_digit() && text[6] == b'.'
}

/// How much text shows whether a record begins at its start.
pub(super) const LOOK_AHEAD: usize = 16;

/// Where the first record starts, at `from` or later: a version line at the start of a line or behind zeros, or behind
/// anything where a field of a header follows it.
pub(super) fn find_version_line(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while at < text.len() {
        at += find(&text[at..], b"WARC/")?;
        let follows = at > 0 && matches!(text[at - 1], b'\n' | 0);
        if is_version_line(&text[at..]) && (follows || has_field(&text[at..])) {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// Whether `WARC/1.0` is followed by a line that begins as the fields of a header do.
fn has_field(text: &[u8]) -> bool {
    let Some(rest) = text.get(8..) else {
        return false;
    };
    let line = rest
        .strip_prefix(b"\r\n")
        .or_else(|| rest.strip_prefix(b"\n"));
    line.is_some_and(|line| line.starts_with(b"WARC-") || line.starts_with(b"Conte"))
}

/// Where the first empty line at `from` or later ends.
pub(super) fn blank_line(text: &[u8], from: usize) -> Option<usize> {
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
