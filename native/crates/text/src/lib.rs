//! Text kernels: bytes in, bytes or typed arrays out, a batch per call, own threads, no policy.

pub mod bpe;
pub mod classifier;
pub mod compression;
pub mod decontaminate;
pub mod dedup;
pub mod extract;
pub mod fasttext;
pub mod jsonl;
pub mod language;
pub mod mask;
mod members;
pub mod minhash;
pub mod ngram;
pub mod packed;
pub mod prefix;
pub mod statistics;
pub mod threads;
pub mod urls;
pub mod warc;
pub mod words;
