//! The binding of the kernels to Node: one module for each family, nothing but argument checks in it.

mod bpe;
mod compression;
mod curate;
mod extract;
mod floats;
mod ngram;
mod tensor;
mod warc;
