//! CPU kernels of the engine: slices in, slices out, no policy.
//!
//! Every kernel body is written once over the vector type of `simd.rs` and compiled once for each instruction set;
//! `Context` carries the choice made at run time, the number of threads and the scratch memory. Work is cut by shape
//! alone and no sum depends on which thread did a part of it, so the same call gives the same bits.

pub mod arena;
pub mod attention;
pub mod context;
pub mod element;
pub mod elementwise;
pub mod floats;
pub mod gated;
pub mod gather;
pub mod gemm;
pub mod head;
pub mod isa;
pub mod linears;
pub mod muon;
mod noise;
pub mod normalise;
pub mod normed;
pub mod optimizer;
pub mod optimizer_8bit;
pub mod pool;
pub mod quantised;
pub mod reduce;
pub mod rope;
pub mod simd;
pub mod swiglu;

pub use context::{Context, Precision};
pub use isa::Isa;
