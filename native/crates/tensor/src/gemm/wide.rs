//! Products of f32 on the calling thread, a few panels at a time, as `narrow.rs` has them of bf16.

use super::{Layout, Packed, Tile, block_product};
use crate::context::Context;
use std::ops::Range;

/// Where a product goes: rows of C, and panels of two vectors of its columns.
#[derive(Clone, Copy)]
pub struct WideOutput {
    pub data: *mut f32,
    pub stride: usize,
    /// From the columns of a panel to those of the next.
    pub panel_stride: usize,
}

/// A left side of f32.
#[derive(Clone, Copy)]
pub struct WideRows {
    pub data: *const f32,
    pub stride: usize,
    pub layout: Layout,
    pub rows: usize,
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
    c: WideOutput,
    add: bool,
) {
    let plus = if add { c.data } else { std::ptr::null() };
    let tile = b.tile(context, a.rows, depth, panels, (c.data, c.stride), plus);
    let tile = Tile {
        c_panel_stride: c.panel_stride,
        ..tile.with_rows(a.data, a.stride)
    };
    block_product(context.isa, tile, a.layout, None);
}
