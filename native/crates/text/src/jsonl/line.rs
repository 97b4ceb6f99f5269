//! One line of JSON: the whole of it is checked, three of its fields are unescaped.

use std::borrow::Cow;
use std::ops::Range;

/// Where the fields of a line stand in the arena.
pub struct Found {
    pub text: Range<u32>,
    /// A JSON literal.
    pub id: Option<Range<u32>>,
    pub url: Option<Range<u32>>,
    pub replaced: u64,
}

/// Deeper values than this are refused, as they are by most readers.
const DEEPEST: usize = 512;

/// Checks a line and puts its fields into `arena`. Of a key that comes twice the last counts, as in JSON.parse. Bytes
/// that are no UTF-8 and half surrogate pairs become U+FFFD.
pub fn read_line(line: &[u8], arena: &mut Vec<u8>) -> Result<Found, &'static str> {
    let (line, broken) = match std::str::from_utf8(line) {
        Ok(line) => (Cow::Borrowed(line), 0),
        Err(_) => repair(line),
    };
    let mut scan = Scan {
        bytes: line.as_bytes(),
        at: 0,
        replaced: broken,
    };
    let mut text = None;
    let mut id = None;
    let mut url = None;
    scan.space();
    if scan.peek() != Some(b'{') {
        scan.value(0)?;
        scan.end()?;
        return Err("not a JSON object");
    }
    scan.at += 1;
    scan.space();
    if scan.peek() == Some(b'}') {
        scan.at += 1;
    } else {
        loop {
            scan.space();
            let key = scan.key(arena)?;
            scan.space();
            scan.expect(b':')?;
            scan.space();
            match key {
                Key::Text => text = scan.string_field(arena)?,
                Key::Url => url = scan.string_field(arena)?,
                Key::Id => id = scan.id(arena)?,
                Key::Other => scan.value(1)?,
            }
            scan.space();
            match scan.peek() {
                Some(b',') => scan.at += 1,
                Some(b'}') => {
                    scan.at += 1;
                    break;
                }
                _ => return Err(scan.unexpected()),
            }
        }
    }
    scan.end()?;
    Ok(Found {
        text: text.ok_or("no \"text\" that is a string")?,
        id,
        url,
        replaced: scan.replaced,
    })
}

/// Appends a string as a JSON literal with its quotes.
pub fn push_json_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    loop {
        let end = plain_end(bytes, start);
        out.extend_from_slice(&bytes[start..end]);
        let Some(&byte) = bytes.get(end) else {
            break;
        };
        start = end + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            _ => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
    }
    out.push(b'"');
}

fn repair(line: &[u8]) -> (Cow<'_, str>, u64) {
    let mut text = String::with_capacity(line.len() + 16);
    let mut broken = 0;
    for chunk in line.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            broken += 1;
        }
    }
    (Cow::Owned(text), broken)
}

enum Key {
    Text,
    Id,
    Url,
    Other,
}

