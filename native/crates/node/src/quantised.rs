//! Binding of the block formats of GGUF files.

use napi::bindgen_prelude::{Error, Float32Array, Result, Uint8Array};
use napi_derive::napi;
use smolforge_tensor::quantised::{Format, formats, quantise};

/// `count` elements as f32.
#[napi]
pub fn dequantize(format: String, bytes: &[u8], count: u32) -> Result<Float32Array> {
    let (format, count) = (parse(&format)?, count as usize);
    let needed = sized(format, count)?;
    if bytes.len() != needed {
        return Err(Error::from_reason(format!(
            "{count} elements of {} are {needed} bytes, not {}",
            format.name(),
            bytes.len()
        )));
    }
    let mut values = vec![0.0; count];
    let (part, part_bytes) = parts(format, count);
    std::thread::scope(|scope| {
        for (bytes, out) in bytes.chunks(part_bytes).zip(values.chunks_mut(part)) {
            scope.spawn(move || formats::dequantise(format, bytes, out));
        }
    });
    Ok(values.into())
}

/// Whole blocks of f32 in the format.
#[napi]
pub fn quantize(format: String, values: &[f32]) -> Result<Uint8Array> {
    let format = parse(&format)?;
    let mut bytes = vec![0; sized(format, values.len())?];
    let (part, part_bytes) = parts(format, values.len());
    std::thread::scope(|scope| {
        for (values, out) in values.chunks(part).zip(bytes.chunks_mut(part_bytes)) {
            scope.spawn(move || quantise::quantise(format, values, out));
        }
    });
    Ok(bytes.into())
}

fn parse(format: &str) -> Result<Format> {
    Format::parse(format).map_err(Error::from_reason)
}

fn sized(format: Format, count: usize) -> Result<usize> {
    format.bytes(count).ok_or_else(|| {
        let (elements, name) = (format.block_elements(), format.name());
        Error::from_reason(format!(
            "{count} elements are no whole blocks of {elements}, as {name} needs"
        ))
    })
}

/// The elements and the bytes that each thread gets: whole blocks, at least 65,536 elements.
fn parts(format: Format, count: usize) -> (usize, usize) {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    let elements = count.div_ceil(threads).max(65_536).next_multiple_of(256);
    let blocks = elements / format.block_elements();
    (elements, blocks * format.block_bytes())
}
