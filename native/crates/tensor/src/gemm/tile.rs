//! A block of C, tile by tile in registers.

use crate::kernels;
use crate::simd::Simd;

/// A block of C and what it is made of.
#[derive(Clone, Copy)]
pub struct Tile {
    pub depth: usize,
    /// Row-major rows `a_stride` apart; or, with stride 0, packed by `pack_rows`.
    pub a: *const f32,
    pub a_stride: usize,
    /// Panels of packed B, `b_panel_stride` apart.
    pub b: *const f32,
    pub b_panel_stride: usize,
    pub c: *mut f32,
    pub c_stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub add: bool,
}

kernels! {
    /// One block of C on the calling thread.
    pub fn block_product(tile: Tile) = block_body;
}

#[inline(always)]
unsafe fn block_body<S: Simd>(tile: Tile) {
    match S::TILE_ROWS {
        14 => block_rows::<S, 14>(tile),
        _ => block_rows::<S, 6>(tile),
    }
}

#[inline(always)]
unsafe fn block_rows<S: Simd, const ROWS: usize>(t: Tile) {
    let width = 2 * S::LANES;
    for panel in 0..t.columns.div_ceil(width) {
        let b = t.b.add(panel * t.b_panel_stride);
        let columns = width.min(t.columns - panel * width);
        let mut row = 0;
        while row < t.rows {
            let rows = ROWS.min(t.rows - row);
            let c = t.c.add(row * t.c_stride + panel * width);
            if t.a_stride == 0 {
                let a = t.a.add(row * t.depth);
                if rows == ROWS {
                    registers::<S, ROWS, false>(t.depth, a, ROWS, b, c, t.c_stride, columns, t.add);
                } else {
                    edge::<S, ROWS, false>(
                        rows, t.depth, a, ROWS, b, c, t.c_stride, columns, t.add,
                    );
                }
            } else {
                let a = t.a.add(row * t.a_stride);
                if rows == ROWS {
                    registers::<S, ROWS, true>(
                        t.depth, a, t.a_stride, b, c, t.c_stride, columns, t.add,
                    );
                } else {
                    edge::<S, ROWS, true>(
                        rows, t.depth, a, t.a_stride, b, c, t.c_stride, columns, t.add,
                    );
                }
            }
            row += rows;
        }
    }
}

/// c += aᵀ b on the calling thread, element (row, p) of the left side at a[p * a_stride + row]; b is packed.
#[inline(always)]
pub unsafe fn turned_block<S: Simd>(
    depth: usize,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    rows: usize,
    columns: usize,
) {
    match S::TILE_ROWS {
        14 => turned_rows::<S, 14>(depth, a, a_stride, b, c, c_stride, rows, columns),
        _ => turned_rows::<S, 6>(depth, a, a_stride, b, c, c_stride, rows, columns),
    }
}

#[inline(always)]
unsafe fn turned_rows<S: Simd, const ROWS: usize>(
    depth: usize,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    rows: usize,
    columns: usize,
) {
    let width = 2 * S::LANES;
    for first in (0..columns).step_by(width) {
        let (b, n) = (b.add(first * depth), width.min(columns - first));
        for row in (0..rows).step_by(ROWS) {
            let (a, c) = (a.add(row), c.add(row * c_stride + first));
            if rows - row >= ROWS {
                registers::<S, ROWS, false>(depth, a, a_stride, b, c, c_stride, n, true);
            } else {
                edge::<S, ROWS, false>(rows - row, depth, a, a_stride, b, c, c_stride, n, true);
            }
        }
    }
}

/// Fewer rows than a whole tile: in parts of 4, 2 and 1.
#[inline(always)]
unsafe fn edge<S: Simd, const ROWS: usize, const DIRECT: bool>(
    rows: usize,
    depth: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    columns: usize,
    add: bool,
) {
    let mut row = 0;
    let at = |row: usize| a.add(if DIRECT { row * stride } else { row });
    while row + 4 <= rows {
        registers::<S, 4, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
        row += 4;
    }
    if row + 2 <= rows {
        registers::<S, 2, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
        row += 2;
    }
    if row < rows {
        registers::<S, 1, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
    }
}

/// ROWS x two vectors of C in registers. DIRECT: a[row * stride + p], else a[p * stride + row].
#[inline(always)]
unsafe fn registers<S: Simd, const ROWS: usize, const DIRECT: bool>(
    depth: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    columns: usize,
    add: bool,
) {
    let mut sums = [[S::splat(0.0); 2]; ROWS];
    for p in 0..depth {
        let b0 = S::load(b.add(p * 2 * S::LANES));
        let b1 = S::load(b.add(p * 2 * S::LANES + S::LANES));
        for i in 0..ROWS {
            let x = S::splat(*a.add(if DIRECT {
                i * stride + p
            } else {
                p * stride + i
            }));
            sums[i][0] = S::fma(x, b0, sums[i][0]);
            sums[i][1] = S::fma(x, b1, sums[i][1]);
        }
    }
    for i in 0..ROWS {
        for half in 0..2 {
            let to = c.add(i * c_stride + half * S::LANES);
            let left = columns.saturating_sub(half * S::LANES);
            if left >= S::LANES {
                let sum = if add {
                    S::add(S::load(to), sums[i][half])
                } else {
                    sums[i][half]
                };
                S::store(to, sum);
            } else if left > 0 {
                let sum = if add {
                    S::add(S::load_n(to, left), sums[i][half])
                } else {
                    sums[i][half]
                };
                S::store_n(to, left, sum);
            }
        }
    }
}
