//! Binding of the number formats of checkpoints.

use napi::bindgen_prelude::{Error, Float32Array, Result, Uint8Array, Uint32Array};
use napi_derive::napi;
use smolforge_tensor::floats;

#[napi]
pub fn widen_bf16(bytes: &[u8]) -> Result<Float32Array> {
    widen(bytes, floats::widen_bf16)
}

#[napi]
pub fn widen_f16(bytes: &[u8]) -> Result<Float32Array> {
    widen(bytes, floats::widen_f16)
}

#[napi]
pub fn narrow_to_bf16(values: &[f32]) -> Uint8Array {
    let mut bytes = vec![0; values.len() * 2];
    floats::narrow_to_bf16(values, &mut bytes);
    bytes.into()
}

#[napi]
pub fn fill_normal(
    mut values: Float32Array,
    seed: Uint32Array,
    standard_deviation: f64,
) -> Result<()> {
    let state =
        <[u32; 4]>::try_from(&seed[..]).map_err(|_| Error::from_reason("a seed has 4 words"))?;
    // SAFETY: the array belongs to the caller's thread, which waits here.
    floats::fill_normal(unsafe { values.as_mut() }, state, standard_deviation);
    Ok(())
}

fn widen(bytes: &[u8], convert: fn(&[u8], &mut [f32])) -> Result<Float32Array> {
    if !bytes.len().is_multiple_of(2) {
        return Err(Error::from_reason(
            "an odd number of bytes holds no 16-bit numbers",
        ));
    }
    let mut values = vec![0.0; bytes.len() / 2];
    convert(bytes, &mut values);
    Ok(values.into())
}
