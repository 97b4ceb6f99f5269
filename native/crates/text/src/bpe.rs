//! Byte-level BPE: training and encoding.
