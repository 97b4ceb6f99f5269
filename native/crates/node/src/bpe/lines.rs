//! A file of JSON lines with the ids of their texts put in, block by block.

use super::BpeEncoder;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::bpe::{EncodedLines, Encoder, encode_lines};
use smolforge_text::jsonl::BlockReader;
use smolforge_text::threads::with_threads;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

#[napi]
pub struct BpeLines {
    encoder: Arc<Encoder>,
    reader: Arc<Mutex<BlockReader>>,
    before: Arc<[u32]>,
    behind: Arc<[u32]>,
}

#[napi(object)]
pub struct LinesWithIds {
    /// Nothing at the end of the file.
    pub output: Option<Buffer>,
    pub lines: f64,
    pub tokens: f64,
    pub text_bytes: f64,
    /// Bytes of the file taken so far.
    pub consumed: f64,
    /// The first line that is no object with a text; 0 where the file's compression is broken.
    pub bad_line: Option<f64>,
    pub reason: Option<String>,
}

#[napi]
impl BpeLines {
    /// `before` and `behind` stand around the ids of each text.
    #[napi(constructor)]
    pub fn new(
        encoder: &BpeEncoder,
        path: String,
        max_line_bytes: u32,
        before: &[u32],
        behind: &[u32],
    ) -> Result<Self> {
        let reader = BlockReader::open(Path::new(&path), max_line_bytes as usize);
        Ok(Self {
            encoder: encoder.encoder.clone(),
            reader: Arc::new(Mutex::new(reader.map_err(failed)?)),
            before: before.into(),
            behind: behind.into(),
        })
    }

    #[napi]
    pub fn next(&self, bytes: u32, threads: Option<u32>) -> AsyncTask<NextLines> {
        AsyncTask::new(NextLines {
            encoder: self.encoder.clone(),
            reader: self.reader.clone(),
            before: self.before.clone(),
            behind: self.behind.clone(),
            bytes: bytes as usize,
            threads: threads.unwrap_or(0) as usize,
        })
    }
}

pub struct NextLines {
    encoder: Arc<Encoder>,
    reader: Arc<Mutex<BlockReader>>,
    before: Arc<[u32]>,
    behind: Arc<[u32]>,
    bytes: usize,
    threads: usize,
}

pub enum Outcome {
    Lines(EncodedLines),
    Bad(u64, String),
    End,
}

impl Task for NextLines {
    type Output = (Outcome, u64);
    type JsValue = LinesWithIds;

    fn compute(&mut self) -> Result<Self::Output> {
        let mut damages = Vec::new();
        // The lock is given back before the work, so that the next block can be read meanwhile.
        let (block, consumed) = {
            let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let block = reader
                .next_block(self.bytes, &mut damages)
                .map_err(failed)?;
            (block, reader.consumed())
        };
        if let Some(damage) = damages.into_iter().next() {
            return Ok((Outcome::Bad(damage.line, damage.reason), consumed));
        }
        let Some(block) = block else {
            return Ok((Outcome::End, consumed));
        };
        let done = with_threads(self.threads, || {
            encode_lines(&block, &self.encoder, &self.before, &self.behind)
        });
        Ok(match done {
            Ok(lines) => (Outcome::Lines(lines), consumed),
            Err(bad) => (Outcome::Bad(bad.line, bad.reason.into()), consumed),
        })
    }

    fn resolve(&mut self, _env: Env, (outcome, consumed): Self::Output) -> Result<LinesWithIds> {
        let mut result = LinesWithIds {
            output: None,
            lines: 0.0,
            tokens: 0.0,
            text_bytes: 0.0,
            consumed: consumed as f64,
            bad_line: None,
            reason: None,
        };
        match outcome {
            Outcome::End => {}
            Outcome::Bad(line, reason) => {
                result.bad_line = Some(line as f64);
                result.reason = Some(reason);
            }
            Outcome::Lines(lines) => {
                result.lines = lines.lines as f64;
                result.tokens = lines.tokens as f64;
                result.text_bytes = lines.text_bytes as f64;
                result.output = Some(lines.output.into());
            }
        }
        Ok(result)
    }
}

/// The message begins with the system's name of the error, as Node's own do: `ENOENT: ...`.
fn failed(error: std::io::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
