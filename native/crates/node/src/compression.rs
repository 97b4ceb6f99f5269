//! Binding of the `compression` kernels.
