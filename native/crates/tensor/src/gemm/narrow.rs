//! Products of bf16 on the calling thread, a few panels at a time: for kernels that do more with a block of C while it
//! is in the first caches.

use super::amx::tile_product;
use super::left::{Part, pair_rows};
use super::{Inputs, Matrix, Packed, pair_product};
use crate::context::Context;
use crate::element::Bf16;
use std::ops::Range;

/// Rows of bf16, `stride` apart, zeros after them up to a multiple of `Inputs::depth_step`.
#[derive(Clone, Copy)]
pub struct NarrowRows {
    pub data: *const Bf16,
    pub stride: usize,
    pub rows: usize,
}

impl NarrowRows {
    /// Rows of a[.., k]: where they lie if they may be read there (`direct`) and are bf16, else packed into scratch of
    /// this worker (`Purpose::PackedA`).
    ///
    /// # Safety
    /// The matrix has these rows, and the context multiplies bf16.
    pub unsafe fn new(
        context: &Context,
        worker: usize,
        a: Matrix,
        rows: Range<usize>,
        k: usize,
        direct: bool,
    ) -> Self {
        let part = Part {
            top: rows.start,
            rows: rows.len(),
            begin: 0,
            depth: k,
        };
        let step = Inputs::of(context).depth_step();
        let (data, stride) = pair_rows(context, worker, a, part, step, direct);
        Self {
            data,
            stride,
            rows: rows.len(),
        }
    }
}

/// c = a b, of B the rows `depth` (their start a multiple of the depth step) and these panels; or c += with `add`.
///
/// # Safety
/// The rows are as deep, C holds as many rows and columns, and the context multiplies bf16.
pub unsafe fn narrow_product(
    context: &Context,
    a: NarrowRows,
    b: Packed,
    depth: Range<usize>,
    panels: Range<usize>,
    c: *mut f32,
    c_stride: usize,
    add: bool,
) {
    let plus = if add { c } else { std::ptr::null() };
    let tile = b.tile(context, a.rows, depth, panels, (c, c_stride), plus);
    let tile = tile.with_rows(a.data, a.stride);
    match Inputs::of(context) {
        Inputs::Tiles => tile_product(context.isa, tile),
        _ => pair_product(context.isa, tile),
    }
}
