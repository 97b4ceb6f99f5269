//! Binding of the `extract` kernels.
