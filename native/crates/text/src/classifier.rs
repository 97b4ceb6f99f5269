//! Linear classifiers over hashed n-grams.
