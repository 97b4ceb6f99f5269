//! Weights in the block formats of GGUF files: a few bits a weight and a scale or two a block.
//!
//! The layouts are those of llama.cpp's `ggml-common.h`. `formats` names them and gives single blocks back as f32,
//! slowly and obviously; `quantise` makes blocks.

pub mod formats;
pub mod quantise;

pub use formats::Format;
