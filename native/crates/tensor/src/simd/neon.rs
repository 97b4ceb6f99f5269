//! NEON, which every aarch64 has, and its products of bf16, which newer ones have.
//!
//! The intrinsics for bf16 are not stable, so those are three lines of assembly. Of the two kinds of product BFMMLA,
//! which makes 2 x 2 sums of 4 products each, is at least as fast as BFDOT (4 sums of 2) on every core that has both
//! and does twice the work. Its operands come out of the pairs that all instruction sets are packed as: 4 columns of
//! two pairs, interleaved, are two blocks of 2 columns x 4 of K.

use super::{Pairs, Simd};
use crate::element::Bf16;
use std::arch::aarch64::*;
use std::arch::asm;

/// 4 lanes; 12 x 8 of C fills 24 of its 32 registers. BF16: and the instructions for bf16.
#[derive(Clone, Copy)]
pub struct Lanes4<const BF16: bool>;

pub type Neon = Lanes4<false>;
pub type NeonBf16 = Lanes4<true>;

impl<const BF16: bool> Simd for Lanes4<BF16> {
    type V = float32x4_t;
    const LANES: usize = 4;
    const TILE_ROWS: usize = 12;

    #[inline(always)]
    unsafe fn splat(x: f32) -> float32x4_t {
        vdupq_n_f32(x)
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> float32x4_t {
        vld1q_f32(p)
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: float32x4_t) {
        vst1q_f32(p, v)
    }
    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> float32x4_t {
        let mut line = [0.0; 4];
        std::ptr::copy_nonoverlapping(p, line.as_mut_ptr(), n);
        vld1q_f32(line.as_ptr())
    }
    #[inline(always)]
    unsafe fn store_n(p: *mut f32, n: usize, v: float32x4_t) {
        let mut line = [0.0; 4];
        vst1q_f32(line.as_mut_ptr(), v);
        std::ptr::copy_nonoverlapping(line.as_ptr(), p, n);
    }
    #[inline(always)]
    unsafe fn add(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vaddq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn sub(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vsubq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vmulq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn div(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vdivq_f32(a, b)
    }
    #[inline(always)]
    unsafe fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        vfmaq_f32(c, a, b)
    }
    #[inline(always)]
    unsafe fn max(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vbslq_f32(vcgtq_f32(a, b), a, b)
    }
    #[inline(always)]
    unsafe fn min(a: float32x4_t, b: float32x4_t) -> float32x4_t {
        vbslq_f32(vcltq_f32(a, b), a, b)
    }
    #[inline(always)]
    unsafe fn sqrt(a: float32x4_t) -> float32x4_t {
        vsqrtq_f32(a)
    }
    #[inline(always)]
    unsafe fn round(a: float32x4_t) -> float32x4_t {
        vrndnq_f32(a)
    }
    #[inline(always)]
    unsafe fn pow2(a: float32x4_t) -> float32x4_t {
        let exponent = vaddq_s32(vcvtnq_s32_f32(a), vdupq_n_s32(127));
        vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent))
    }
    #[inline(always)]
    unsafe fn bf16(a: float32x4_t) -> float32x4_t {
        if BF16 {
            return widen(narrow(a));
        }
        let bits = vreinterpretq_u32_f32(a);
        let odd = vandq_u32(vshrq_n_u32::<16>(bits), vdupq_n_u32(1));
        let up = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
        let rounded = vandq_u32(up, vdupq_n_u32(0xffff_0000));
        vbslq_f32(vceqq_f32(a, a), vreinterpretq_f32_u32(rounded), a)
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const Bf16) -> float32x4_t {
        widen(vld1_u16(p as *const u16))
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut Bf16, v: float32x4_t) {
        let halves = if BF16 {
            narrow(v)
        } else {
            vshrn_n_u32::<16>(vreinterpretq_u32_f32(Self::bf16(v)))
        };
        vst1_u16(p as *mut u16, halves);
    }
    #[inline(always)]
    unsafe fn sum(a: float32x4_t) -> f32 {
        vaddvq_f32(a)
    }
    #[inline(always)]
    unsafe fn largest(a: float32x4_t) -> f32 {
        vmaxvq_f32(a)
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        let row = |r: usize| vld1q_f32(from.add(r * from_stride));
        let (a, b, c, d) = (row(0), row(1), row(2), row(3));
        let (even, odd) = (vtrn1q_f32(a, b), vtrn2q_f32(a, b));
        let (even2, odd2) = (vtrn1q_f32(c, d), vtrn2q_f32(c, d));
        vst1q_f32(to, lower_halves(even, even2));
        vst1q_f32(to.add(to_stride), lower_halves(odd, odd2));
        vst1q_f32(to.add(2 * to_stride), upper_halves(even, even2));
        vst1q_f32(to.add(3 * to_stride), upper_halves(odd, odd2));
    }
}

#[inline(always)]
unsafe fn lower_halves(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    let [a, b] = [a, b].map(|v| vreinterpretq_f64_f32(v));
    vreinterpretq_f32_f64(vtrn1q_f64(a, b))
}

#[inline(always)]
unsafe fn upper_halves(a: float32x4_t, b: float32x4_t) -> float32x4_t {
    let [a, b] = [a, b].map(|v| vreinterpretq_f64_f32(v));
    vreinterpretq_f32_f64(vtrn2q_f64(a, b))
}

#[inline(always)]
unsafe fn widen(halves: uint16x4_t) -> float32x4_t {
    vreinterpretq_f32_u32(vshll_n_u16::<16>(halves))
}

