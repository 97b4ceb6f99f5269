//! Byte-level BPE with the pre-tokenizer of SmolLM2 and GPT-2: splitting, encoding, training.

mod added;
mod cache;
mod classes;
mod encoder;
mod merge;
mod splitter;
mod trainer;

pub use added::AddedToken;
pub use encoder::{Encoder, Parts};
pub use splitter::words;
pub use trainer::{Trained, Trainer};

/// A pair of token ids as one map key.
fn pair_key(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}
