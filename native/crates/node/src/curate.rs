//! Binding of the `curate` kernels.
