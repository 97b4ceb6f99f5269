//! Products of f32 on the calling thread, a few panels at a time, as `narrow.rs` has them of bf16.

use super::{Layout, Packed, block_product};
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
    let plus = if add { c } else { std::ptr::null() };
    let tile = b.tile(context, a.rows, depth, panels, (c, c_stride), plus);
    block_product(
        context.isa,
        tile.with_rows(a.data, a.stride),
        a.layout,
        None,
    );
}
