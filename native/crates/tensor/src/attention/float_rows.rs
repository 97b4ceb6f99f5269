//! What attention by products of f32 does to a block of rows of scores.

use super::rows::dot_body;
use super::seen::Span;
use crate::element::Element;
use crate::kernels;
use crate::simd::{self, Simd};
use std::f32::consts::LOG2_E;
use std::slice::from_raw_parts;

/// Rows of scores, `stride` apart, at least a vector more than `width` keys; each sees those of its span.
#[derive(Clone, Copy)]
pub struct Scores<'a> {
    pub at: *mut f32,
    pub stride: usize,
    pub width: usize,
    pub spans: &'a [Span],
    /// Row i is read up to its key `read + i`.
    pub read: usize,
    pub scale: f32,
}

/// Rows in memory, `stride` elements apart.
#[derive(Clone, Copy)]
pub struct Lines<E> {
    pub at: *const E,
    pub stride: usize,
}

impl<E> Lines<E> {
    pub fn new(at: *const E, stride: usize) -> Self {
        Self { at, stride }
    }
}

kernels! {
    /// Turns scores into exp(scale * score - largest), zeros for keys that are not seen; gives 1 / sum and the
    /// log-sum-exp of each row. No seen score is -infinity.
    pub fn exp_block(scores: Scores, factors: &mut [f32], log_sum_exp: &mut [f32]) = exp_block_body;
    /// Turns scores into probabilities p, and slopes dp, laid out alike, into scale * p * (dp - dot); zeros for keys that
    /// are not seen. No seen score is -infinity.
    pub fn slope_block(scores: Scores, slopes: *mut f32, log_sum_exp: &[f32], dots: &[f32]) = slope_block_body;
    /// dots[i] = x[i] . y[i], rows of d.
    pub fn dot_block<E>(x: Lines<E>, y: Lines<E>, d: usize, dots: &mut [f32]) = dot_block_body;
}

#[inline(always)]
unsafe fn exp_block_body<S: Simd>(scores: Scores, factors: &mut [f32], log_sum_exp: &mut [f32]) {
    let rows = scores.spans.len();
    let mut row = 0;
    // Two at a time where they begin together, for one to go on while the other is summed up.
    while row < rows {
        if row + 1 < rows && scores.spans[row].low == scores.spans[row + 1].low {
            exp_some::<S, 2>(scores, row, factors, log_sum_exp);
            row += 2;
        } else {
            exp_some::<S, 1>(scores, row, factors, log_sum_exp);
            row += 1;
        }
    }
}

#[inline(always)]
unsafe fn exp_some<S: Simd, const ROWS: usize>(
    all: Scores,
    first: usize,
    factors: &mut [f32],
    log_sum_exp: &mut [f32],
) {
    let low = all.spans[first].low;
    let lines: [*mut f32; ROWS] =
        std::array::from_fn(|i| all.at.add((first + i) * all.stride + low));
    let seen: [usize; ROWS] = std::array::from_fn(|i| all.spans[first + i].high - low);
    let (fewest, end) = (seen[0].min(seen[ROWS - 1]), seen[0].max(seen[ROWS - 1]));
    let whole = fewest / S::LANES * S::LANES;
    let mut most = [S::splat(f32::NEG_INFINITY); ROWS];
    for at in (0..whole).step_by(S::LANES) {
        for i in 0..ROWS {
            most[i] = S::max(S::load(lines[i].add(at)), most[i]);
        }
    }
    for at in (whole..end).step_by(S::LANES) {
        for i in 0..ROWS {
            let n = S::LANES.min(seen[i].saturating_sub(at));
            let score = S::load_n(lines[i].add(at), n);
            most[i] = S::max(S::min(mask::<S>(&HIDDEN, n), score), most[i]);
        }
    }
    let mut shifts = most;
    let mut largest = [0.0; ROWS];
    for i in 0..ROWS {
        largest[i] = S::largest(most[i]);
        shifts[i] = S::splat(-largest[i] * (all.scale * LOG2_E));
    }
    let factor = S::splat(all.scale * LOG2_E);
    let mut sums = [S::splat(0.0); ROWS];
    for at in (0..whole).step_by(S::LANES) {
        for i in 0..ROWS {
            let score = S::load(lines[i].add(at));
            let e = simd::exp2_within::<S>(S::fma(score, factor, shifts[i]));
            S::store(lines[i].add(at), e);
            sums[i] = S::add(sums[i], e);
        }
    }
    for at in (whole..end).step_by(S::LANES) {
        for i in 0..ROWS {
            let n = S::LANES.min(seen[i].saturating_sub(at));
            let score = S::load_n(lines[i].add(at), n);
            let e = simd::exp2_within::<S>(S::fma(score, factor, shifts[i]));
            let e = S::min(mask::<S>(&NOTHING, n), e);
            S::store(lines[i].add(at), e);
            sums[i] = S::add(sums[i], e);
        }
    }
    for i in 0..ROWS {
        all.clear::<S>(
            first + i,
            lines[i].sub(low),
            low + end.next_multiple_of(S::LANES),
        );
        let sum = S::sum(sums[i]);
        factors[first + i] = 1.0 / sum;
        log_sum_exp[first + i] = largest[i] * all.scale + sum.ln();
    }
}

