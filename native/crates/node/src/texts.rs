//! Binding of `jsonl`: batches of texts that stay on this side of the border.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::jsonl;
use smolforge_text::threads::with_threads;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Texts of documents for native passes: a pass takes `&TextBatch` and borrows the strings with `texts()`.
#[napi]
pub struct TextBatch(Mutex<Option<Arc<jsonl::Texts>>>);

impl TextBatch {
    fn around(texts: jsonl::Texts) -> Self {
        Self(Mutex::new(Some(Arc::new(texts))))
    }

    /// The texts, kept alive for a pass on another thread.
    pub fn shared(&self) -> Result<Arc<jsonl::Texts>> {
        guard(&self.0)
            .clone()
            .ok_or_else(|| Error::new(Status::InvalidArg, "the batch of texts was released"))
    }
}

#[napi]
impl TextBatch {
    /// A batch of strings from elsewhere than JSON lines. Without ids, which are JSON literals, they are numbered.
    #[napi(constructor)]
    pub fn new(
        texts: Vec<String>,
        ids_json: Option<Vec<String>>,
        urls: Option<Vec<Option<String>>>,
    ) -> Result<Self> {
        let Some(ids) = ids_json else {
            return Ok(Self::around(jsonl::Texts::from_strings(&texts)));
        };
        let urls = urls.unwrap_or_else(|| vec![None; texts.len()]);
        if ids.len() != texts.len() || urls.len() != texts.len() {
            return Err(Error::new(
                Status::InvalidArg,
                "each text has an id and an address",
            ));
        }
        let mut all = jsonl::Texts::default();
        for ((text, id), url) in texts.iter().zip(&ids).zip(&urls) {
            all.push(text, id, url.as_deref());
        }
        Ok(Self::around(all))
    }

    #[napi(getter)]
    pub fn length(&self) -> Result<u32> {
        Ok(self.shared()?.len() as u32)
    }

    /// UTF-8 bytes of text.
    #[napi(getter)]
    pub fn bytes(&self) -> Result<f64> {
        Ok(self.shared()?.bytes() as f64)
    }

    #[napi(getter)]
    pub fn replaced(&self) -> Result<f64> {
        Ok(self.shared()?.replaced() as f64)
    }

    #[napi]
    pub fn text(&self, document: u32) -> Result<String> {
        let texts = self.shared()?;
        Ok(texts.text(within(document, &texts)?).to_string())
    }

    #[napi]
    pub fn line(&self, document: u32) -> Result<f64> {
        let texts = self.shared()?;
        Ok(texts.line(within(document, &texts)?) as f64)
    }

    #[napi]
    pub fn ids_json(&self) -> Result<Vec<String>> {
        let texts = self.shared()?;
        Ok((0..texts.len())
            .map(|document| texts.id_json(document).to_string())
            .collect())
    }

    #[napi]
    pub fn urls(&self) -> Result<Vec<Option<String>>> {
        let texts = self.shared()?;
        Ok((0..texts.len())
            .map(|document| texts.url(document).map(String::from))
            .collect())
    }

    /// A line `{"id":ID` + `rest` for each document from `from` up to `to`.
    #[napi]
    pub fn lines(&self, from: u32, to: u32, rest: String) -> Result<String> {
        let texts = self.shared()?;
        let to = (to as usize).min(texts.len());
        let mut lines = String::new();
        for document in (from as usize).min(to)..to {
            lines.push_str("{\"id\":");
            lines.push_str(texts.id_json(document));
            lines.push_str(&rest);
            lines.push('\n');
        }
        Ok(lines)
    }

    /// A line `{"id","text"}` for each document that `keep` has a 1 for.
    #[napi]
    pub fn kept_lines(
        &self,
        keep: Uint8Array,
        threads: Option<u32>,
    ) -> Result<AsyncTask<KeptLines>> {
        let texts = self.shared()?;
        if keep.len() != texts.len() {
            return Err(Error::new(
                Status::InvalidArg,
                "a mark for each document is needed",
            ));
        }
        Ok(AsyncTask::new(KeptLines {
            texts,
            keep: keep.to_vec(),
            threads: threads.unwrap_or(0) as usize,
        }))
    }

