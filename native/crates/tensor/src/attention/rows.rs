//! What attention does to rows of scores, and of what it reads and writes.

use crate::element::{Bf16, Element};
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels, vectors};
use std::f32::consts::LOG2_E;

kernels! {
    /// Turns scores into exp(scale * score - largest) between low and high and zeros elsewhere; gives their sum and
    /// the log-sum-exp.
    pub fn exp_row(line: &mut [f32], low: usize, high: usize, scale: f32) -> (f32, f32) = wide_exp_row_body;
    /// The same stored as bf16, in the first half of the row's memory.
    pub fn narrow_exp_row(line: &mut [f32], low: usize, high: usize, scale: f32) -> (f32, f32) = narrow_exp_row_body;
    /// As `narrow_exp_row` for all rows of a block.
    pub fn exp_rows(rows: ExpRows) = exp_rows_body;
    /// Turns scores into probabilities p, and slopes dp into scale * p * (dp - dot); zeros outside low .. high.
    pub fn slope_row(scores: &mut [f32], slopes: &mut [f32], low: usize, high: usize, scale: f32, lse: f32, dot: f32) = slope_row_body;
    pub fn dot<A, B>(a: &[A], b: &[B]) -> f32 = dot_body;
    /// y = factor x, or y += with `add`.
    pub fn store_row<Q>(x: &[f32], factor: f32, y: &mut [Q], add: bool) = store_row_body;
    /// Row i of y is factors[i] times row i of x, of d elements each, those of y `width` apart.
    pub fn store_rows<Q>(x: *const f32, factors: &[f32], d: usize, y: *mut Q, width: usize) = store_rows_body;
    /// Asks for rows of d, `stride` apart, into the second cache; what lies there is not looked at, nor has to be theirs.
    pub fn fetch_rows<E>(from: *const E, stride: usize, rows: usize, d: usize) = fetch_rows_body;
    /// y[row * width + i] = x[i * stride + row] for `rows` rows of `d`, or y += with `add`.
    pub fn store_turned<Q>(x: *const f32, stride: usize, rows: usize, d: usize, y: *mut Q, width: usize, add: bool) = store_turned_body;
}

pair_kernels! {
    /// Turns scores into probabilities p, and slopes dp into scale * p * (dp - y . dy): both as pairs of two rows, by
    /// panels of 2 * LANES keys; the slopes also as rows of bf16 in the first half of their memory.
    pub fn slopes_of_rows<E>(rows: SlopeRows<E>) = slopes_of_rows_body;
}

/// Rows of scores and of slopes, `stride` apart, of which row i sees its first `seen + i` of `width` keys, whole vectors.
#[derive(Clone, Copy)]
pub struct SlopeRows<E> {
    pub scores: *const f32,
    pub slopes: *mut f32,
    pub stride: usize,
    pub rows: usize,
    pub seen: usize,
    pub width: usize,
    pub scale: f32,
    pub log_sum_exp: *const f32,
    /// Rows of d of the output and of its gradient, so wide apart.
    pub y: *const E,
    pub dy: *const E,
    pub output_width: usize,
    pub d: usize,
    pub paired_scores: *mut f32,
    pub paired_slopes: *mut f32,
    /// From a panel of pairs to the next.
    pub panel: usize,
}

#[inline(always)]
unsafe fn wide_exp_row_body<S: Simd>(
    line: &mut [f32],
    low: usize,
    high: usize,
    scale: f32,
) -> (f32, f32) {
    exp_row_body::<S, f32>(line, low, high, scale)
}

#[inline(always)]
unsafe fn narrow_exp_row_body<S: Simd>(
    line: &mut [f32],
    low: usize,
    high: usize,
    scale: f32,
) -> (f32, f32) {
    exp_row_body::<S, Bf16>(line, low, high, scale)
}

#[inline(always)]
unsafe fn exp_row_body<S: Simd, Out: Element>(
    line: &mut [f32],
    low: usize,
    high: usize,
    scale: f32,
) -> (f32, f32) {
    let (all, p, n) = (line.len(), line.as_mut_ptr().add(low), high - low);
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
    let unit = if Out::NARROW { LOG2_E } else { 1.0 };
    let shift = S::splat(-largest * scale * unit);
    let factor = S::splat(scale * unit);
    let mut sums = S::splat(0.0);
    // What is stored lies behind what is read, or at the same place.
    let to = line.as_mut_ptr() as *mut Out;
    for i in (0..whole).step_by(S::LANES) {
        let e = exp_in_unit::<S, Out>(S::fma(S::load(p.add(i)), factor, shift));
        simd::put::<S>(to.add(low + i), S::LANES, e);
        sums = S::add(sums, e);
    }
    let mut sum = S::sum(sums);
    if whole < n {
        let e = exp_in_unit::<S, Out>(S::fma(S::load_n(p.add(whole), n - whole), factor, shift));
        let mut last = [0.0f32; 16];
        S::store(last.as_mut_ptr(), e);
        for (i, &e) in last[..n - whole].iter().enumerate() {
            *to.add(low + whole + i) = Out::of(e);
            sum += e;
        }
    }
    std::slice::from_raw_parts_mut(to, low).fill(Out::of(0.0));
    std::slice::from_raw_parts_mut(to.add(high), all - high).fill(Out::of(0.0));
    (sum, largest * scale + sum.ln())
}