impl Scores<'_> {
    /// Zeros where the row does not see and products read: before its span, and from `end` on. What lies between rows
    /// may be written.
    #[inline(always)]
    unsafe fn clear<S: Simd>(&self, row: usize, line: *mut f32, end: usize) {
        for at in 0..self.spans[row].low {
            *line.add(at) = 0.0;
        }
        for at in (end..self.width.min(self.read + row)).step_by(S::LANES) {
            S::store(line.add(at), S::splat(0.0));
        }
    }
}

/// A vector of n times infinity and this after them.
#[inline(always)]
unsafe fn mask<S: Simd>(mask: &[f32; 32], n: usize) -> S::V {
    S::load(mask.as_ptr().add(16 - n))
}

static HIDDEN: [f32; 32] = infinite_before(f32::NEG_INFINITY);
static NOTHING: [f32; 32] = infinite_before(0.0);

const fn infinite_before(after: f32) -> [f32; 32] {
    let mut mask = [after; 32];
    let mut i = 0;
    while i < 16 {
        mask[i] = f32::INFINITY;
        i += 1;
    }
    mask
}

#[inline(always)]
unsafe fn slope_block_body<S: Simd>(
    all: Scores,
    slopes: *mut f32,
    log_sum_exp: &[f32],
    dots: &[f32],
) {
    let (scale, exponent) = (S::splat(all.scale), S::splat(all.scale * LOG2_E));
    for (row, &seen) in all.spans.iter().enumerate() {
        let line = row * all.stride;
        let (p, g) = (all.at.add(line), slopes.add(line));
        let shift = S::splat(-log_sum_exp[row] * LOG2_E);
        let mean = S::splat(-dots[row] * all.scale);
        let mut i = seen.low;
        while i + S::LANES <= seen.high {
            let e = simd::exp2_within::<S>(S::fma(S::load(p.add(i)), exponent, shift));
            S::store(p.add(i), e);
            let slope = S::fma(S::load(g.add(i)), scale, mean);
            S::store(g.add(i), S::mul(e, slope));
            i += S::LANES;
        }
        if i < seen.high {
            let n = seen.high - i;
            let e = simd::exp2_within::<S>(S::fma(S::load_n(p.add(i), n), exponent, shift));
            let e = S::min(mask::<S>(&NOTHING, n), e);
            S::store(p.add(i), e);
            let slope = S::fma(S::load_n(g.add(i), n), scale, mean);
            S::store(g.add(i), S::mul(e, slope));
            i += S::LANES;
        }
        all.clear::<S>(row, p, i);
        all.clear::<S>(row, g, i);
    }
}

#[inline(always)]
unsafe fn dot_block_body<S: Simd, E: Element>(
    x: Lines<E>,
    y: Lines<E>,
    d: usize,
    dots: &mut [f32],
) {
    for (row, dot) in dots.iter_mut().enumerate() {
        let (x, y) = (x.at.add(row * x.stride), y.at.add(row * y.stride));
        *dot = dot_body::<S, E, E>(from_raw_parts(x, d), from_raw_parts(y, d));
    }
}
