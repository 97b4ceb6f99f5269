//! The body of a stored HTTP response: headers off, chunks joined, compression undone where it is known.

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use std::borrow::Cow;
use std::io::Read;

pub struct Response<'a> {
    pub body: Cow<'a, [u8]>,
    /// `text/html`, in small letters and without parameters; empty when not said.
    pub mime: String,
    pub charset: Option<String>,
}

impl<'a> Response<'a> {
    pub fn plain(body: &'a [u8], content_type: Option<&str>) -> Self {
        let (mime, charset) = split_content_type(content_type.unwrap_or("text/html"));
        Self {
            body: Cow::Borrowed(body),
            mime,
            charset,
        }
    }
}

/// Splits a stored response into what its headers say and the body as it was before transfer.
pub fn read_response(bytes: &[u8], max_bytes: usize) -> Result<Response<'_>, String> {
    if !bytes.starts_with(b"HTTP/") {
        return Err("no HTTP status line".into());
    }
    let (head, body) = split_head(bytes).ok_or("HTTP headers without end")?;
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.lines();
    let status = lines
        .next()
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap_or("");
    if !matches!(status.as_bytes(), [b'2', _, _]) {
        return Err(format!("HTTP status {status}"));
    }
    let mut content_type = String::new();
    let mut encoding = String::new();
    let mut chunked = false;
    for line in lines {
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        match name.trim().to_ascii_lowercase().as_str() {
            "content-type" => content_type = value.trim().to_string(),
            "content-encoding" => encoding = value.trim().to_ascii_lowercase(),
            "transfer-encoding" => chunked = value.to_ascii_lowercase().contains("chunked"),
            _ => {}
        }
    }
    let mut whole: Cow<[u8]> = Cow::Borrowed(body);
    // Many crawlers store the joined body and keep the header: only what looks like chunks is joined.
    if chunked && let Some(joined) = join_chunks(body) {
        whole = Cow::Owned(joined);
    }
    if let Some(unpacked) = unpack(&whole, &encoding, max_bytes)? {
        whole = Cow::Owned(unpacked);
    }
    let (mime, charset) = split_content_type(&content_type);
    Ok(Response {
        body: whole,
        mime,
        charset,
    })
}

pub fn looks_like_html(body: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&body[..body.len().min(1024)]).to_ascii_lowercase();
    ["<!doctype html", "<html", "<head", "<body"]
        .iter()
        .any(|tag| start.contains(tag))
}

fn split_head(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&b| b == b'\n') {
        let end = at + found + 1;
        let blank = if bytes[end..].starts_with(b"\r\n") {
            2
        } else {
            usize::from(bytes[end..].starts_with(b"\n"))
        };
        if blank > 0 {
            return Some((&bytes[..end], &bytes[end + blank..]));
        }
        at = end;
    }
    None
}

fn split_content_type(value: &str) -> (String, Option<String>) {
    let mut parts = value.split(';');
    let mime = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let charset = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).to_string());
    (mime, charset)
}

/// The chunks joined; nothing when the body is not chunked after all. A cut last chunk gives what is there.
fn join_chunks(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(body.len());
    let mut at = 0;
    loop {
        let Some(line_end) = body[at..].iter().take(64).position(|&b| b == b'\n') else {
            return (!out.is_empty()).then_some(out);
        };
        let line = std::str::from_utf8(&body[at..at + line_end]).ok()?;
        let size = usize::from_str_radix(line.split(';').next()?.trim(), 16);
        let Ok(size) = size else {
            return (!out.is_empty()).then_some(out);
        };
        at += line_end + 1;
        if size == 0 {
            return Some(out);
        }
        let end = at.saturating_add(size).min(body.len());
        out.extend_from_slice(&body[at..end]);
        at = end;
        at += body[at..]
            .iter()
            .take(2)
            .take_while(|b| matches!(b, b'\r' | b'\n'))
            .count();
        if at >= body.len() {
            return Some(out);
        }
    }
}

/// The unpacked body; nothing when it is not packed, whatever the header says.
fn unpack(body: &[u8], encoding: &str, max_bytes: usize) -> Result<Option<Vec<u8>>, String> {
    let limit = max_bytes as u64 + 1;
    let mut out = Vec::new();
    let result = match encoding {
        "gzip" | "x-gzip" if body.starts_with(&[0x1f, 0x8b]) => {
            MultiGzDecoder::new(body).take(limit).read_to_end(&mut out)
        }
        "deflate" if body.first().is_some_and(|b| b & 0x0f == 8) => {
            ZlibDecoder::new(body).take(limit).read_to_end(&mut out)
        }
        "zstd" if body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) => {
            match zstd::stream::read::Decoder::new(body) {
                Ok(decoder) => decoder.take(limit).read_to_end(&mut out),
                Err(error) => Err(error),
            }
        }
        "br" if !looks_like_html(body) => brotli_decompressor::Decompressor::new(body, 4096)
            .take(limit)
            .read_to_end(&mut out),
        "" | "identity" => return Ok(None),
        _ if looks_like_html(body) => return Ok(None),
        other => return Err(format!("Content-Encoding {other} cannot be undone")),
    };
    match result {
        Ok(_) if out.len() > max_bytes => Err(format!("a page larger than {max_bytes} bytes")),
        Ok(_) => Ok(Some(out)),
        // What came before the damage is a page too, if it is more than a beginning.
        Err(_) if out.len() > 4096 => Ok(Some(out)),
        Err(error) => Err(format!("Content-Encoding {encoding} is damaged: {error}")),
    }
}
