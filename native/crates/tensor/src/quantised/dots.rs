//! Dot products of a few rows of x with rows of blocks, which are unpacked in registers: x as f32, or rounded to int8 by
//! 32s.

use super::groups::{GROUP, Sink, every_format, walk};
use super::lanes::{Lanes, lanes_kernels};
use super::{Blocks, Format};

/// Rows of x that share what was unpacked to registers.
pub const AT_ONCE: usize = 4;
/// Outputs whose sums are kept until they are stored.
pub const STRIP: usize = 64;

/// Where the scratch holds x: as f32; of each 32 what its weights' scale and minimum are multiplied by, its own scale and
/// its sum; the sums of its halves; and x as int8.
#[derive(Clone, Copy)]
pub struct Layout {
    pub rows: usize,
    pub k: usize,
}

impl Layout {
    pub fn factors(&self) -> usize {
        self.rows * self.k
    }
    fn halves(&self) -> usize {
        self.factors() + self.rows * self.k / GROUP * 2
    }
    pub fn bytes(&self) -> usize {
        self.halves() + self.rows * self.k / GROUP * 2
    }
    pub fn words(&self) -> usize {
        self.bytes() + self.rows * self.k / 4
    }
}

lanes_kernels! {
    /// Makes of x in the scratch what `dots` multiplies.
    pub fn round(scratch: &mut [f32], layout: Layout, int8: bool) = round_body;
    /// Sums of `rows` rows of x from `first` on with the rows of a weight, a strip at most: `[row][output]`.
    pub fn dots(
        scratch: &[f32],
        layout: Layout,
        first: usize,
        rows: usize,
        weight: Blocks,
        int8: bool,
        sums: &mut [[f32; STRIP]; AT_ONCE],
    ) = dots_body;
}

/// Sums by 16 of x; or x as int8 with a scale for each 32, and the sums of what that means.
#[inline(always)]
unsafe fn round_body<L: Lanes>(scratch: &mut [f32], layout: Layout, int8: bool) {
    let base = scratch.as_mut_ptr();
    let (factors, halves) = (base.add(layout.factors()), base.add(layout.halves()));
    let bytes = base.add(layout.bytes()) as *mut [i8; GROUP];
    for g in 0..layout.rows * layout.k / GROUP {
        let x = &*(base.add(g * GROUP) as *const [f32; GROUP]);
        let mut scale = 1.0;
        let mut sums = [x[..16].iter().sum::<f32>(), x[16..].iter().sum()];
        if int8 {
            let q;
            (q, scale) = small(x);
            *bytes.add(g) = q;
            let half = |from: usize| (from..from + 16).map(|i| i32::from(q[i])).sum::<i32>() as f32;
            sums = [scale * half(0), scale * half(16)];
        }
        *(factors.add(2 * g) as *mut [f32; 2]) = [scale, sums[0] + sums[1]];
        *(halves.add(2 * g) as *mut [f32; 2]) = sums;
    }
}

/// Numbers from -127 to 127, 0 for what is none, and the scale that they are to be multiplied by.
#[inline(always)]
fn small(x: &[f32; GROUP]) -> ([i8; GROUP], f32) {
    let mut largest = [0.0f32; 8];
    for i in 0..GROUP {
        let v = x[i].abs();
        let most = &mut largest[i % 8];
        *most = if v > *most { v } else { *most };
    }
    let most = largest
        .iter()
        .fold(0.0f32, |m, &v| if v > m { v } else { m });
    let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
    // 1.5 * 2^23: what is added to it is rounded to a whole number, ties to even, in its last bits.
    const SHIFT: f32 = 12_582_912.0;
    let mut q = [0; GROUP];
    // Not `x.map`, which would be a function of its own, without the vectors of this one.
    for i in 0..GROUP {
        let shifted = (x[i] * inverse + SHIFT).to_bits();
        q[i] = shifted.wrapping_sub(SHIFT.to_bits()) as i8;
    }
    (q, most / 127.0)
}

#[inline(always)]
unsafe fn dots_body<L: Lanes>(
    scratch: &[f32],
    layout: Layout,
    first: usize,
    rows: usize,
    weight: Blocks,
    int8: bool,
    sums: &mut [[f32; STRIP]; AT_ONCE],
) {
    match rows {
        1 => some_dots::<L, 1>(scratch, layout, first, weight, int8, sums),
        2 => some_dots::<L, 2>(scratch, layout, first, weight, int8, sums),
        3 => some_dots::<L, 3>(scratch, layout, first, weight, int8, sums),
        _ => some_dots::<L, 4>(scratch, layout, first, weight, int8, sums),
    }
}

#[inline(always)]
unsafe fn some_dots<L: Lanes, const ROWS: usize>(
    scratch: &[f32],
    layout: Layout,
    first: usize,
    weight: Blocks,
    int8: bool,
    sums: &mut [[f32; STRIP]; AT_ONCE],
) {
    let base = scratch.as_ptr();
    let rows = Rows::<ROWS> {
        x: std::array::from_fn(|r| base.add((first + r) * layout.k)),
        factors: std::array::from_fn(|r| {
            base.add(layout.factors() + (first + r) * layout.k / GROUP * 2)
        }),
        halves: std::array::from_fn(|r| {
            base.add(layout.halves() + (first + r) * layout.k / GROUP * 2)
        }),
        bytes: std::array::from_fn(|r| {
            (base.add(layout.bytes()) as *const i8).add((first + r) * layout.k)
        }),
    };
    if int8 {
        all_dots::<L, ROWS, true>(&rows, weight, sums)
    } else {
        all_dots::<L, ROWS, false>(&rows, weight, sums)
    }
}

