//! Files of JSON lines, read in blocks: each line's `text`, `id` and `url` are found and unescaped once, and the batch
//! of them stays on this side, so that no pass has to carry texts through the JavaScript heap.

mod blocks;
mod line;

pub use blocks::{Block, BlockReader};
pub use line::{push_json_string, read_line};

use line::Found;
use rayon::prelude::*;
use std::io;
use std::ops::Range;
use std::path::Path;

/// Texts of documents with their ids, in the order of the file.
#[derive(Default)]
pub struct Texts {
    arenas: Vec<Vec<u8>>,
    documents: Vec<Document>,
    /// Text bytes of all documents.
    bytes: usize,
    /// Characters that could not be read and became U+FFFD.
    replaced: u64,
}

struct Document {
    arena: u32,
    text: Range<u32>,
    url: Option<Range<u32>>,
    /// The id as it stands in an output: a JSON literal.
    id: Range<u32>,
    line: u64,
}

/// A range of the file that gave no document. Offsets count uncompressed bytes, those of broken compression bytes of
/// the file.
#[derive(Debug, PartialEq)]
pub struct Damage {
    pub offset: u64,
    pub length: u64,
    /// 1-based; 0 where the damage is none of a line.
    pub line: u64,
    pub reason: String,
}

impl Texts {
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn replaced(&self) -> u64 {
        self.replaced
    }

    pub fn text(&self, document: usize) -> &str {
        let document = &self.documents[document];
        self.string(document.arena, &document.text)
    }

    pub fn texts(&self) -> Vec<&str> {
        (0..self.len())
            .map(|document| self.text(document))
            .collect()
    }

    pub fn url(&self, document: usize) -> Option<&str> {
        let document = &self.documents[document];
        document
            .url
            .as_ref()
            .map(|url| self.string(document.arena, url))
    }

    /// The id as a JSON literal: `"a"` or `17`. A line without one has its number.
    pub fn id_json(&self, document: usize) -> &str {
        let document = &self.documents[document];
        self.string(document.arena, &document.id)
    }

    /// The 1-based line of the file; 0 where the texts come from no file.
    pub fn line(&self, document: usize) -> u64 {
        self.documents[document].line
    }

    /// A line `{"id","text"}` for each document that `keep` names, in order, made on the threads of the pool that this runs
    /// in.
    pub fn lines_of(&self, keep: impl Fn(usize) -> bool + Sync) -> Vec<u8> {
        let parts: Vec<Vec<u8>> = (0..self.len().div_ceil(DOCUMENTS_AT_ONCE))
            .into_par_iter()
            .map(|part| {
                let from = part * DOCUMENTS_AT_ONCE;
                let kept: Vec<usize> = (from..self.len().min(from + DOCUMENTS_AT_ONCE))
                    .filter(|&document| keep(document))
                    .collect();
                let bytes = kept.iter().map(|&document| self.text(document).len());
                let mut lines = Vec::with_capacity(bytes.sum::<usize>() * 9 / 8 + 64 * kept.len());
                for document in kept {
                    lines.extend_from_slice(b"{\"id\":");
                    lines.extend_from_slice(self.id_json(document).as_bytes());
                    lines.extend_from_slice(b",\"text\":");
                    push_json_string(self.text(document), &mut lines);
                    lines.extend_from_slice(b"}\n");
                }
                lines
            })
            .collect();
        parts.concat()
    }

    /// Texts of no file of JSON lines: ids are numbers from 0 on.
    pub fn from_strings(texts: &[String]) -> Self {
        let mut all = Self::default();
        for (number, text) in texts.iter().enumerate() {
            all.push(text, &number.to_string(), None);
        }
        all
    }

    /// Takes a document of no file of JSON lines; its id is a JSON literal.
    pub fn push(&mut self, text: &str, id_json: &str, url: Option<&str>) {
        let length = text.len() + id_json.len() + url.map_or(0, str::len);
        // An arena is addressed by 32 bits.
        let full = self
            .arenas
            .last()
            .is_none_or(|arena| arena.len() + length > ARENA_BYTES);
        if full {
            self.arenas.push(Vec::new());
        }
        let at = self.arenas.len() - 1;
        let arena = &mut self.arenas[at];
        let mut put = |string: &str| {
            let start = arena.len() as u32;
            arena.extend_from_slice(string.as_bytes());
            start..arena.len() as u32
        };
        self.documents.push(Document {
            arena: at as u32,
            text: put(text),
            id: put(id_json),
            url: url.map(put),
            line: 0,
        });
        self.bytes += text.len();
    }

    fn string(&self, arena: u32, range: &Range<u32>) -> &str {
        let bytes = &self.arenas[arena as usize][range.start as usize..range.end as usize];
        // SAFETY: `read_line` puts whole valid strings into the arena, `push` those of Rust.
        unsafe { std::str::from_utf8_unchecked(bytes) }
    }
}

const ARENA_BYTES: usize = 1 << 30;
const DOCUMENTS_AT_ONCE: usize = 64;

/// Reads a plain, gzip or zstd file of JSON lines; its first bytes say which it is.
pub struct Reader {
    blocks: BlockReader,
}

impl Reader {
    pub fn open(path: &Path, max_line_bytes: usize) -> io::Result<Self> {
        Ok(Self {
            blocks: BlockReader::open(path, max_line_bytes)?,
        })
    }

    /// Bytes of the file taken so far.
    pub fn consumed(&self) -> u64 {
        self.blocks.consumed()
    }