/// Rows of scores, `stride` apart, of which row i sees its first `seen + i` of `width` keys.
#[derive(Clone, Copy)]
pub struct ExpRows {
    pub scores: *mut f32,
    pub stride: usize,
    pub rows: usize,
    pub seen: usize,
    pub width: usize,
    pub scale: f32,
    /// 1 / sum, and log-sum-exp.
    pub factors: *mut f32,
    pub log_sum_exp: *mut f32,
}

#[inline(always)]
unsafe fn exp_rows_body<S: Simd>(rows: ExpRows) {
    // Two at a time, for one to go on while the other is summed up.
    let paired = rows.rows / 2 * 2;
    for row in (0..paired).step_by(2) {
        some_exp_rows::<S, 2>(rows, row);
    }
    if paired < rows.rows {
        some_exp_rows::<S, 1>(rows, paired);
    }
}

#[inline(always)]
unsafe fn some_exp_rows<S: Simd, const ROWS: usize>(all: ExpRows, first: usize) {
    let ExpRows {
        stride,
        width,
        scale,
        ..
    } = all;
    let seen: [usize; ROWS] = std::array::from_fn(|i| all.seen + first + i);
    let lines: [*mut f32; ROWS] = std::array::from_fn(|i| all.scores.add((first + i) * stride));
    // Every row sees these; of the rest, those that it does not see count as -infinity.
    let whole = seen[0] / S::LANES * S::LANES;
    let mut most = [S::splat(f32::NEG_INFINITY); ROWS];
    for at in (0..whole).step_by(S::LANES) {
        for i in 0..ROWS {
            most[i] = S::max(S::load(lines[i].add(at)), most[i]);
        }
    }
    for at in (whole..width).step_by(S::LANES) {
        for i in 0..ROWS {
            most[i] = S::max(seen_scores::<S>(lines[i], at, seen[i], width), most[i]);
        }
    }
    let mut largest = [0.0; ROWS];
    let mut shifts = most;
    for i in 0..ROWS {
        largest[i] = S::largest(most[i]);
        shifts[i] = S::splat(-largest[i] * (scale * LOG2_E));
    }
    let factor = S::splat(scale * LOG2_E);
    let mut sums = [S::splat(0.0); ROWS];
    // What is stored lies behind what is read, or at the same place.
    for at in (0..whole).step_by(S::LANES) {
        for i in 0..ROWS {
            let score = S::load(lines[i].add(at));
            let e = simd::exp2_near::<S>(S::fma(score, factor, shifts[i]));
            simd::put::<S>((lines[i] as *mut Bf16).add(at), S::LANES, e);
            sums[i] = S::add(sums[i], e);
        }
    }
    for at in (whole..width).step_by(S::LANES) {
        let n = S::LANES.min(width - at);
        for i in 0..ROWS {
            let score = seen_scores::<S>(lines[i], at, seen[i], width);
            let e = simd::exp2_near::<S>(S::fma(score, factor, shifts[i]));
            simd::put::<S>((lines[i] as *mut Bf16).add(at), n, e);
            sums[i] = S::add(sums[i], e);
        }
    }
    for i in 0..ROWS {
        let sum = S::sum(sums[i]);
        *all.factors.add(first + i) = 1.0 / sum;
        *all.log_sum_exp.add(first + i) = largest[i] * scale + sum.ln();
    }
}

/// The scores from `at` on, -infinity for keys that are not seen.
#[inline(always)]
unsafe fn seen_scores<S: Simd>(line: *const f32, at: usize, seen: usize, width: usize) -> S::V {
    let mask = SEEN.as_ptr().add(16 - seen.saturating_sub(at).min(16));
    let scores = simd::get::<S>(line.add(at), S::LANES.min(width - at));
    S::min(S::load(mask), scores)
}

/// From the element 16 - n on: n keys that are seen, then those that are not.
const SEEN: [f32; 32] = {
    let mut most = [f32::NEG_INFINITY; 32];
    let mut i = 0;
    while i < 16 {
        most[i] = f32::INFINITY;
        i += 1;
    }
    most
};

/// exp(x), or 2^x where that is what the row is scaled for.
#[inline(always)]
unsafe fn exp_in_unit<S: Simd, Out: Element>(x: S::V) -> S::V {
    if Out::NARROW {
        simd::exp2_near::<S>(x)
    } else {
        simd::exp::<S>(x)
    }
}

