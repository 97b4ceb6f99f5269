//! Binding of the `warc` kernels.