/// Rounded to bf16. Needs the instructions for it.
#[inline(always)]
unsafe fn narrow(v: float32x4_t) -> uint16x4_t {
    let halves: uint16x4_t;
    asm!(
        ".arch_extension bf16",
        "bfcvtn {halves:v}.4h, {v:v}.4s",
        halves = lateout(vreg) halves, v = in(vreg) v,
        options(pure, nomem, nostack, preserves_flags)
    );
    halves
}

/// sums[i][j] + the products of row i of `a` and row j of `b`, both [2][4].
#[inline(always)]
unsafe fn matrix_product(sums: float32x4_t, a: uint32x4_t, b: uint32x4_t) -> float32x4_t {
    let mut sums = sums;
    asm!(
        ".arch_extension bf16",
        "bfmmla {sums:v}.4s, {a:v}.8h, {b:v}.8h",
        sums = inout(vreg) sums, a = in(vreg) a, b = in(vreg) b,
        options(pure, nomem, nostack, preserves_flags)
    );
    sums
}

impl Pairs for NeonBf16 {
    /// 16 registers of sums: with 24 the compiler begins to move them about.
    const PAIR_ROWS: usize = 8;
    const PRODUCTS: usize = 4;

    #[inline(always)]
    unsafe fn dot(sum: float32x4_t, a: *const Bf16, b: float32x4_t) -> float32x4_t {
        let a = vdupq_n_u32((a as *const u32).read_unaligned());
        let mut sum = sum;
        asm!(
            ".arch_extension bf16",
            "bfdot {sum:v}.4s, {a:v}.8h, {b:v}.8h",
            sum = inout(vreg) sum, a = in(vreg) a, b = in(vreg) b,
            options(pure, nomem, nostack, preserves_flags)
        );
        sum
    }
    #[inline(always)]
    unsafe fn pair(low: float32x4_t, high: float32x4_t) -> float32x4_t {
        let low = vmovl_u16(narrow(low));
        let high = vshll_n_u16::<16>(narrow(high));
        vreinterpretq_f32_u32(vorrq_u32(low, high))
    }
    #[inline(always)]
    unsafe fn pair_bf16(low: *const Bf16, high: *const Bf16) -> float32x4_t {
        let low = vmovl_u16(vld1_u16(low as *const u16));
        let high = vshll_n_u16::<16>(vld1_u16(high as *const u16));
        vreinterpretq_f32_u32(vorrq_u32(low, high))
    }
    #[inline(always)]
    unsafe fn join(first: float32x4_t, second: float32x4_t) -> float32x4_t {
        vreinterpretq_f32_u16(vcombine_u16(narrow(first), narrow(second)))
    }

    #[inline(always)]
    unsafe fn rows<const ROWS: usize>(
        pairs: usize,
        a: *const Bf16,
        stride: usize,
        b: *const f32,
    ) -> [[float32x4_t; 2]; ROWS] {
        let zero = vdupq_n_u32(0);
        let line = |q: usize, half: usize| vld1q_u32(b.add(q * 8 + half * 4) as *const u32);
        // Of two rows [0, 1]: columns [0 1, 2 3, 4 5, 6 7]. An odd last row is multiplied twice.
        let mut sums = [[vdupq_n_f32(0.0); 4]; ROWS];
        let second = |i: usize| if 2 * i + 1 < ROWS { 2 * i + 1 } else { 2 * i };
        for q in (0..pairs / 2 * 2).step_by(2) {
            let (b0, b1) = (line(q, 0), line(q, 1));
            let (b2, b3) = (line(q + 1, 0), line(q + 1, 1));
            let columns = [
                vzip1q_u32(b0, b2),
                vzip2q_u32(b0, b2),
                vzip1q_u32(b1, b3),
                vzip2q_u32(b1, b3),
            ];
            for i in 0..ROWS.div_ceil(2) {
                let row = |i: usize| vld1_u32(a.add(i * stride + 2 * q) as *const u32);
                let two = vcombine_u32(row(2 * i), row(second(i)));
                for j in 0..4 {
                    sums[i][j] = matrix_product(sums[i][j], two, columns[j]);
                }
            }
        }
        if pairs % 2 == 1 {
            let q = pairs - 1;
            let (b0, b1) = (line(q, 0), line(q, 1));
            let columns = [
                vzip1q_u32(b0, zero),
                vzip2q_u32(b0, zero),
                vzip1q_u32(b1, zero),
                vzip2q_u32(b1, zero),
            ];
            for i in 0..ROWS.div_ceil(2) {
                let row = |i: usize| {
                    let pair = (a.add(i * stride + 2 * q) as *const u32).read_unaligned();
                    vset_lane_u32::<0>(pair, vdup_n_u32(0))
                };
                let two = vcombine_u32(row(2 * i), row(second(i)));
                for j in 0..4 {
                    sums[i][j] = matrix_product(sums[i][j], two, columns[j]);
                }
            }
        }
        let mut rows = [[vdupq_n_f32(0.0); 2]; ROWS];
        for i in 0..ROWS {
            let [c0, c1, c2, c3] = sums[i / 2];
            rows[i] = if i % 2 == 0 {
                [lower_halves(c0, c1), lower_halves(c2, c3)]
            } else {
                [upper_halves(c0, c1), upper_halves(c2, c3)]
            };
        }
        rows
    }

    #[inline(always)]
    unsafe fn fastest(sums: float32x4_t, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        let [a, b] = [a, b].map(|v| vreinterpretq_u32_f32(v));
        matrix_product(sums, a, b)
    }
}
