//! Binding of the `ngram` kernels.
