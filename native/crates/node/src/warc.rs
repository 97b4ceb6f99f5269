//! Binding of the `warc` kernels.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::warc;
use std::fs::File;
use std::sync::{Arc, Mutex};

/// One record with the range of the file that it takes.
#[napi(object)]
pub struct WarcRecord {
    pub offset: f64,
    pub length: f64,
    pub kind: String,
    pub url: Option<String>,
    pub content_type: Option<String>,
    pub date: Option<String>,
    pub truncated: Option<String>,
    pub payload: Buffer,
}

/// A range of the file that gave no record.
#[napi(object)]
pub struct WarcDamage {
    pub offset: f64,
    pub length: f64,
    pub reason: String,
}

#[napi(object)]
pub struct WarcBatch {
    pub records: Vec<WarcRecord>,
    pub damages: Vec<WarcDamage>,
    /// Bytes of the file accounted for so far, and its size.
    pub accounted: f64,
    pub size: f64,
    pub done: bool,
}

type SharedReader = Arc<Mutex<warc::Reader<File>>>;

#[napi]
pub struct WarcReader(SharedReader);

#[napi]
impl WarcReader {
    #[napi(constructor)]
    pub fn new(path: String, max_record_bytes: u32) -> Result<Self> {
        let reader =
            File::open(&path).and_then(|file| warc::Reader::new(file, max_record_bytes as usize));
        Ok(Self(Arc::new(Mutex::new(reader.map_err(|e| failed(&e))?))))
    }

    /// Records of about `bytes` bytes of payload together, read on another thread.
    #[napi]
    pub fn next(&self, bytes: u32) -> AsyncTask<ReadBatch> {
        AsyncTask::new(ReadBatch {
            reader: self.0.clone(),
            bytes: bytes as usize,
        })
    }
}

pub struct ReadBatch {
    reader: SharedReader,
    bytes: usize,
}

pub struct Batch {
    items: Vec<warc::Item>,
    accounted: u64,
    size: u64,
    done: bool,
}

impl Task for ReadBatch {
    type Output = Batch;
    type JsValue = WarcBatch;

    fn compute(&mut self) -> Result<Batch> {
        let mut reader = match self.reader.lock() {
            Ok(reader) => reader,
            Err(poisoned) => poisoned.into_inner(),
        };
        let mut batch = Batch {
            items: Vec::new(),
            accounted: 0,
            size: reader.size(),
            done: false,
        };
        let mut bytes = 0;
        while bytes < self.bytes && batch.items.len() < 1024 {
            match reader.next_item().map_err(|e| failed(&e))? {
                Some(item) => {
                    if let warc::Item::Record(record) = &item {
                        bytes += record.payload.len();
                    }
                    batch.items.push(item);
                }
                None => {
                    batch.done = true;
                    break;
                }
            }
        }
        batch.accounted = reader.accounted();
        Ok(batch)
    }

    fn resolve(&mut self, _env: Env, batch: Batch) -> Result<WarcBatch> {
        let mut records = Vec::new();
        let mut damages = Vec::new();
        for item in batch.items {
            match item {
                warc::Item::Record(record) => records.push(WarcRecord {
                    offset: record.offset as f64,
                    length: record.length as f64,
                    kind: record.kind,
                    url: record.url,
                    content_type: record.content_type,
                    date: record.date,
                    truncated: record.truncated,
                    payload: record.payload.into(),
                }),
                warc::Item::Damage(damage) => damages.push(WarcDamage {
                    offset: damage.offset as f64,
                    length: damage.length as f64,
                    reason: damage.reason,
                }),
            }
        }
        Ok(WarcBatch {
            records,
            damages,
            accounted: batch.accounted as f64,
            size: batch.size as f64,
            done: batch.done,
        })
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
