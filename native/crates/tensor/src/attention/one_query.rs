//! One query a row, as in generation: keys and values are read once where they lie.

use super::Shape;
use super::forward::Task;
use super::rows::{exp_row, fetch_rows_body};
use crate::context::{Context, Purpose};
use crate::element::Element;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// The output of a task's query.
///
/// # Safety
/// As `Context::scratch`, and no other task writes the same output.
pub unsafe fn forward<Q: Element, K: Element>(
    context: &Context,
    worker: usize,
    s: &Shape,
    task: &Task<Q, K>,
) {
    let (isa, d, length) = (context.isa, s.head_dim, s.key_length);
    let scores = context.scratch(worker, Purpose::Rows, length);
    for head in task.heads.clone() {
        let (query, out) = (s.query(task.b, 0, head), s.output(task.b, 0, head));
        let query = &task.q[query..query + d];
        dot_rows(isa, query, task.keys, s.keys.width, scores);
        let (sum, lse) = exp_row(isa, scores, 0, length, s.scale());
        let first = s.lse(task.b, 0, head);
        task.log_sum_exp.part(first, first + 1)[0] = lse;
        let y = task.y.part(out, out + d);
        weighted_rows(isa, scores, 1.0 / sum, task.values, s.values.width, y);
    }
}

kernels! {
    /// out[i] = x . rows[i], rows `stride` apart.
    pub fn dot_rows<Q, K>(x: &[Q], rows: &[K], stride: usize, out: &mut [f32]) = dot_rows_body;
    /// y = factor * sum of weights[i] rows[i], rows `stride` apart.
    pub fn weighted_rows<K, Q>(weights: &[f32], factor: f32, rows: &[K], stride: usize, y: &mut [Q]) = weighted_rows_body;
}

/// Rows of keys or values before they are needed that one query asks for them: they lie in memory, apart.
const AHEAD: usize = 16;

#[inline(always)]
unsafe fn dot_rows_body<S: Simd, Q: Element, K: Element>(
    x: &[Q],
    rows: &[K],
    stride: usize,
    out: &mut [f32],
) {
    // Four at a time, for one to go on while another waits for its last sum.
    let mut first = 0;
    while first + 4 <= out.len() {
        fetch_rows_body::<S, K>(
            rows.as_ptr().wrapping_add((first + AHEAD) * stride),
            stride,
            4,
            x.len(),
        );
        some_dots::<S, Q, K, 4>(x, &rows[first * stride..], stride, &mut out[first..]);
        first += 4;
    }
    for i in first..out.len() {
        some_dots::<S, Q, K, 1>(x, &rows[i * stride..], stride, &mut out[i..]);
    }
}

#[inline(always)]
unsafe fn some_dots<S: Simd, Q: Element, K: Element, const ROWS: usize>(
    x: &[Q],
    rows: &[K],
    stride: usize,
    out: &mut [f32],
) {
    let n = x.len();
    let rows: [*const K; ROWS] = std::array::from_fn(|i| rows[i * stride..i * stride + n].as_ptr());
    let mut sums = [S::splat(0.0); ROWS];
    vectors!(S, n, |at, left| {
        let x = simd::get::<S>(x.as_ptr().add(at), left);
        for i in 0..ROWS {
            sums[i] = S::fma(x, simd::get::<S>(rows[i].add(at), left), sums[i]);
        }
    });
    for i in 0..ROWS {
        out[i] = S::sum(sums[i]);
    }
}

#[inline(always)]
unsafe fn weighted_rows_body<S: Simd, K: Element, Q: Element>(
    weights: &[f32],
    factor: f32,
    rows: &[K],
    stride: usize,
    y: &mut [Q],
) {
    let n = y.len();
    assert!(weights.is_empty() || (weights.len() - 1) * stride + n <= rows.len());
    // As many columns at a time as a head often has: each sum waits for its last one.
    let mut at = 0;
    while at + 8 * S::LANES <= n {
        some_columns::<S, K, Q, 8>(weights, factor, rows, stride, &mut y[at..], at);
        at += 8 * S::LANES;
    }
    while at + 4 * S::LANES <= n {
        some_columns::<S, K, Q, 4>(weights, factor, rows, stride, &mut y[at..], at);
        at += 4 * S::LANES;
    }
    while at < n {
        some_columns::<S, K, Q, 1>(weights, factor, rows, stride, &mut y[at..], at);
        at += S::LANES;
    }
}

/// VECTORS of columns of y, which are those of the rows from `at` on; a single one may be the rest of y.
#[inline(always)]
unsafe fn some_columns<S: Simd, K: Element, Q: Element, const VECTORS: usize>(
    weights: &[f32],
    factor: f32,
    rows: &[K],
    stride: usize,
    y: &mut [Q],
    at: usize,
) {
    let n = S::LANES.min(y.len());
    let mut sums = [S::splat(0.0); VECTORS];
    for (i, &weight) in weights.iter().enumerate() {
        let row = rows.as_ptr().add(i * stride + at);
        fetch_rows_body::<S, K>(
            row.wrapping_add(AHEAD * stride),
            stride,
            1,
            VECTORS * S::LANES,
        );
        for j in 0..VECTORS {
            let row = simd::get::<S>(row.add(j * S::LANES), n);
            sums[j] = S::fma(S::splat(weight), row, sums[j]);
        }
    }
    for j in 0..VECTORS {
        let sum = S::mul(sums[j], S::splat(factor));
        simd::put::<S>(y.as_mut_ptr().add(j * S::LANES), n, sum);
    }
}