#[inline(always)]
unsafe fn slopes_of_rows_body<S: Pairs, E: Element>(all: SlopeRows<E>) {
    let factor = S::splat(all.scale);
    let exponent = S::splat(all.scale * LOG2_E);
    for first in (0..all.rows).step_by(2) {
        // Of a row that an odd number lacks, all scores are -infinity.
        let mut shifts = [S::splat(0.0); 2];
        let mut means = shifts;
        for i in 0..2.min(all.rows - first) {
            let at = (first + i) * all.output_width;
            let [y, dy] = [all.y, all.dy].map(|x| std::slice::from_raw_parts(x.add(at), all.d));
            means[i] = S::splat(dot_body::<S, E, E>(dy, y));
            shifts[i] = S::splat(-*all.log_sum_exp.add(first + i) * LOG2_E);
        }
        let seen = [all.seen + first, all.seen + first + 1];
        let whole = (seen[0] / S::LANES * S::LANES).min(all.width);
        let lines = [first, first + 1].map(|row| row * all.stride);
        for at in (0..all.width).step_by(S::LANES) {
            let mut p = [S::splat(0.0); 2];
            let mut ds = [S::splat(0.0); 2];
            for i in 0..2 {
                let scores = all.scores.add(lines[i]);
                let score = if at < whole {
                    S::load(scores.add(at))
                } else {
                    seen_scores::<S>(scores, at, seen[i], all.width)
                };
                p[i] = simd::exp2_near::<S>(S::fma(score, exponent, shifts[i]));
                let slope = S::sub(S::load(all.slopes.add(lines[i] + at)), means[i]);
                ds[i] = S::mul(S::mul(p[i], factor), slope);
            }
            let rows = lines.map(|line| (all.slopes.add(line) as *mut Bf16).add(at));
            let pairs = at / (2 * S::LANES) * all.panel + first * S::LANES + at % (2 * S::LANES);
            S::store(all.paired_scores.add(pairs), S::pair(p[0], p[1]));
            S::store(
                all.paired_slopes.add(pairs),
                S::pair_stored(ds[0], ds[1], rows),
            );
        }
    }
}

#[inline(always)]
unsafe fn store_rows_body<S: Simd, Q: Element>(
    x: *const f32,
    factors: &[f32],
    d: usize,
    y: *mut Q,
    width: usize,
) {
    for (row, &factor) in factors.iter().enumerate() {
        let (x, y) = (x.add(row * d), y.add(row * width));
        vectors!(S, d, |i, left| {
            let v = S::mul(simd::get::<S>(x.add(i), left), S::splat(factor));
            simd::put::<S>(y.add(i), left, v);
        });
    }
}

#[inline(always)]
pub unsafe fn fetch_rows_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    d: usize,
) {
    for row in 0..rows {
        let line = from.wrapping_add(row * stride) as *const u8;
        for byte in (0..d * std::mem::size_of::<E>()).step_by(64) {
            S::fetch_far(line.wrapping_add(byte));
        }
    }
}

#[inline(always)]
unsafe fn store_turned_body<S: Simd, Q: Element>(
    x: *const f32,
    stride: usize,
    rows: usize,
    d: usize,
    y: *mut Q,
    width: usize,
    add: bool,
) {
    let mut block = [[0.0f32; 16]; 16];
    for row in (0..rows).step_by(S::LANES) {
        let n = S::LANES.min(rows - row);
        for i in (0..d).step_by(S::LANES) {
            let left = S::LANES.min(d - i);
            let from = x.add(i * stride + row);
            if left == S::LANES && n == S::LANES {
                S::transpose(from, stride, block[0].as_mut_ptr(), 16);
            } else {
                for r in 0..n {
                    for j in 0..left {
                        block[r][j] = *from.add(j * stride + r);
                    }
                }
            }
            for r in 0..n {
                let v = simd::get::<S>(block[r].as_ptr(), left);
                simd::put_or_add::<S>(y.add((row + r) * width + i), left, v, add);
            }
        }
    }
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
pub unsafe fn dot_body<S: Simd, A: Element, B: Element>(a: &[A], b: &[B]) -> f32 {
    let mut sums = S::splat(0.0);
    let (x, y) = (a.as_ptr(), b.as_ptr());
    vectors!(S, a.len(), |i, left| {
        sums = S::fma(
            simd::get::<S>(x.add(i), left),
            simd::get::<S>(y.add(i), left),
            sums,
        );
    });
    S::sum(sums)
}

#[inline(always)]
unsafe fn store_row_body<S: Simd, Q: Element>(x: &[f32], factor: f32, y: &mut [Q], add: bool) {
    let (from, to, by) = (x.as_ptr(), y.as_mut_ptr(), S::splat(factor));
    vectors!(S, y.len(), |i, left| {
        let v = S::mul(simd::get::<S>(from.add(i), left), by);
        simd::put_or_add::<S>(to.add(i), left, v, add);
    });
}
