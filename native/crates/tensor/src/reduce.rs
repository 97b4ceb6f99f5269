//! Sums along an axis, their gradient, and the transpose. Long sums are cut into parts by length alone, so they do
//! not depend on the number of threads.

use crate::context::{Context, Shared};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

const PART: usize = 8_192;

/// y[o, i] = factor * sum over a of x[o, a, i], or y += with `add`.
pub fn sum_axis(
    context: &Context,
    x: &[f32],
    y: &mut [f32],
    outer: usize,
    axis: usize,
    inner: usize,
    factor: f32,
    add: bool,
) {
    assert!(x.len() == outer * axis * inner && y.len() == outer * inner);
    if inner == 1 {
        let out = Shared::new(y);
        if outer == 1 {
            let sum = factor * total(context, x, false) as f32;
            let y = unsafe { out.part(0, 1) };
            y[0] = if add { y[0] + sum } else { sum };
            return;
        }
        context.split(outer, axis, &|from, to| unsafe {
            for (o, y) in (from..to).zip(out.part(from, to)) {
                let sum = factor * sum_part(context.isa, &x[o * axis..(o + 1) * axis], false);
                *y = if add { *y + sum } else { sum };
            }
        });
        return;
    }
    let out = Shared::new(y);
    context.split(outer * inner, axis, &|from, to| unsafe {
        let mut at = from;
        while at < to {
            let (o, i) = (at / inner, at % inner);
            let n = (inner - i).min(to - at);
            let y = out.part(at, at + n);
            if !add {
                y.fill(0.0);
            }
            for a in 0..axis {
                let line = &x[(o * axis + a) * inner + i..][..n];
                y.iter_mut().zip(line).for_each(|(y, x)| *y += factor * x);
            }
            at += n;
        }
    });
}

/// x[o, a, i] = factor * y[o, i], or x += with `add`: the gradient of `sum_axis`.
pub fn spread_axis(
    context: &Context,
    y: &[f32],
    x: &mut [f32],
    outer: usize,
    axis: usize,
    inner: usize,
    factor: f32,
    add: bool,
) {
    assert!(x.len() == outer * axis * inner && y.len() == outer * inner);
    let out = Shared::new(x);
    context.split(outer * axis, inner, &|from, to| unsafe {
        for row in from..to {
            let line = &y[row / axis * inner..][..inner];
            for (x, y) in out
                .part(row * inner, (row + 1) * inner)
                .iter_mut()
                .zip(line)
            {
                *x = if add { *x + factor * y } else { factor * y };
            }
        }
    });
}

/// The sum of x, or of its squares, over parts of a fixed length, in double precision between the parts.
pub fn total(context: &Context, x: &[f32], squares: bool) -> f64 {
    let parts = x.len().div_ceil(PART);
    let mut sums = vec![0.0f32; parts];
    let out = Shared::new(&mut sums);
    context.split(parts, PART, &|from, to| unsafe {
        for (part, sum) in (from..to).zip(out.part(from, to)) {
            let line = &x[part * PART..x.len().min((part + 1) * PART)];
            *sum = sum_part(context.isa, line, squares);
        }
    });
    sums.iter().map(|&sum| sum as f64).sum()
}

/// y[c, r] = x[r, c], or y += with `add`.
pub fn transpose(
    context: &Context,
    x: &[f32],
    y: &mut [f32],
    rows: usize,
    columns: usize,
    add: bool,
) {
    assert!(x.len() == rows * columns && y.len() == x.len());
    const BLOCK: usize = 32;
    let out = Shared::new(y);
    context.split(columns.div_ceil(BLOCK), rows * BLOCK, &|from, to| unsafe {
        for top in (0..rows).step_by(BLOCK) {
            for c in from * BLOCK..(to * BLOCK).min(columns) {
                let bottom = (top + BLOCK).min(rows);
                let line = out.part(c * rows + top, c * rows + bottom);
                for (r, y) in (top..bottom).zip(line) {
                    let value = x[r * columns + c];
                    *y = if add { *y + value } else { value };
                }
            }
        }
    });
}

kernels! {
    fn sum_part(x: &[f32], squares: bool) -> f32 = sum_body;
}

#[inline(always)]
unsafe fn sum_body<S: Simd>(x: &[f32], squares: bool) -> f32 {
    let (p, n) = (x.as_ptr(), x.len());
    let mut sums = [S::splat(0.0); 4];
    let whole = n / (4 * S::LANES) * 4 * S::LANES;
    for i in (0..whole).step_by(4 * S::LANES) {
        for lane in 0..4 {
            let v = S::load(p.add(i + lane * S::LANES));
            sums[lane] = if squares {
                S::fma(v, v, sums[lane])
            } else {
                S::add(sums[lane], v)
            };
        }
    }
    vectors!(S, n - whole, |i, left| {
        let v = simd::get::<S>(p.add(whole + i), left);
        sums[0] = if squares {
            S::fma(v, v, sums[0])
        } else {
            S::add(sums[0], v)
        };
    });
    S::sum(S::add(S::add(sums[0], sums[1]), S::add(sums[2], sums[3])))
}
