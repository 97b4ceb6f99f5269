//! Binding of the `tensor` kernels.
