//! What attention does to one row of scores, and the product with a transposed left side.

use crate::gemm::turned_block;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// C += aᵀ b for a block: element (row, p) of the left side at a[p * a_stride + row].
#[derive(Clone, Copy)]
pub struct Turned {
    pub depth: usize,
    pub a: *const f32,
    pub a_stride: usize,
    pub b: *const f32,
    pub c: *mut f32,
    pub c_stride: usize,
    pub rows: usize,
    pub columns: usize,
}

kernels! {
    /// Turns scores into exp(scale * score - largest) between low and high and zeros elsewhere; gives their sum and
    /// the log-sum-exp.
    pub fn exp_row(line: &mut [f32], low: usize, high: usize, scale: f32) -> (f32, f32) = exp_row_body;
    /// Turns scores into probabilities p, and slopes dp into scale * p * (dp - dot); zeros outside low .. high.
    pub fn slope_row(scores: &mut [f32], slopes: &mut [f32], low: usize, high: usize, scale: f32, lse: f32, dot: f32) = slope_row_body;
    pub fn dot(a: &[f32], b: &[f32]) -> f32 = dot_body;
    /// out[i] = x . rows[i], rows `stride` apart.
    pub fn dot_rows(x: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) = dot_rows_body;
    /// y = factor * sum of weights[i] rows[i], rows `stride` apart.
    pub fn weighted_rows(weights: &[f32], factor: f32, rows: &[f32], stride: usize, y: &mut [f32]) = weighted_rows_body;
    pub fn turned_product(turned: Turned) = turned_body;
}

#[inline(always)]
unsafe fn turned_body<S: Simd>(t: Turned) {
    turned_block::<S>(
        t.depth, t.a, t.a_stride, t.b, t.c, t.c_stride, t.rows, t.columns,
    );
}

#[inline(always)]
unsafe fn exp_row_body<S: Simd>(
    line: &mut [f32],
    low: usize,
    high: usize,
    scale: f32,
) -> (f32, f32) {
    line[..low].fill(0.0);
    line[high..].fill(0.0);
    let (p, n) = (line.as_mut_ptr().add(low), high - low);
    let whole = n / S::LANES * S::LANES;
    let mut largest = f32::NEG_INFINITY;
    if whole > 0 {
        let mut most = S::load(p);
        for i in (S::LANES..whole).step_by(S::LANES) {
            most = S::max(S::load(p.add(i)), most);
        }
        largest = S::largest(most);
    }
    for i in whole..n {
        largest = largest.max(*p.add(i));
    }
    let shift = S::splat(-largest * scale);
    let factor = S::splat(scale);
    let mut sums = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        let e = simd::exp::<S>(S::fma(S::load(p.add(i)), factor, shift));
        S::store(p.add(i), e);
        sums = S::add(sums, e);
    }
    let mut sum = S::sum(sums);
    if whole < n {
        let e = simd::exp::<S>(S::fma(S::load_n(p.add(whole), n - whole), factor, shift));
        S::store_n(p.add(whole), n - whole, e);
        for i in whole..n {
            sum += *p.add(i);
        }
    }
    (sum, largest * scale + sum.ln())
}

#[inline(always)]
unsafe fn slope_row_body<S: Simd>(
    scores: &mut [f32],
    slopes: &mut [f32],
    low: usize,
    high: usize,
    scale: f32,
    lse: f32,
    dot: f32,
) {
    for line in [&mut *scores, &mut *slopes] {
        line[..low].fill(0.0);
        line[high..].fill(0.0);
    }
    let (p, g) = (scores.as_mut_ptr(), slopes.as_mut_ptr());
    let (factor, shift, mean) = (S::splat(scale), S::splat(-lse), S::splat(dot));
    let mut i = low;
    while i < high {
        let n = high - i;
        if n >= S::LANES {
            let e = simd::exp::<S>(S::fma(S::load(p.add(i)), factor, shift));
            let slope = S::mul(S::mul(e, factor), S::sub(S::load(g.add(i)), mean));
            S::store(p.add(i), e);
            S::store(g.add(i), slope);
        } else {
            let e = simd::exp::<S>(S::fma(S::load_n(p.add(i), n), factor, shift));
            let slope = S::mul(S::mul(e, factor), S::sub(S::load_n(g.add(i), n), mean));
            S::store_n(p.add(i), n, e);
            S::store_n(g.add(i), n, slope);
        }
        i += S::LANES;
    }
}

#[inline(always)]
unsafe fn dot_body<S: Simd>(a: &[f32], b: &[f32]) -> f32 {
    let (n, whole) = (a.len(), a.len() / S::LANES * S::LANES);
    let mut sums = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        sums = S::fma(S::load(a.as_ptr().add(i)), S::load(b.as_ptr().add(i)), sums);
    }
    let mut sum = S::sum(sums);
    for i in whole..n {
        sum += a[i] * b[i];
    }
    sum
}

#[inline(always)]
unsafe fn dot_rows_body<S: Simd>(x: &[f32], rows: &[f32], stride: usize, out: &mut [f32]) {
    for (i, out) in out.iter_mut().enumerate() {
        *out = dot_body::<S>(x, &rows[i * stride..i * stride + x.len()]);
    }
}

#[inline(always)]
unsafe fn weighted_rows_body<S: Simd>(
    weights: &[f32],
    factor: f32,
    rows: &[f32],
    stride: usize,
    y: &mut [f32],
) {
    let n = y.len();
    vectors!(S, n, |at, left| {
        let mut sum = S::splat(0.0);
        for (i, &weight) in weights.iter().enumerate() {
            let row = simd::get::<S>(rows[i * stride..i * stride + n].as_ptr().add(at), left);
            sum = S::fma(S::splat(weight), row, sum);
        }
        simd::put::<S>(y.as_mut_ptr().add(at), left, S::mul(sum, S::splat(factor)));
    });
}
