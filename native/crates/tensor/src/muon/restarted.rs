//! The iteration in bf16. As long as only G = X Xᵀ is needed, it stays on the small side: P = a I + b G + c G², then
//! G <- P G P. Each such step multiplies what rounding put into the small eigenvalues of G by a² = 12, so after three
//! steps, and then after two each, X is multiplied by the product of the P and G is made from it anew. That has the
//! errors of multiplying X in every step (both 0.01 to 0.06 of the result on matrices whose singular values span 0 to
//! 4 decades) and takes two thirds of the products where X is three times as long as it is high.
//!
//! All products but those with X are symmetric: half of each is computed, in f32, and mirrored as it is rounded.

use super::{A, B, C, Settings};
use crate::context::{Context, Purpose, Shared};
use crate::element::Bf16;
use crate::gemm::{Matrix, Output, Packed, Plus, gemm_packed, pack};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Steps on the small side before G is made anew.
const FIRST: usize = 3;
const LATER: usize = 2;

/// f32 of memory that `restarted` works in.
pub fn words(rows: usize, columns: usize) -> usize {
    let side = rows.min(columns);
    line(rows * columns) + 5 * line(side * side) + side * side
}

/// f32 that hold so many bf16.
fn line(length: usize) -> usize {
    length.div_ceil(2).next_multiple_of(16)
}

fn halves(work: &mut [f32], length: usize) -> (&mut [Bf16], &mut [f32]) {
    let (head, rest) = work.split_at_mut(line(length));
    let pointer = head.as_mut_ptr() as *mut Bf16;
    (
        unsafe { std::slice::from_raw_parts_mut(pointer, length) },
        rest,
    )
}

/// The step of one matrix from its direction x: parameter <- keep parameter - rate orthogonal(x). A high x is
/// multiplied from the right, so that nothing is transposed. `other` is as long as x.
pub fn restarted(
    context: &Context,
    (rows, columns): (usize, usize),
    x: &mut [Bf16],
    work: &mut [f32],
    parameter: &mut [f32],
    settings: Settings,
) {
    let wide = rows <= columns;
    let (side, long) = (rows.min(columns), rows.max(columns));
    let size = side * side;
    let (other, work) = halves(work, rows * columns);
    let (gram, work) = halves(work, size);
    let (poly, work) = halves(work, size);
    let (half, work) = halves(work, size);
    let (product, work) = halves(work, size);
    let (spare, work) = halves(work, size);
    let sums = &mut work[..size];
    let (mut from, mut to) = (x, other);
    let (mut product, mut spare) = (product, spare);
    let mut done = 0;
    while done < settings.steps {
        let stretch = if done == 0 { FIRST } else { LATER }.min(settings.steps - done);
        let mut factor = 1.0;
        // X is scaled by the last P of a stretch: by its norm in the first one, by the rate in the last.
        let end = done + stretch;
        let mut scale = if end == settings.steps {
            -settings.rate
        } else {
            1.0
        };
        if wide {
            let right = pack(
                context,
                long,
                side,
                Matrix::columns(&*from, long),
                Purpose::PackedB,
            );
            let left = |top: usize| Matrix::rows(&from[top * long..], long);
            lower(context, side, &left, right, sums);
        } else {
            let right = pack(
                context,
                long,
                side,
                Matrix::rows(&*from, side),
                Purpose::PackedB,
            );
            let left = |top: usize| Matrix::columns(&from[top..], side);
            lower(context, side, &left, right, sums);
        }
        if done == 0 {
            let trace: f64 = (0..side).map(|i| sums[i * (side + 1)] as f64).sum();
            factor = 1.0 / (trace.sqrt() as f32 + 1e-7);
            scale *= factor;
        }
        let plain = Finish {
            product: 1.0,
            linear: 0.0,
            diagonal: 0.0,
        };
        let scaled = Finish {
            product: factor * factor,
            ..plain
        };
        finish(context, side, sums, &[], scaled, gram);
        for step in 0..stretch {
            let last = step + 1 == stretch;
            let s = if last { scale } else { 1.0 };
            let right = pack(
                context,
                side,
                side,
                Matrix::rows(&*gram, side),
                Purpose::PackedB,
            );
            lower(context, side, &|top| below(gram, side, top), right, sums);
            let polynomial = Finish {
                product: s * C,
                linear: s * B,
                diagonal: s * A,
            };
            finish(context, side, sums, gram, polynomial, poly);
            if !last {
                lower(context, side, &|top| below(poly, side, top), right, sums);
                finish(context, side, sums, &[], plain, half);
                times(context, side, poly, half, sums);
                finish(context, side, sums, &[], plain, gram);
            }
            if step == 0 {
                product.copy_from_slice(poly);
            } else {
                times(context, side, poly, product, sums);
                finish(context, side, sums, &[], plain, spare);
                std::mem::swap(&mut product, &mut spare);
            }
        }
        done = end;
        let (left, right) = if wide {
            (Matrix::rows(&*product, side), Matrix::rows(&*from, columns))
        } else {
            (Matrix::rows(&*from, columns), Matrix::rows(&*product, side))
        };
        let right = pack(context, side, columns, right, Purpose::PackedB);
        if done < settings.steps {
            let out = Output::new(&mut *to, columns, false);
            gemm_packed(context, rows, left, right, out);
            std::mem::swap(&mut from, &mut to);
            continue;
        }
        // The decay while rows are on their way into the cache anyway.
        let block = if context.threads == 1 { 64 } else { rows };
        let left = if wide { &*product } else { &*from };
        for top in (0..rows).step_by(block) {
            let bottom = (top + block).min(rows);
            let out = &mut parameter[top * columns..bottom * columns];
            decay(context, out, settings.keep);
            let out = Output {
                c: out.into(),
                stride: columns,
                plus: Plus::Itself,
            };
            let left = Matrix::rows(&left[top * side..], side);
            gemm_packed(context, bottom - top, left, right, out);
        }
    }
}

