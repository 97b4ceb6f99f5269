//! Binding of the `bpe` kernels.
