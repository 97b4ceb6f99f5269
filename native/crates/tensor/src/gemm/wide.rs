//! Products of f32 on the calling thread, a few panels at a time, as `narrow.rs` has them of bf16.

use super::{Layout, Packed, Tile, block_product, panel_columns};
use crate::context::Context;
use std::ops::Range;

/// A left side of f32.
#[derive(Clone, Copy)]
pub struct WideRows {
    pub data: *const f32,
    pub stride: usize,
    pub layout: Layout,
    pub rows: usize,
}

impl<'a> Packed<'a> {
    /// What lies in panels already, as `pack` packs it.
    pub fn panels(data: &'a [f32], k: usize, n: usize) -> Self {
        Self { data, k, n }
    }

    /// Its rows.
    pub fn k(&self) -> usize {
        self.k
    }
}

/// c = a b, of B the rows `depth` and these panels; or c += with `add`.
///
/// # Safety
/// The rows are as deep, C holds as many rows and columns, and B is packed as f32.
pub unsafe fn wide_product(
    context: &Context,
    a: WideRows,
    b: Packed,
    depth: Range<usize>,
    panels: Range<usize>,
    c: *mut f32,
    c_stride: usize,
    add: bool,
) {
    let columns = panel_columns(context.isa);
    let tile = Tile {
        depth: depth.len(),
        a: a.data,
        a_stride: a.stride,
        b: b.data
            .as_ptr()
            .add((panels.start * b.k + depth.start) * columns),
        b_panel_stride: columns * b.k,
        c,
        c_stride,
        plus: if add { c } else { std::ptr::null() },
        rows: a.rows,
        columns: b.n.min(panels.end * columns) - panels.start * columns,
    };
    block_product(context.isa, tile, a.layout, None);
}
