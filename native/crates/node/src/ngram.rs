//! Binding of the `ngram` and `prefix` kernels: the baselines. Both work off the main thread.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::ngram::{Documents, kneser_ney_bits};
use smolforge_text::prefix::compressed_size;

pub struct KneserNeyTask {
    training: (Vec<u16>, Vec<u32>),
    held_out: (Vec<u16>, Vec<u32>),
    order: u32,
    vocab_size: u32,
    end_of_text: u16,
}

#[napi]
impl Task for KneserNeyTask {
    type Output = Vec<f64>;
    type JsValue = Float64Array;

    fn compute(&mut self) -> Result<Vec<f64>> {
        kneser_ney_bits(
            &Documents {
                tokens: &self.training.0,
                lengths: &self.training.1,
            },
            &Documents {
                tokens: &self.held_out.0,
                lengths: &self.held_out.1,
            },
            self.order as usize,
            self.vocab_size as usize,
            self.end_of_text,
        )
        .map_err(Error::from_reason)
    }

    fn resolve(&mut self, _env: Env, output: Vec<f64>) -> Result<Float64Array> {
        Ok(Float64Array::new(output))
    }
}

/// -log2 p of each held-out token under an interpolated modified Kneser-Ney model of the training tokens.
#[napi]
pub fn kneser_ney(
    training: Uint16Array,
    training_lengths: Uint32Array,
    held_out: Uint16Array,
    held_out_lengths: Uint32Array,
    order: u32,
    vocab_size: u32,
    end_of_text: u32,
) -> Result<AsyncTask<KneserNeyTask>> {
    let end_of_text = u16::try_from(end_of_text)
        .map_err(|_| Error::from_reason("the end-of-text id exceeds 16 bits"))?;
    Ok(AsyncTask::new(KneserNeyTask {
        training: (training.to_vec(), training_lengths.to_vec()),
        held_out: (held_out.to_vec(), held_out_lengths.to_vec()),
        order,
        vocab_size,
        end_of_text,
    }))
}

pub struct PrefixTask {
    prefix: Vec<u8>,
    text: Vec<u8>,
    level: i32,
    window_log: u32,
}

#[napi]
impl Task for PrefixTask {
    type Output = u32;
    type JsValue = u32;

    fn compute(&mut self) -> Result<u32> {
        let size = compressed_size(&self.prefix, &self.text, self.level, self.window_log)
            .map_err(Error::from_reason)?;
        u32::try_from(size).map_err(|_| Error::from_reason("the compressed text exceeds 4 GiB"))
    }

    fn resolve(&mut self, _env: Env, output: u32) -> Result<u32> {
        Ok(output)
    }
}

/// The bytes that zstd needs for `text` when `prefix` is already known.
#[napi]
pub fn zstd_size_with_prefix(
    prefix: Uint8Array,
    text: Uint8Array,
    level: i32,
    window_log: u32,
) -> AsyncTask<PrefixTask> {
    AsyncTask::new(PrefixTask {
        prefix: prefix.to_vec(),
        text: text.to_vec(),
        level,
        window_log,
    })
}
