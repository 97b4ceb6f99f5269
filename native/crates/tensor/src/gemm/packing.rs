//! Matrices in the order in which the product reads them.

use super::Matrix;
use crate::context::{Context, Precision, Purpose, Shared};
use crate::isa::Isa;
use crate::kernels;
use crate::simd::Simd;

/// B packed whole, to be used by several products.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub(super) data: &'a [f32],
    pub(super) k: usize,
    pub(super) n: usize,
}

/// Packs b[k, n] into the scratch of this purpose, which the result borrows in effect: it is good until the next
/// `pack` for the same purpose.
pub fn pack<'c>(
    context: &'c Context,
    k: usize,
    n: usize,
    b: Matrix,
    purpose: Purpose,
) -> Packed<'c> {
    assert!(b.holds(k, n));
    let columns = panel_columns(context.isa);
    let panels = n.div_ceil(columns);
    let packed = unsafe { context.shared_scratch(purpose, panels * columns * k) };
    let out = Shared::new(packed);
    let round = context.precision == Precision::Bf16;
    // Rows lie together when columns are contiguous: then a task takes some rows of all panels, else whole panels.
    let by_rows = b.column_stride == 1;
    let parts = if by_rows {
        k.div_ceil(PACK_ROWS)
    } else {
        panels
    };
    let cost = if by_rows { PACK_ROWS * n } else { columns * k };
    let one = |panel: usize, top: usize, bottom: usize| unsafe {
        let start = panel * columns;
        let to = out.part(start * k + top * columns, start * k + bottom * columns);
        let from = b
            .data
            .as_ptr()
            .add(start * b.column_stride + top * b.row_stride);
        let width = columns.min(n - start);
        pack_panel(
            context.isa,
            from,
            b.row_stride,
            b.column_stride,
            bottom - top,
            width,
            to,
        );
        if round {
            round_bf16(context.isa, to);
        }
    };
    context.split(parts, cost, &|from, to| {
        for part in from..to {
            if by_rows {
                let (top, bottom) = (part * PACK_ROWS, ((part + 1) * PACK_ROWS).min(k));
                (0..panels).for_each(|panel| one(panel, top, bottom));
            } else {
                one(part, 0, k);
            }
        }
    });
    Packed { data: packed, k, n }
}

/// Columns of a panel of packed B.
pub fn panel_columns(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 8,
        Isa::Avx2 => 16,
        Isa::Avx512 => 32,
        #[cfg(test)]
        Isa::Wide => 32,
    }
}

/// Rows of B that are packed together for all panels.
const PACK_ROWS: usize = 32;
kernels! {
    /// Packs `width` columns of a matrix into one panel, zeros after them.
    pub fn pack_panel(from: *const f32, row_stride: usize, column_stride: usize, k: usize, width: usize, to: &mut [f32]) = pack_panel_body;
    /// Packs rows whose columns are contiguous into groups of TILE_ROWS: `[group][k][TILE_ROWS]`.
    pub fn pack_rows(from: *const f32, stride: usize, rows: usize, k: usize, to: &mut [f32]) = pack_rows_body;
    pub fn copy_rounded(from: *const f32, stride: usize, rows: usize, k: usize, to: &mut [f32], to_stride: usize) = copy_rounded_body;
    pub fn round_bf16(values: &mut [f32]) = round_body;
}

#[inline(always)]
unsafe fn pack_panel_body<S: Simd>(
    from: *const f32,
    row_stride: usize,
    column_stride: usize,
    k: usize,
    width: usize,
    to: &mut [f32],
) {
    let columns = 2 * S::LANES;
    let to = to.as_mut_ptr();
    if width == columns && column_stride == 1 {
        for p in 0..k {
            S::store(to.add(p * columns), S::load(from.add(p * row_stride)));
            S::store(
                to.add(p * columns + S::LANES),
                S::load(from.add(p * row_stride + S::LANES)),
            );
        }
        return;
    }
    let mut done = 0;
    if width == columns && row_stride == 1 {
        while done + S::LANES <= k {
            for half in 0..2 {
                let block = from.add(half * S::LANES * column_stride + done);
                S::transpose(
                    block,
                    column_stride,
                    to.add(done * columns + half * S::LANES),
                    columns,
                );
            }
            done += S::LANES;
        }
    }
    for p in done..k {
        for j in 0..columns {
            *to.add(p * columns + j) = if j < width {
                *from.add(p * row_stride + j * column_stride)
            } else {
                0.0
            };
        }
    }
}

#[inline(always)]
unsafe fn pack_rows_body<S: Simd>(
    from: *const f32,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
) {
    let group = S::TILE_ROWS;
    let whole = rows / group * group;
    let to = to.as_mut_ptr();
    for p in 0..k {
        let line = from.add(p * stride);
        for first in (0..whole).step_by(group) {
            std::ptr::copy_nonoverlapping(line.add(first), to.add(first * k + p * group), group);
        }
        if whole < rows {
            std::ptr::copy_nonoverlapping(
                line.add(whole),
                to.add(whole * k + p * group),
                rows - whole,
            );
        }
    }
}

#[inline(always)]
unsafe fn copy_rounded_body<S: Simd>(
    from: *const f32,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.as_mut_ptr().add(row * to_stride));
        let mut p = 0;
        while p + S::LANES <= k {
            S::store(out.add(p), S::bf16(S::load(line.add(p))));
            p += S::LANES;
        }
        if p < k {
            S::store_n(out.add(p), k - p, S::bf16(S::load_n(line.add(p), k - p)));
        }
    }
}

#[inline(always)]
unsafe fn round_body<S: Simd>(values: &mut [f32]) {
    let (mut i, n, p) = (0, values.len(), values.as_mut_ptr());
    while i + S::LANES <= n {
        S::store(p.add(i), S::bf16(S::load(p.add(i))));
        i += S::LANES;
    }
    if i < n {
        S::store_n(p.add(i), n - i, S::bf16(S::load_n(p.add(i), n - i)));
    }
}