fn below(matrix: &[Bf16], n: usize, top: usize) -> Matrix<'_> {
    Matrix::rows(&matrix[top * n..], n)
}

/// The lower half of a b, which are symmetric and commute.
fn times(context: &Context, n: usize, a: &[Bf16], b: &[Bf16], sums: &mut [f32]) {
    let right = pack(context, n, n, Matrix::rows(b, n), Purpose::PackedB);
    lower(context, n, &|top| below(a, n, top), right, sums);
}

/// sums[n, n] = left right up to the diagonal, in blocks of rows; `left` gives its rows from one on.
fn lower<'a>(
    context: &Context,
    n: usize,
    left: &dyn Fn(usize) -> Matrix<'a>,
    right: Packed,
    sums: &mut [f32],
) {
    let block = if context.threads == 1 {
        (n / 8).next_multiple_of(32).max(32)
    } else {
        n.div_ceil(4).next_multiple_of(32)
    };
    for top in (0..n).step_by(block) {
        let bottom = (top + block).min(n);
        let out = Output::new(&mut sums[top * n..bottom * n], n, false);
        gemm_packed(context, bottom - top, left(top), right.first(bottom), out);
    }
}

/// product sums + linear (another matrix) + diagonal I
#[derive(Clone, Copy)]
struct Finish {
    product: f32,
    linear: f32,
    diagonal: f32,
}

/// Rounds what `lower` left, with what is added to it, and mirrors it. No other matrix: an empty one.
fn finish(
    context: &Context,
    n: usize,
    sums: &[f32],
    other: &[Bf16],
    what: Finish,
    out: &mut [Bf16],
) {
    assert!(sums.len() == n * n && out.len() == n * n);
    assert!(other.is_empty() || other.len() == n * n);
    let out = Shared::new(out);
    const ROWS: usize = 16;
    // A band of rows down to the diagonal, and of columns: bands write apart from each other.
    context.run_sized(n.div_ceil(ROWS), ROWS * n, &|band, _| unsafe {
        let top = band * ROWS;
        finish_band(context.isa, n, top, sums, other, what, out.pointer());
    });
}

fn decay(context: &Context, values: &mut [f32], keep: f32) {
    if keep == 1.0 {
        return;
    }
    let n = values.len();
    let values = Shared::new(values);
    context.split(n, 1, &|from, to| unsafe {
        scale(context.isa, values.part(from, to), keep);
    });
}

kernels! {
    fn finish_band(n: usize, top: usize, sums: &[f32], other: &[Bf16], what: Finish, out: *mut Bf16) = finish_body;
    fn scale(values: &mut [f32], by: f32) = scale_body;
}

#[inline(always)]
unsafe fn scale_body<S: Simd>(values: &mut [f32], by: f32) {
    let (n, p) = (values.len(), values.as_mut_ptr());
    vectors!(S, n, |i, left| {
        let v = S::mul(S::splat(by), simd::get::<S>(p.add(i), left));
        simd::put::<S>(p.add(i), left, v);
    });
}

/// The 16 rows from `top` on, in blocks of vectors.
#[inline(always)]
unsafe fn finish_body<S: Simd>(
    n: usize,
    top: usize,
    sums: &[f32],
    other: &[Bf16],
    what: Finish,
    out: *mut Bf16,
) {
    const MOST: usize = 16;
    let mut block = [0.0f32; MOST * MOST];
    let mut turned = [0.0f32; MOST * MOST];
    for first in (top..(top + MOST).min(n)).step_by(S::LANES) {
        let rows = S::LANES.min(n - first);
        for column in (0..=first).step_by(S::LANES) {
            let width = S::LANES.min(n - column);
            for row in 0..rows {
                let at = (first + row) * n + column;
                let v = simd::get::<S>(sums.as_ptr().add(at), width);
                let mut v = S::mul(S::splat(what.product), v);
                if !other.is_empty() {
                    let o = simd::get::<S>(other.as_ptr().add(at), width);
                    v = S::fma(S::splat(what.linear), o, v);
                }
                S::store(block.as_mut_ptr().add(row * S::LANES), v);
            }
            if column == first {
                for row in 0..rows {
                    block[row * (S::LANES + 1)] += what.diagonal;
                    for right in row + 1..rows {
                        block[row * S::LANES + right] = block[right * S::LANES + row];
                    }
                }
            } else {
                S::transpose(block.as_ptr(), S::LANES, turned.as_mut_ptr(), S::LANES);
                for row in 0..S::LANES {
                    let v = S::load(turned.as_ptr().add(row * S::LANES));
                    simd::put::<S>(out.add((column + row) * n + first), rows, v);
                }
            }
            for row in 0..rows {
                let v = S::load(block.as_ptr().add(row * S::LANES));
                simd::put::<S>(out.add((first + row) * n + column), width, v);
            }
        }
    }
}
