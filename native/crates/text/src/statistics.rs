//! Per-document numbers that quality rules look at.
