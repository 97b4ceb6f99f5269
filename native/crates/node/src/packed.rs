//! Binding of the `packed` kernels.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::packed;
use std::sync::{Arc, Mutex};

/// A piece of a packed file: its text, or a range of the file that gave none.
#[napi(object)]
pub struct PackedPiece {
    pub text: Option<Buffer>,
    pub offset: f64,
    pub length: f64,
    pub reason: Option<String>,
}

type SharedReader = Arc<Mutex<packed::Reader>>;

#[napi]
pub struct PackedReader(SharedReader);

#[napi]
impl PackedReader {
    #[napi(constructor)]
    pub fn new(path: String, zstd: bool) -> Result<Self> {
        let reader = packed::Reader::open(&path, zstd).map_err(|e| failed(&e))?;
        Ok(Self(Arc::new(Mutex::new(reader))))
    }

    /// About `bytes` bytes of text decoded on another thread, or null at the end.
    #[napi(ts_return_type = "Promise<PackedPiece | null>")]
    pub fn next(&self, bytes: u32) -> AsyncTask<ReadPiece> {
        AsyncTask::new(ReadPiece {
            reader: self.0.clone(),
            bytes: bytes as usize,
        })
    }
}

pub struct ReadPiece {
    reader: SharedReader,
    bytes: usize,
}

impl Task for ReadPiece {
    type Output = Option<packed::Piece>;
    type JsValue = Option<PackedPiece>;

    fn compute(&mut self) -> Result<Self::Output> {
        let mut reader = match self.reader.lock() {
            Ok(reader) => reader,
            Err(poisoned) => poisoned.into_inner(),
        };
        reader.next_piece(self.bytes).map_err(|e| failed(&e))
    }

    fn resolve(&mut self, _env: Env, piece: Self::Output) -> Result<Self::JsValue> {
        Ok(piece.map(|piece| match piece {
            packed::Piece::Text(text) => PackedPiece {
                text: Some(text.into()),
                offset: 0.0,
                length: 0.0,
                reason: None,
            },
            packed::Piece::Damage {
                offset,
                length,
                reason,
            } => PackedPiece {
                text: None,
                offset: offset as f64,
                length: length as f64,
                reason: Some(reason.into()),
            },
        }))
    }
}

fn failed(error: &std::io::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
