//! Products of bf16 on the calling thread, a few panels at a time: for kernels that do more with a block of C while it
//! is in the first caches.

use super::amx::tile_product;
use super::left::{Part, pair_rows};
use super::{Inputs, Matrix, Packed, Tile, pair_product, panel_columns};
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
    /// Rows of a[.., k], packed into scratch of this worker (`Purpose::PackedA`).
    ///
    /// # Safety
    /// The matrix has these rows, and the context multiplies bf16.
    pub unsafe fn pack(
        context: &Context,
        worker: usize,
        a: Matrix,
        rows: Range<usize>,
        k: usize,
    ) -> Self {
        let part = Part {
            top: rows.start,
            rows: rows.len(),
            begin: 0,
            depth: k,
        };
        let step = Inputs::of(context).depth_step();
        let (data, stride) = pair_rows(context, worker, a, part, step, false);
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
    let inputs = Inputs::of(context);
    let columns = panel_columns(context.isa);
    let at = (panels.start * inputs.words(b.k) + inputs.words(depth.start)) * columns;
    let tile = Tile {
        depth: depth.len().next_multiple_of(inputs.depth_step()),
        a: a.data,
        a_stride: a.stride,
        b: b.data.as_ptr().add(at),
        b_panel_stride: columns * inputs.words(b.k),
        c,
        c_stride,
        plus: if add { c } else { std::ptr::null() },
        rows: a.rows,
        columns: (b.n.min(panels.end * columns)) - panels.start * columns,
    };
    match inputs {
        Inputs::Tiles => tile_product(context.isa, tile),
        _ => pair_product(context.isa, tile),
    }
}
