//! Weights in blocks: in a mapped file, or in memory of their own.

use super::{Engine, Slot, call, size};
use napi::bindgen_prelude::Uint32Array;
use napi::{Error, Result};
use napi_derive::napi;
use smolforge_tensor::quantised::{Blocks, Format, Mapping, unpack};
use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::SystemTime;

pub struct Weight {
    stored: Stored,
    format: Format,
    outputs: usize,
    inputs: usize,
}

enum Stored {
    Mapped {
        mapping: Arc<Mapping>,
        start: usize,
        length: usize,
    },
    Owned(Vec<u8>),
}

impl Weight {
    fn new(stored: Stored, format: Format, outputs: usize, inputs: usize) -> Result<Self> {
        let weight = Self {
            stored,
            format,
            outputs,
            inputs,
        };
        Blocks::new(format, weight.bytes(), outputs, inputs).map_err(Error::from_reason)?;
        Ok(weight)
    }

    fn bytes(&self) -> &[u8] {
        match &self.stored {
            Stored::Mapped {
                mapping,
                start,
                length,
            } => &mapping.bytes()[*start..*start + *length],
            Stored::Owned(bytes) => bytes,
        }
    }

    /// Of memory of its own.
    pub fn held_bytes(&self) -> usize {
        match &self.stored {
            Stored::Mapped { .. } => 0,
            Stored::Owned(bytes) => bytes.len(),
        }
    }

    fn blocks(&self) -> Blocks<'_> {
        Blocks::new(self.format, self.bytes(), self.outputs, self.inputs)
            .expect("checked when made")
    }
}

impl Engine {
    /// The weight when the handle names one in blocks.
    pub fn blocks(&self, handle: i32, outputs: u32, inputs: u32) -> Result<Option<Blocks<'_>>> {
        let Slot::Quantised(weight) = self.slot(handle)? else {
            return Ok(None);
        };
        if (weight.outputs, weight.inputs) != (outputs as usize, inputs as usize) {
            return Err(Error::from_reason(format!(
                "a quantised weight [{}, {}] where [{outputs}, {inputs}] is needed",
                weight.outputs, weight.inputs
            )));
        }
        Ok(Some(weight.blocks()))
    }

    /// All the weights when they are in blocks; none of them may be then while others are not.
    pub fn all_blocks(
        &self,
        weights: &[i32],
        outputs: &[u32],
        inputs: u32,
    ) -> Result<Option<Vec<Blocks<'_>>>> {
        if weights.len() != outputs.len() {
            return Err(Error::from_reason("as many weights as sizes are needed"));
        }
        let mut all = Vec::with_capacity(weights.len());
        for (&weight, &outputs) in weights.iter().zip(outputs) {
            all.extend(self.blocks(weight, outputs, inputs)?);
        }
        match all.len() {
            0 => Ok(None),
            n if n == weights.len() => Ok(Some(all)),
            _ => Err(Error::from_reason(
                "weights in blocks and others cannot share a call",
            )),
        }
    }

    /// The values when the handle names a weight in blocks.
    pub fn read_blocks(&self, handle: i32, into: &mut [f32]) -> Result<bool> {
        let Slot::Quantised(weight) = self.slot(handle)? else {
            return Ok(false);
        };
        if into.len() != weight.outputs * weight.inputs {
            return Err(Error::from_reason("the sizes differ"));
        }
        unpack::unpack(&self.context, weight.blocks(), into);
        Ok(true)
    }
}

/// A weight [outputs, inputs] in blocks that stays in its file from byte `start` on, mapped read-only. With `rows`,
/// row i of the weight is row rows[i] of the file, copied.
#[napi]
pub fn tensor_map_blocks(
    path: String,
    start: f64,
    format: String,
    outputs: u32,
    inputs: u32,
    rows: Option<Uint32Array>,
) -> Result<i32> {
    call("map", |engine| {
        let format = Format::parse(&format).map_err(Error::from_reason)?;
        let length = format
            .bytes(size(&[outputs, inputs])?)
            .ok_or_else(|| Error::from_reason("the rows are no whole blocks"))?;
        let mapping = mapped(&path)?;
        let start = start as usize;
        let file = mapping.bytes();
        if start.checked_add(length).is_none_or(|end| end > file.len()) {
            return Err(Error::from_reason("the weight ends after its file"));
        }
        let stored = match rows {
            None => Stored::Mapped {
                mapping: mapping.clone(),
                start,
                length,
            },
            Some(rows) => Stored::Owned(chosen(&file[start..start + length], outputs, &rows)?),
        };
        add(engine, stored, format, outputs, inputs)
    })
}

fn add(
    engine: &mut Engine,
    stored: Stored,
    format: Format,
    outputs: u32,
    inputs: u32,
) -> Result<i32> {
    let weight = Weight::new(stored, format, outputs as usize, inputs as usize)?;
    engine.persistent_bytes += weight.held_bytes();
    Ok(engine.take(Slot::Quantised(weight)) as i32)
}

fn chosen(bytes: &[u8], outputs: u32, rows: &[u32]) -> Result<Vec<u8>> {
    if rows.len() != outputs as usize || rows.iter().any(|&row| row >= outputs) {
        return Err(Error::from_reason("the order of the rows does not fit"));
    }
    let width = bytes.len() / rows.len().max(1);
    let mut copied = Vec::with_capacity(bytes.len());
    for &row in rows {
        copied.extend_from_slice(&bytes[row as usize * width..][..width]);
    }
    Ok(copied)
}

/// One mapping serves all weights of a file, as long as one of them lives and the file stays what it was.
fn mapped(path: &str) -> Result<Arc<Mapping>> {
    type Key = (String, u64, Option<SystemTime>);
    static OPEN: Mutex<Option<HashMap<Key, Weak<Mapping>>>> = Mutex::new(None);
    let failed = |error: std::io::Error| Error::from_reason(format!("{path}: {error}"));
    let state = std::fs::metadata(path).map_err(failed)?;
    let key = (path.to_owned(), state.len(), state.modified().ok());
    let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    let open = open.get_or_insert_with(HashMap::new);
    open.retain(|_, mapping| mapping.strong_count() > 0);
    if let Some(mapping) = open.get(&key).and_then(Weak::upgrade) {
        return Ok(mapping);
    }
    let mapping = Arc::new(Mapping::open(Path::new(path)).map_err(failed)?);
    open.insert(key, Arc::downgrade(&mapping));
    Ok(mapping)
}
