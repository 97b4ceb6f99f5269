//! Overlap of documents with benchmark items by 64-bit n-gram hashes.
