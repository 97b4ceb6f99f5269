//! Byte-level BPE with the pre-tokenizers of GPT-2, SmolLM2, Llama 3 and Qwen: splitting, encoding, training.

mod added;
mod cache;
mod cl100k;
mod classes;
mod counts;
mod encoder;
mod fertility;
mod lines;
mod merge;
mod nfc;
mod pretokenizer;
mod splitter;
mod trainer;

pub use added::AddedToken;
pub use encoder::{Encoder, Parts};
pub use fertility::{Fertility, fertility};
pub use lines::{EncodedLines, encode_lines};
pub use pretokenizer::{PreTokenizer, Step};
pub use trainer::{Trained, Trainer};

/// A pair of token ids as one map key.
fn pair_key(left: u32, right: u32) -> u64 {
    (left as u64) << 32 | right as u64
}
