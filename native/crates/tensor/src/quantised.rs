//! Weights in the block formats of GGUF files: a few bits a weight and a scale or two a block.
//!
//! The layouts are those of llama.cpp's `ggml-common.h`. `formats` names them and gives single blocks back as f32,
//! slowly and obviously; `quantise` makes blocks, `unpack` undoes them at speed; `product` multiplies with them as they are.

mod blocks;
mod dots;
pub mod formats;
mod groups;
pub mod head;
mod lanes;
pub mod mapping;
mod place;
pub mod product;
mod quads;
pub mod quantise;
pub mod unpack;

pub use blocks::Blocks;
pub use formats::Format;
pub use mapping::Mapping;
pub use product::probe;
