//! JSON lines with the ids of their texts put in.

use super::encoder::Encoder;
use crate::jsonl::{Block, read_line};
use rayon::prelude::*;
use std::borrow::Cow;
use std::ops::Range;

/// Lines as they came, each with `"ids"` as its last member.
#[derive(Default, Debug)]
pub struct EncodedLines {
    pub output: Vec<u8>,
    pub lines: u64,
    pub tokens: u64,
    pub text_bytes: u64,
}

/// The first line that is no object with a text.
#[derive(Debug)]
pub struct BadLine {
    /// 1-based
    pub line: u64,
    pub reason: &'static str,
}

/// Puts `before`, the ids of the line's text and `behind` into each line of a block. Blank lines are left out; an
/// `"ids"` that a line has is replaced. Uses all threads.
pub fn encode_lines(
    block: &Block,
    encoder: &Encoder,
    before: &[u32],
    behind: &[u32],
) -> Result<EncodedLines, BadLine> {
    let bytes = &block.bytes;
    let target = (bytes.len() / (8 * rayon::current_num_threads())).max(1 << 16);
    let parts: Vec<_> = parts_of_lines(bytes, target)
        .into_par_iter()
        .map(|part| {
            let counted = part.clone();
            let done = encode_part(&bytes[part], encoder, before, behind);
            done.map_err(|(at, reason)| BadLine {
                line: block.line + newlines(&bytes[..counted.start + at]),
                reason,
            })
        })
        .collect();
    let mut all = EncodedLines::default();
    for part in parts {
        let part = part?;
        all.output.extend_from_slice(&part.output);
        all.lines += part.lines;
        all.tokens += part.tokens;
        all.text_bytes += part.text_bytes;
    }
    Ok(all)
}

fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

fn parts_of_lines(bytes: &[u8], about: usize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let least = (at + about).min(bytes.len());
        let end = memchr::memchr(b'\n', &bytes[least..]).map_or(bytes.len(), |end| least + end + 1);
        parts.push(at..end);
        at = end;
    }
    parts
}

/// The error is a place within the bad line and what is bad.
fn encode_part(
    bytes: &[u8],
    encoder: &Encoder,
    before: &[u32],
    behind: &[u32],
) -> Result<EncodedLines, (usize, &'static str)> {
    let mut session = encoder.session();
    let mut done = EncodedLines::default();
    done.output.reserve(bytes.len() * 5 / 2);
    let (mut arena, mut ids) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
        let line = bytes[at..end].trim_ascii();
        if !line.is_empty() {
            arena.clear();
            let found = read_line(line, &mut arena).map_err(|reason| (at, reason))?;
            let text = &arena[found.text.start as usize..found.text.end as usize];
            // SAFETY: `read_line` puts whole valid strings into the arena.
            let text = unsafe { std::str::from_utf8_unchecked(text) };
            ids.clear();
            ids.extend_from_slice(before);
            session.append(text, &mut ids);
            ids.extend_from_slice(behind);
            push_line(line, &ids, &mut done.output);
            done.lines += 1;
            done.tokens += ids.len() as u64;
            done.text_bytes += text.len() as u64;
        }
        at = end + 1;
    }
    Ok(done)
}

/// A checked line with its ids.
fn push_line(line: &[u8], ids: &[u32], out: &mut Vec<u8>) {
    let line = String::from_utf8_lossy(line);
    let line = match memchr::memmem::find(line.as_bytes(), b"\"ids\"") {
        Some(_) => Cow::Owned(without_member(line.as_bytes(), b"ids")),
        None => Cow::Borrowed(line.as_bytes()),
    };
    // It ends with the brace of an object that has at least a text.
    out.extend_from_slice(line[..line.len() - 1].trim_ascii_end());
    out.extend_from_slice(b",\"ids\":[");
    for (i, &id) in ids.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        push_number(id, out);
    }
    out.extend_from_slice(b"]}\n");
}

fn push_number(mut number: u32, out: &mut Vec<u8>) {
    let mut digits = [0; 10];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// A valid JSON object without its members of one name.
fn without_member(object: &[u8], name: &[u8]) -> Vec<u8> {
    let mut kept = vec![b'{'];
    let mut at = 1;
    loop {
        // A member is a key, a colon and a value, up to the comma or the brace behind it.
        let start = at;
        let mut depth = 0;
        loop {
            match object[at] {
                b'"' => at = string_end(object, at),
                b'{' | b'[' => (depth, at) = (depth + 1, at + 1),
                b',' if depth == 0 => break,
                b'}' if depth == 0 => break,
                b'}' | b']' => (depth, at) = (depth - 1, at + 1),
                _ => at += 1,
            }
        }
        let member = &object[start..at];
        let key = member.trim_ascii_start();
        let is_named =
            key.len() > name.len() + 1 && key[1..].starts_with(name) && key[name.len() + 1] == b'"';
        if !is_named {
            if kept.len() > 1 {
                kept.push(b',');
            }
            kept.extend_from_slice(member);
        }
        if object[at] == b'}' {
            kept.push(b'}');
            return kept;
        }
        at += 1;
    }
}

/// Behind the string that begins at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    loop {
        match bytes[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_taken_out_wherever_it_stands() {
        let without =
            |object: &str| String::from_utf8(without_member(object.as_bytes(), b"ids")).unwrap();
        assert_eq!(
            without(r#"{"ids":[1,{"a":"]}"}],"text":"x"}"#),
            r#"{"text":"x"}"#
        );
        assert_eq!(
            without(r#"{"text":"a\"ids\",","ids" : [] , "b":{"ids":1}}"#),
            r#"{"text":"a\"ids\",", "b":{"ids":1}}"#
        );
        assert_eq!(without(r#"{"text":"ids"}"#), r#"{"text":"ids"}"#);
    }

    #[test]
    fn numbers_are_written_whole() {
        for number in [0, 9, 10, 49152, u32::MAX] {
            let mut out = Vec::new();
            push_number(number, &mut out);
            assert_eq!(out, number.to_string().as_bytes());
        }
    }
}