    /// The documents of the next `bytes` bytes of lines, a line more at most, parsed on the threads of the pool that this
    /// runs in. Nothing at the end. Broken lines and broken compression go to `damages`.
    pub fn next_batch(
        &mut self,
        bytes: usize,
        damages: &mut Vec<Damage>,
    ) -> io::Result<Option<Texts>> {
        Ok(self
            .blocks
            .next_block(bytes, damages)?
            .map(|block| parse(&block, damages)))
    }
}

/// Finds the documents in whole lines.
pub fn parse(block: &Block, damages: &mut Vec<Damage>) -> Texts {
    let parts = split_at_lines(&block.bytes, PART_BYTES);
    // The line numbers of a part follow from the line ends before it.
    let counts: Vec<u64> = parts
        .par_iter()
        .map(|part| memchr::memchr_iter(b'\n', &block.bytes[part.clone()]).count() as u64)
        .collect();
    let mut first_line = block.line;
    let starts: Vec<u64> = counts
        .iter()
        .map(|count| {
            let start = first_line;
            first_line += count;
            start
        })
        .collect();
    let parsed: Vec<Part> = parts
        .into_par_iter()
        .zip(starts)
        .map(|(part, line)| {
            let offset = block.offset + part.start as u64;
            parse_part(&block.bytes[part], offset, line)
        })
        .collect();
    let mut all = Texts::default();
    for (number, part) in parsed.into_iter().enumerate() {
        all.bytes += part.text_bytes;
        all.replaced += part.replaced;
        all.arenas.push(part.arena);
        all.documents
            .extend(part.documents.into_iter().map(|mut document| {
                document.arena = number as u32;
                document
            }));
        damages.extend(part.damages);
    }
    all
}

/// Small enough that two threads share the work of a block evenly.
const PART_BYTES: usize = 1 << 20;

fn split_at_lines(bytes: &[u8], about: usize) -> Vec<Range<usize>> {
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

#[derive(Default)]
struct Part {
    arena: Vec<u8>,
    documents: Vec<Document>,
    damages: Vec<Damage>,
    text_bytes: usize,
    replaced: u64,
}

fn parse_part(bytes: &[u8], offset: u64, first_line: u64) -> Part {
    let mut part = Part {
        arena: Vec::with_capacity(bytes.len()),
        ..Part::default()
    };
    let mut at = 0;
    let mut line = first_line;
    while at < bytes.len() {
        let end = memchr::memchr(b'\n', &bytes[at..]).map_or(bytes.len(), |end| at + end);
        part.take_line(&bytes[at..end], offset + at as u64, line);
        line += 1;
        at = end + 1;
    }
    part
}

impl Part {
    fn take_line(&mut self, line: &[u8], offset: u64, number: u64) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let start = self.arena.len();
        match read_line(line, &mut self.arena) {
            Ok(Found {
                text,
                id,
                url,
                replaced,
            }) => {
                let id = id.unwrap_or_else(|| {
                    let at = self.arena.len() as u32;
                    self.arena.extend_from_slice(number.to_string().as_bytes());
                    at..self.arena.len() as u32
                });
                self.text_bytes += text.len();
                self.replaced += replaced;
                self.documents.push(Document {
                    arena: 0,
                    text,
                    url,
                    id,
                    line: number,
                });
            }
            Err(reason) => {
                self.arena.truncate(start);
                self.damages.push(Damage {
                    offset,
                    length: line.len() as u64,
                    line: number,
                    reason: reason.to_string(),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Texts, Vec<Damage>) {
        let block = Block {
            bytes: bytes.to_vec(),
            offset: 0,
            line: 1,
        };
        let mut damages = Vec::new();
        let texts = parse(&block, &mut damages);
        (texts, damages)
    }

    #[test]
    fn finds_texts_ids_and_urls_and_says_which_lines_are_broken() {
        let (texts, damages) = read(
            b"{\"id\":\"a\\n\",\"text\":\"one\"}\n\
              \r\n\
              {\"text\":\"tw\\u00f6\\n\",\"id\":17,\"url\":\"http://x\"}\n\
              {\"text\":\"cut\n\
              {\"text\":\"three\",\"meta\":{\"text\":[1,2.5e3,null,true]}}",
        );
        assert_eq!(texts.texts(), ["one", "tw\u{f6}\n", "three"]);
        let ids: Vec<&str> = (0..3).map(|i| texts.id_json(i)).collect();
        assert_eq!(ids, ["\"a\\n\"", "17", "5"]);
        assert_eq!(texts.url(1), Some("http://x"));
        assert_eq!(damages.len(), 1);
        assert_eq!((damages[0].line, damages[0].length), (4, 12));
    }

    #[test]
    fn reads_the_same_however_the_block_is_split() {
        let lines: String = (0..40_000)
            .map(|i| {
                format!(
                    "{{\"id\":{i},\"text\":\"{}\"}}\n",
                    "word \\\" ".repeat(i % 40)
                )
            })
            .collect();
        let (texts, damages) = read(lines.as_bytes());
        assert!(damages.is_empty());
        assert_eq!(texts.len(), 40_000);
        for i in [0, 1, 9_999, 39_999] {
            assert_eq!(texts.id_json(i), i.to_string());
            assert_eq!(texts.line(i), i as u64 + 1);
            assert_eq!(texts.text(i), "word \" ".repeat(i % 40));
        }
    }
}
