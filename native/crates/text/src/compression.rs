//! zstd streams, and the compressed size of a text given a prefix.
