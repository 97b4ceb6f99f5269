//! Binding of the `compression` kernels.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::compression;

fn failed(reason: String) -> Error {
    Error::new(Status::GenericFailure, reason)
}

/// One buffer as one zstd frame with a checksum.
#[napi]
pub fn zstd_compress(bytes: &[u8], level: i32) -> Result<Buffer> {
    compression::compress(bytes, level)
        .map(Buffer::from)
        .map_err(failed)
}

/// The frames of one buffer, which make exactly `length` bytes.
#[napi]
pub fn zstd_decompress(bytes: &[u8], length: u32) -> Result<Buffer> {
    compression::decompress(bytes, length as usize)
        .map(Buffer::from)
        .map_err(failed)
}

#[napi]
pub struct ZstdEncoder(compression::ZstdEncoder);

#[napi]
impl ZstdEncoder {
    #[napi(constructor)]
    pub fn new(level: i32) -> Result<Self> {
        compression::ZstdEncoder::new(level)
            .map(Self)
            .map_err(failed)
    }

    #[napi]
    pub fn push(&mut self, bytes: &[u8]) -> Result<Buffer> {
        self.0.push(bytes).map(Buffer::from).map_err(failed)
    }

    #[napi]
    pub fn end(&mut self) -> Result<Buffer> {
        self.0.end().map(Buffer::from).map_err(failed)
    }
}
