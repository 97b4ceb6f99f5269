//! Dot products of a few rows of x with rows of blocks, which are unpacked in registers: x as f32, or rounded to int8 by
//! 32s.

use super::groups::{GROUP, Sink, every_format, walk};
use super::lanes::{Lanes, lanes_kernels};
use super::{Blocks, Format};

/// Rows of x that share what was unpacked to registers.
pub const AT_ONCE: usize = 4;
/// Outputs whose sums are kept until they are stored.
pub const STRIP: usize = 64;

/// Where the scratch holds x: as f32, its sums (of both halves of each 32 and of the 32), its scales, and as int8.
#[derive(Clone, Copy)]
pub struct Layout {
    pub rows: usize,
    pub k: usize,
}

impl Layout {
    fn sums(&self) -> usize {
        self.rows * self.k
    }
    fn scales(&self) -> usize {
        self.sums() + self.rows * self.k / GROUP * SUMS
    }
    fn bytes(&self) -> usize {
        self.scales() + self.rows * self.k / GROUP
    }
    pub fn words(&self) -> usize {
        self.bytes() + self.rows * self.k / 4
    }
}

lanes_kernels! {
    /// Makes of x in the scratch what `dots` multiplies.
    pub fn round(scratch: &mut [f32], layout: Layout, int8: bool) = round_body;
    /// Sums of `rows` rows of x from `first` on with the rows of a weight, a strip at most: `[row][STRIP]`.
    pub fn dots(
        scratch: &[f32],
        layout: Layout,
        first: usize,
        rows: usize,
        weight: Blocks,
        int8: bool,
        sums: &mut [f32; AT_ONCE * STRIP],
    ) = dots_body;
}

/// Sums kept of each group.
const SUMS: usize = 3;

#[inline(always)]
unsafe fn put_sums(sums: *mut f32, g: usize, [first, second]: [f32; 2]) {
    *sums.add(SUMS * g) = first;
    *sums.add(SUMS * g + 1) = second;
    *sums.add(SUMS * g + 2) = first + second;
}

/// Sums by 16 of x; or x as int8 with a scale for each 32, and the sums of what that means.
#[inline(always)]
unsafe fn round_body<L: Lanes>(scratch: &mut [f32], layout: Layout, int8: bool) {
    let base = scratch.as_mut_ptr();
    let (sums, scales) = (base.add(layout.sums()), base.add(layout.scales()));
    let bytes = base.add(layout.bytes()) as *mut i8;
    for g in 0..layout.rows * layout.k / GROUP {
        let x = &*(base.add(g * GROUP) as *const [f32; GROUP]);
        if !int8 {
            let halves = [x[..16].iter().sum::<f32>(), x[16..].iter().sum()];
            put_sums(sums, g, halves);
            continue;
        }
        let mut largest = [0.0f32; 8];
        for i in 0..GROUP {
            let v = x[i].abs();
            let most = &mut largest[i % 8];
            *most = if v > *most { v } else { *most };
        }
        let most = largest
            .iter()
            .fold(0.0f32, |m, &v| if v > m { v } else { m });
        let scale = most / 127.0;
        let inverse = if most > 0.0 { 127.0 / most } else { 0.0 };
        let q: [i32; GROUP] = std::array::from_fn(|i| {
            // Rounds to a whole number, ties to even, in what every machine has.
            let shifted = x[i] * inverse + 12_582_912.0;
            (shifted - 12_582_912.0) as i32
        });
        for i in 0..GROUP {
            *bytes.add(g * GROUP + i) = q[i] as i8;
        }
        *scales.add(g) = scale;
        let halves = [q[..16].iter().sum::<i32>(), q[16..].iter().sum()];
        put_sums(sums, g, halves.map(|sum| scale * sum as f32));
    }
}

