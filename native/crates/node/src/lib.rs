//! The binding of the kernels to Node: one module for each family, nothing but argument checks in it.

// napi registers nothing in a test build, where every exported function then looks unused.
#![cfg_attr(test, allow(dead_code))]

mod background;
mod bpe;
mod compression;
mod curate;
mod dedup;
mod extract;
mod floats;
mod language;
mod ngram;
mod packed;
mod quantised;
mod statistics;
mod tensor;
mod texts;
mod warc;
