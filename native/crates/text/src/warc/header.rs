//! The header of a WARC record (ISO 28500): a version line and named fields, ended by an empty line.

use super::Record;

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

/// Where the first line that begins a record starts, at `from` or later.
pub(super) fn find_version_line(text: &[u8], from: usize) -> Option<usize> {
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

pub(super) fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
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
