//! What `fused.rs` and `floats.rs` know of the rows of a block, and how they finish them.

use crate::element::Element;
use crate::isa::Isa;
use crate::simd::{self, MOST_LANES, Simd};
use crate::{kernels, vectors};

/// Sums between these leave the exponentials and what is divided by the sum normal numbers.
const SAFE_SUMS: std::ops::RangeInclusive<f32> = 1e-12..=1e18;

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

impl Rows {
    pub fn new(targets: &[i32], shifts: Vec<f32>) -> Self {
        let n = targets.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by_key(|&row| targets[row]);
        Self {
            order,
            own: vec![0.0; n],
            shifts,
            sums: vec![0.0; n],
        }
    }

    /// Whether every sum may be divided by.
    pub fn safe(&self) -> bool {
        self.sums.iter().all(|sum| SAFE_SUMS.contains(sum))
    }

    /// Of the lanes that `counted` added to.
    pub unsafe fn sum_up(&mut self, isa: Isa, lanes: &[f32]) {
        for (row, sum) in self.sums.iter_mut().enumerate() {
            *sum = sum_of(isa, &lanes[row * MOST_LANES..]);
        }
    }
}

/// Raises the largest logit of each row by those of a panel, of which `width` columns count.
pub fn raise(most: &mut [f32], logits: &[f32], columns: usize, width: usize) {
    for (most, line) in most.iter_mut().zip(logits.chunks(columns)) {
        *most = line[..width].iter().fold(*most, |most, &x| most.max(x));
    }
}

/// Exponentials of a row of a panel: zeros where they are beyond `width` columns, and added to MOST_LANES sums.
#[inline(always)]
pub unsafe fn counted<S: Simd>(
    mut low: S::V,
    mut high: S::V,
    width: usize,
    sums: *mut f32,
) -> [S::V; 2] {
    if width < 2 * S::LANES {
        let mut kept = [0.0f32; 2 * MOST_LANES];
        S::store(kept.as_mut_ptr(), low);
        S::store(kept.as_mut_ptr().add(S::LANES), high);
        kept[width..].fill(0.0);
        low = S::load(kept.as_ptr());
        high = S::load(kept.as_ptr().add(S::LANES));
    }
    S::store(sums, S::add(S::load(sums), S::add(low, high)));
    [low, high]
}

kernels! {
    fn sum_of(lanes: &[f32]) -> f32 = sum_body;
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
