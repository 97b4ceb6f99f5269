//! Products with a few rows of A, as in generation one token at a time.

use super::Matrix;
use crate::context::{Context, Precision, Shared};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Up to here a product is bound by reading B once: packing would read and write it once more.
pub const FEW_ROWS: usize = 4;

/// A few rows of A against columns of B that are contiguous, as in generation, one token at a time.
pub fn few_rows(
    context: &Context,
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    c_stride: usize,
    add: bool,
) {
    let round = context.precision == Precision::Bf16;
    let out = Shared::new(c);
    context.split(n, k, &|from, to| unsafe {
        let columns = b.data.as_ptr().add(from * b.column_stride);
        let rows = Dots {
            a: a.data.as_ptr(),
            a_stride: a.row_stride,
            b: columns,
            b_stride: b.column_stride,
            c: out.pointer().add(from),
            c_stride,
            depth: k,
            columns: to - from,
            add,
            round,
        };
        dots(context.isa, m, rows);
    });
}

#[derive(Clone, Copy)]
struct Dots {
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    depth: usize,
    columns: usize,
    add: bool,
    round: bool,
}

kernels! {
    fn dots(rows: usize, dots: Dots) = dots_body;
}

#[inline(always)]
unsafe fn dots_body<S: Simd>(rows: usize, d: Dots) {
    match rows {
        1 => dot_rows::<S, 1, 4>(d),
        2 => dot_rows::<S, 2, 4>(d),
        3 => dot_rows::<S, 3, 2>(d),
        _ => dot_rows::<S, 4, 2>(d),
    }
}

/// ROWS x COLUMNS dot products at a time.
#[inline(always)]
unsafe fn dot_rows<S: Simd, const ROWS: usize, const COLUMNS: usize>(d: Dots) {
    let whole = d.columns / COLUMNS * COLUMNS;
    for column in (0..whole).step_by(COLUMNS) {
        dot_block::<S, ROWS, COLUMNS>(d, column);
    }
    for column in whole..d.columns {
        dot_block::<S, ROWS, 1>(d, column);
    }
}

#[inline(always)]
unsafe fn dot_block<S: Simd, const ROWS: usize, const COLUMNS: usize>(d: Dots, column: usize) {
    let mut sums = [[S::splat(0.0); COLUMNS]; ROWS];
    vectors!(S, d.depth, |p, left| {
        for j in 0..COLUMNS {
            let mut y = simd::get::<S>(d.b.add((column + j) * d.b_stride + p), left);
            if d.round {
                y = S::bf16(y);
            }
            for i in 0..ROWS {
                let mut x = simd::get::<S>(d.a.add(i * d.a_stride + p), left);
                if d.round {
                    x = S::bf16(x);
                }
                sums[i][j] = S::fma(x, y, sums[i][j]);
            }
        }
    });
    for i in 0..ROWS {
        for j in 0..COLUMNS {
            let to = d.c.add(i * d.c_stride + column + j);
            let sum = S::sum(sums[i][j]);
            *to = if d.add { *to + sum } else { sum };
        }
    }
}