    /// Gives the memory back now; the batch is of no use afterwards.
    #[napi]
    pub fn release(&self) {
        guard(&self.0).take();
    }
}

pub struct KeptLines {
    texts: Arc<jsonl::Texts>,
    keep: Vec<u8>,
    threads: usize,
}

impl Task for KeptLines {
    type Output = Vec<u8>;
    type JsValue = Buffer;

    fn compute(&mut self) -> Result<Vec<u8>> {
        let (texts, keep) = (&self.texts, &self.keep);
        Ok(with_threads(self.threads, || {
            texts.lines_of(|document| keep[document] == 1)
        }))
    }

    fn resolve(&mut self, _env: Env, lines: Vec<u8>) -> Result<Buffer> {
        Ok(lines.into())
    }
}

fn within(document: u32, texts: &jsonl::Texts) -> Result<usize> {
    if (document as usize) < texts.len() {
        return Ok(document as usize);
    }
    Err(Error::new(
        Status::InvalidArg,
        "the batch has no such document",
    ))
}

#[napi(object)]
pub struct TextDamage {
    pub offset: f64,
    pub length: f64,
    pub line: f64,
    pub reason: String,
}

#[napi(object, object_from_js = false)]
pub struct ReadTexts {
    pub batch: Option<TextBatch>,
    pub damages: Vec<TextDamage>,
    /// Bytes of the file taken so far.
    pub consumed: f64,
}

#[napi]
pub struct TextReader(Arc<Mutex<jsonl::Reader>>);

#[napi]
impl TextReader {
    #[napi(constructor)]
    pub fn new(path: String, max_line_bytes: u32) -> Result<Self> {
        let reader = jsonl::Reader::open(Path::new(&path), (max_line_bytes as usize).min(1 << 30));
        Ok(Self(Arc::new(Mutex::new(reader.map_err(failed)?))))
    }

    /// The documents of about `bytes` bytes of lines, read and parsed on other threads.
    #[napi]
    pub fn next(&self, bytes: u32, threads: Option<u32>) -> AsyncTask<NextTexts> {
        AsyncTask::new(NextTexts {
            reader: self.0.clone(),
            bytes: bytes as usize,
            threads: threads.unwrap_or(0) as usize,
        })
    }
}

pub struct NextTexts {
    reader: Arc<Mutex<jsonl::Reader>>,
    bytes: usize,
    threads: usize,
}

impl Task for NextTexts {
    type Output = (Option<jsonl::Texts>, Vec<jsonl::Damage>, u64);
    type JsValue = ReadTexts;

    fn compute(&mut self) -> Result<Self::Output> {
        let mut reader = guard(&self.reader);
        let mut damages = Vec::new();
        let (reader, bytes) = (&mut *reader, self.bytes);
        let texts = with_threads(self.threads, || reader.next_batch(bytes, &mut damages));
        Ok((texts.map_err(failed)?, damages, reader.consumed()))
    }

    fn resolve(
        &mut self,
        _env: Env,
        (texts, damages, consumed): Self::Output,
    ) -> Result<ReadTexts> {
        Ok(ReadTexts {
            batch: texts.map(TextBatch::around),
            damages: damages.into_iter().map(damage_of).collect(),
            consumed: consumed as f64,
        })
    }
}

pub fn damage_of(damage: jsonl::Damage) -> TextDamage {
    TextDamage {
        offset: damage.offset as f64,
        length: damage.length as f64,
        line: damage.line as f64,
        reason: damage.reason,
    }
}

fn guard<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The message begins with the system's name of the error, as Node's own do: `ENOENT: ...`.
fn failed(error: std::io::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