struct Rows<const ROWS: usize> {
    x: [*const f32; ROWS],
    factors: [*const f32; ROWS],
    halves: [*const f32; ROWS],
    bytes: [*const i8; ROWS],
}

#[inline(always)]
unsafe fn all_dots<L: Lanes, const ROWS: usize, const INT8: bool>(
    rows: &Rows<ROWS>,
    weight: Blocks,
    sums: &mut [[f32; STRIP]; AT_ONCE],
) {
    every_format!(weight.format, |FORMAT| {
        for column in 0..weight.outputs {
            let mut dots = Dots::<L, ROWS, INT8> {
                rows,
                g: 0,
                sums: [[L::splat(0.0); 2]; ROWS],
                minima: [0.0; ROWS],
            };
            walk::<L, _>(FORMAT, weight.row(column), weight.inputs, &mut dots);
            for r in 0..ROWS {
                sums[r][column] = L::sum(L::add(dots.sums[r][0], dots.sums[r][1])) + dots.minima[r];
            }
        }
    })
}

/// The sums of rows of x with one row of W while its groups go by; INT8: with x as int8.
struct Dots<'a, L: Lanes, const ROWS: usize, const INT8: bool> {
    rows: &'a Rows<ROWS>,
    g: usize,
    /// Two of each, in turns: a sum waits for its last one.
    sums: [[L::V; 2]; ROWS],
    minima: [f32; ROWS],
}

impl<L: Lanes, const ROWS: usize, const INT8: bool> Sink<L> for Dots<'_, L, ROWS, INT8> {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const PART: usize>(&mut self, q: L::Q, scale: L::P) {
        if INT8 {
            for r in 0..ROWS {
                let dot = self.int_dot::<SIGNED>(q, r);
                let scale = L::times(scale, self.rows.factors[r].add(2 * self.g));
                let sum = &mut self.sums[r][PART];
                *sum = L::fma(dot, L::splat(L::first(scale)), *sum);
                if !SIGNED {
                    self.minima[r] += L::second(scale);
                }
            }
        } else {
            self.float_group::<SIGNED>(q, [scale; 2]);
        }
        self.g += 1;
    }

    #[inline(always)]
    unsafe fn halves(&mut self, q: L::Q, scales: [L::P; 2]) {
        if INT8 {
            for r in 0..ROWS {
                let dot = self.int_dot::<false>(q, r);
                let own = *self.rows.factors[r].add(2 * self.g);
                let [first, second] = scales.map(|scale| L::first(scale) * own);
                self.sums[r][0] = L::fma(dot, L::two(first, second), self.sums[r][0]);
                let sums = self.rows.halves[r].add(2 * self.g);
                self.minima[r] +=
                    L::second(scales[0]) * *sums + L::second(scales[1]) * *sums.add(1);
            }
        } else {
            self.float_group::<false>(q, scales);
        }
        self.g += 1;
    }

    #[inline(always)]
    unsafe fn values(&mut self, values: [L::V; 4]) {
        // Weights of floats are multiplied by f32 alone.
        if !INT8 {
            for r in 0..ROWS {
                let x = self.rows.x[r].add(self.g * GROUP);
                for i in 0..4 {
                    let sum = &mut self.sums[r][i % 2];
                    *sum = L::fma(values[i], L::load(x.add(8 * i)), *sum);
                }
            }
        }
        self.g += 1;
    }
}

impl<L: Lanes, const ROWS: usize, const INT8: bool> Dots<'_, L, ROWS, INT8> {
    #[inline(always)]
    unsafe fn int_dot<const SIGNED: bool>(&self, q: L::Q, r: usize) -> L::V {
        let a = self.rows.bytes[r].add(self.g * GROUP);
        if SIGNED {
            L::dot_signed(q, a)
        } else {
            L::dot(q, a)
        }
    }

    #[inline(always)]
    unsafe fn float_group<const SIGNED: bool>(&mut self, q: L::Q, scales: [L::P; 2]) {
        for r in 0..ROWS {
            let x = self.rows.x[r].add(self.g * GROUP);
            for half in 0..2 {
                let first = L::floats::<SIGNED>(q, 2 * half);
                let second = L::floats::<SIGNED>(q, 2 * half + 1);
                let dot = L::fma(first, L::load(x.add(16 * half)), L::splat(0.0));
                let dot = L::fma(second, L::load(x.add(16 * half + 8)), dot);
                let scale = scales[half];
                let sums = &mut self.sums[r][half];
                *sums = L::fma(dot, L::splat(L::first(scale)), *sums);
                if !SIGNED {
                    let sum = *self.rows.halves[r].add(2 * self.g + half);
                    self.minima[r] += L::second(scale) * sum;
                }
            }
        }
    }
}
