//! What `fused.rs` and `floats.rs` know of the rows of a block, and how they finish them.

use crate::element::Element;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Sums between these leave the exponentials and what is divided by the sum normal numbers.
pub const SAFE_SUMS: std::ops::RangeInclusive<f32> = 1e-12..=1e18;
/// More lanes than any vector has.
pub const MOST_LANES: usize = 16;

/// What is known of the rows of a block.
pub struct Rows {
    /// Rows in the order of their targets.
    pub order: Vec<usize>,
    /// The logits of the targets.
    pub own: Vec<f32>,
    /// What is subtracted from the logits of each row.
    pub shifts: Vec<f32>,
    pub sums: Vec<f32>,
}

kernels! {
    pub fn sum_of(lanes: &[f32]) -> f32 = sum_body;
    /// y = factor (x + slope weight), or y += with `add`.
    pub fn finish_row(x: &[f32], weight: &[f32], slope: f32, factor: f32, y: &mut [f32], add: bool) = finish_body;
    pub fn scaled_row<E>(x: &[f32], factor: f32, y: &mut [E]) = scaled_body;
}

#[inline(always)]
unsafe fn sum_body<S: Simd>(lanes: &[f32]) -> f32 {
    S::sum(S::load(lanes.as_ptr()))
}

#[inline(always)]
unsafe fn finish_body<S: Simd>(
    x: &[f32],
    weight: &[f32],
    slope: f32,
    factor: f32,
    y: &mut [f32],
    add: bool,
) {
    let (slope, factor) = (S::splat(slope), S::splat(factor));
    vectors!(S, y.len(), |i, left| {
        let weight = simd::get::<S>(weight.as_ptr().add(i), left);
        let x = S::fma(slope, weight, simd::get::<S>(x.as_ptr().add(i), left));
        simd::put_or_add::<S>(y.as_mut_ptr().add(i), left, S::mul(factor, x), add);
    });
}

#[inline(always)]
unsafe fn scaled_body<S: Simd, E: Element>(x: &[f32], factor: f32, y: &mut [E]) {
    let factor = S::splat(factor);
    vectors!(S, y.len(), |i, left| {
        let x = simd::get::<S>(x.as_ptr().add(i), left);
        simd::put::<S>(y.as_mut_ptr().add(i), left, S::mul(factor, x));
    });
}
