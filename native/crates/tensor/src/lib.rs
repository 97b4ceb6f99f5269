//! CPU kernels of the engine.

pub mod floats;