#[inline(always)]
unsafe fn dots_body<L: Lanes>(
    scratch: &[f32],
    layout: Layout,
    first: usize,
    rows: usize,
    weight: Blocks,
    int8: bool,
    sums: &mut [f32; AT_ONCE * STRIP],
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
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    let base = scratch.as_ptr();
    let rows = Rows::<ROWS> {
        x: std::array::from_fn(|r| base.add((first + r) * layout.k)),
        sums: std::array::from_fn(|r| {
            base.add(layout.sums() + (first + r) * layout.k / GROUP * SUMS)
        }),
        scales: std::array::from_fn(|r| base.add(layout.scales() + (first + r) * layout.k / GROUP)),
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
    sums: [*const f32; ROWS],
    scales: [*const f32; ROWS],
    bytes: [*const i8; ROWS],
}

#[inline(always)]
unsafe fn all_dots<L: Lanes, const ROWS: usize, const INT8: bool>(
    rows: &Rows<ROWS>,
    weight: Blocks,
    sums: &mut [f32; AT_ONCE * STRIP],
) {
    every_format!(weight.format, |FORMAT| {
        for column in 0..weight.outputs {
            let mut dots = Dots::<L, ROWS, INT8> {
                rows,
                g: 0,
                sums: [L::splat(0.0); ROWS],
                minima: [0.0; ROWS],
            };
            walk::<L, _>(FORMAT, weight.row(column), weight.inputs, &mut dots);
            for r in 0..ROWS {
                sums[r * STRIP + column] = L::sum(dots.sums[r]) + dots.minima[r];
            }
        }
    })
}

/// The sums of rows of x with one row of W while its groups go by; INT8: with x as int8.
struct Dots<'a, L: Lanes, const ROWS: usize, const INT8: bool> {
    rows: &'a Rows<ROWS>,
    g: usize,
    sums: [L::V; ROWS],
    minima: [f32; ROWS],
}

impl<L: Lanes, const ROWS: usize, const INT8: bool> Sink<L> for Dots<'_, L, ROWS, INT8> {
    #[inline(always)]
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        if INT8 {
            self.int_group::<SIGNED, HALVES>(q, s, m);
        } else {
            self.float_group::<SIGNED>(q, s, m);
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
                    self.sums[r] = L::fma(values[i], L::load(x.add(8 * i)), self.sums[r]);
                }
            }
        }
        self.g += 1;
    }
}

impl<L: Lanes, const ROWS: usize, const INT8: bool> Dots<'_, L, ROWS, INT8> {
    #[inline(always)]
    unsafe fn int_group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    ) {
        for r in 0..ROWS {
            let a = self.rows.bytes[r].add(self.g * GROUP);
            let dot = if SIGNED {
                L::dot_signed(q, a)
            } else {
                L::dot(q, a)
            };
            let scale = *self.rows.scales[r].add(self.g);
            let scales = if HALVES {
                L::two(s[0] * scale, s[1] * scale)
            } else {
                L::splat(s[0] * scale)
            };
            self.sums[r] = L::fma(dot, scales, self.sums[r]);
            if !SIGNED {
                let sums = self.rows.sums[r].add(SUMS * self.g);
                self.minima[r] += if HALVES {
                    m[0] * *sums + m[1] * *sums.add(1)
                } else {
                    m[0] * *sums.add(2)
                };
            }
        }
    }

    #[inline(always)]
    unsafe fn float_group<const SIGNED: bool>(&mut self, q: L::Q, s: [f32; 2], m: [f32; 2]) {
        for r in 0..ROWS {
            let x = self.rows.x[r].add(self.g * GROUP);
            for half in 0..2 {
                let first = L::floats::<SIGNED>(q, 2 * half);
                let second = L::floats::<SIGNED>(q, 2 * half + 1);
                let dot = L::fma(first, L::load(x.add(16 * half)), L::splat(0.0));
                let dot = L::fma(second, L::load(x.add(16 * half + 8)), dot);
                self.sums[r] = L::fma(dot, L::splat(s[half]), self.sums[r]);
                if !SIGNED {
                    self.minima[r] += m[half] * *self.rows.sums[r].add(SUMS * self.g + half);
                }
            }
        }
    }
}