/// The bytes are valid UTF-8, and every quote, backslash and bracket is ASCII: ranges between them are strings.
struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    replaced: u64,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.peek() != Some(byte) {
            return Err(self.unexpected());
        }
        self.at += 1;
        Ok(())
    }

    fn unexpected(&self) -> &'static str {
        if self.at >= self.bytes.len() {
            "the JSON ends too early"
        } else {
            "no JSON: an unexpected character"
        }
    }

    fn end(&mut self) -> Result<(), &'static str> {
        self.space();
        if self.at < self.bytes.len() {
            return Err("more than one JSON value");
        }
        Ok(())
    }

    fn key(&mut self, arena: &mut Vec<u8>) -> Result<Key, &'static str> {
        if self.peek() != Some(b'"') {
            return Err(self.unexpected());
        }
        let start = arena.len();
        let end = plain_end(self.bytes, self.at + 1);
        let key = if self.bytes.get(end) == Some(&b'"') {
            let key = key_of(&self.bytes[self.at + 1..end]);
            self.at = end + 1;
            key
        } else {
            self.string(Some(arena))?;
            key_of(&arena[start..])
        };
        arena.truncate(start);
        Ok(key)
    }

    /// The string that begins here goes into the arena; a value of another kind is passed over.
    fn string_field(&mut self, arena: &mut Vec<u8>) -> Result<Option<Range<u32>>, &'static str> {
        if self.peek() != Some(b'"') {
            self.value(1)?;
            return Ok(None);
        }
        let start = arena.len() as u32;
        self.string(Some(arena))?;
        Ok(Some(start..arena.len() as u32))
    }

    fn id(&mut self, arena: &mut Vec<u8>) -> Result<Option<Range<u32>>, &'static str> {
        let start = arena.len();
        match self.peek() {
            Some(b'"') => {
                // Unescaped and escaped again, so that a half surrogate pair does not get through.
                self.string(Some(arena))?;
                let id = String::from_utf8_lossy(&arena[start..]).into_owned();
                arena.truncate(start);
                push_json_string(&id, arena);
            }
            Some(b'-' | b'0'..=b'9') => {
                let from = self.at;
                self.value(1)?;
                arena.extend_from_slice(&self.bytes[from..self.at]);
            }
            _ => {
                self.value(1)?;
                return Ok(None);
            }
        }
        Ok(Some(start as u32..arena.len() as u32))
    }

    fn value(&mut self, depth: usize) -> Result<(), &'static str> {
        if depth > DEEPEST {
            return Err("JSON nested too deeply");
        }
        match self.peek() {
            Some(b'"') => self.string(None),
            Some(b'{') => self.members(depth, true),
            Some(b'[') => self.members(depth, false),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(self.unexpected()),
        }
    }

    fn members(&mut self, depth: usize, object: bool) -> Result<(), &'static str> {
        let close = if object { b'}' } else { b']' };
        self.at += 1;
        self.space();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.space();
            if object {
                if self.peek() != Some(b'"') {
                    return Err(self.unexpected());
                }
                self.string(None)?;
                self.space();
                self.expect(b':')?;
                self.space();
            }
            self.value(depth + 1)?;
            self.space();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(byte) if byte == close => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(self.unexpected()),
            }
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), &'static str> {
        for &byte in word {
            self.expect(byte)?;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), &'static str> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<(), &'static str> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start {
            return Err(self.unexpected());
        }
        Ok(())
    }

    fn string(&mut self, mut out: Option<&mut Vec<u8>>) -> Result<(), &'static str> {
        self.at += 1;
        loop {
            let end = plain_end(self.bytes, self.at);
            if let Some(out) = out.as_deref_mut() {
                out.extend_from_slice(&self.bytes[self.at..end]);
            }
            self.at = end;
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => {
                    let character = self.escape(out.is_some())?;
                    if let Some(out) = out.as_deref_mut() {
                        out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                    }
                }
                Some(_) => return Err("a control character in a JSON string"),
                None => return Err("the JSON ends too early"),
            }
        }
    }

    fn escape(&mut self, wanted: bool) -> Result<char, &'static str> {
        self.at += 2;
        Ok(match self.bytes.get(self.at - 1) {
            Some(b'n') => '\n',
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => {
                let unit = self.hex()?;
                match unit {
                    0xd800..=0xdbff => self.low_half(unit),
                    _ => char::from_u32(unit),
                }
                .unwrap_or_else(|| {
                    self.replaced += u64::from(wanted);
                    char::REPLACEMENT_CHARACTER
                })
            }
            Some(_) => return Err("an unknown escape in a JSON string"),
            None => return Err("the JSON ends too early"),
        })
    }

    /// The other half of a pair, if it follows; anything else stays unread.
    fn low_half(&mut self, high: u32) -> Option<char> {
        let after = self.at;
        if self.bytes[after..].starts_with(b"\\u") {
            self.at += 2;
            if let Ok(low @ 0xdc00..=0xdfff) = self.hex() {
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
            }
        }
        self.at = after;
        None
    }

    fn hex(&mut self) -> Result<u32, &'static str> {
        let digits = self
            .bytes
            .get(self.at..self.at + 4)
            .ok_or("the JSON ends too early")?;
        let mut unit = 0;
        for &digit in digits {
            let value = (digit as char)
                .to_digit(16)
                .ok_or("a broken \\u escape in a JSON string")?;
            unit = unit << 4 | value;
        }
        self.at += 4;
        Ok(unit)
    }
}

fn key_of(key: &[u8]) -> Key {
    match key {
        b"text" => Key::Text,
        b"id" => Key::Id,
        b"url" => Key::Url,
        _ => Key::Other,
    }
}

/// Where the next quote, backslash or control character is, 8 bytes at a time.
fn plain_end(bytes: &[u8], from: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let mut at = from;
    while let Some(word) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes([
            word[0], word[1], word[2], word[3], word[4], word[5], word[6], word[7],
        ]);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
        let quote = zero(word ^ (ONES * u64::from(b'"')));
        let backslash = zero(word ^ (ONES * u64::from(b'\\')));
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        // A borrow can mark a byte too many, but only above one that is rightly marked.
        let found = quote | backslash | control;
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while let Some(&byte) = bytes.get(at) {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests;
