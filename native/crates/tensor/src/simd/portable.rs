//! Plain arithmetic on any number of lanes: what every machine has.

use super::{Pairs, Simd};
use crate::element::Bf16;

/// Lanes of plain arithmetic, for any number of them.
#[derive(Clone, Copy)]
pub struct Plain<const LANES: usize, const TILE_ROWS: usize>;

/// Four lanes: what every machine has, and the reference of the self-check.
pub type Portable = Plain<4, 6>;

/// The shape of AVX-512 without its instructions: its tiles are tested on machines that lack them.
#[cfg(test)]
pub type Wide = Plain<16, 14>;

impl<const P: usize, const ROWS: usize> Simd for Plain<P, ROWS> {
    type V = [f32; P];
    const LANES: usize = P;
    const TILE_ROWS: usize = ROWS;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self::V {
        [x; P]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self::V {
        (p as *const [f32; P]).read_unaligned()
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Self::V) {
        (p as *mut [f32; P]).write_unaligned(v)
    }
    #[inline(always)]
    unsafe fn load_n(p: *const f32, n: usize) -> Self::V {
        std::array::from_fn(|i| if i < n { *p.add(i) } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn store_n(p: *mut f32, n: usize, v: Self::V) {
        for i in 0..n {
            *p.add(i) = v[i];
        }
    }
    #[inline(always)]
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] + b[i])
    }
    #[inline(always)]
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] - b[i])
    }
    #[inline(always)]
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] * b[i])
    }
    #[inline(always)]
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i] / b[i])
    }
    #[inline(always)]
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        // A fused f32::mul_add is a slow library call where the machine's baseline has no instruction for it.
        if cfg!(target_arch = "aarch64") {
            std::array::from_fn(|i| a[i].mul_add(b[i], c[i]))
        } else {
            std::array::from_fn(|i| a[i] * b[i] + c[i])
        }
    }
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] > b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] < b[i] { a[i] } else { b[i] })
    }
    #[inline(always)]
    unsafe fn sqrt(a: Self::V) -> Self::V {
        std::array::from_fn(|i| a[i].sqrt())
    }
    #[inline(always)]
    unsafe fn round(a: Self::V) -> Self::V {
        // Adding 1.5 * 2^23 rounds to a whole number, ties to even; |a| is far below 2^22 here.
        std::array::from_fn(|i| (a[i] + 12_582_912.0) - 12_582_912.0)
    }
    #[inline(always)]
    unsafe fn pow2(a: Self::V) -> Self::V {
        std::array::from_fn(|i| f32::from_bits(((a[i] as i32 + 127) as u32) << 23))
    }
    #[inline(always)]
    unsafe fn bf16(a: Self::V) -> Self::V {
        std::array::from_fn(|i| Bf16::new(a[i]).value())
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const Bf16) -> Self::V {
        std::array::from_fn(|i| (*p.add(i)).value())
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut Bf16, v: Self::V) {
        for i in 0..P {
            *p.add(i) = Bf16::new(v[i]);
        }
    }
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        a.iter().sum()
    }
    #[inline(always)]
    unsafe fn largest(a: Self::V) -> f32 {
        a.iter()
            .fold(f32::NEG_INFINITY, |m, &x| if m > x { m } else { x })
    }
}

impl<const P: usize, const ROWS: usize> Pairs for Plain<P, ROWS> {
    #[inline(always)]
    unsafe fn dot(sum: Self::V, a: *const Bf16, b: Self::V) -> Self::V {
        let (low, high) = ((*a).value(), (*a.add(1)).value());
        std::array::from_fn(|i| {
            let bits = b[i].to_bits();
            let (x, y) = (f32::from_bits(bits << 16), f32::from_bits(bits & !0xffff));
            sum[i] + (low * x + high * y)
        })
    }
    #[inline(always)]
    unsafe fn pair(low: Self::V, high: Self::V) -> Self::V {
        std::array::from_fn(|i| {
            let (low, high) = (Bf16::new(low[i]).0 as u32, Bf16::new(high[i]).0 as u32);
            f32::from_bits(low | (high << 16))
        })
    }
    #[inline(always)]
    unsafe fn pair_bf16(low: *const Bf16, high: *const Bf16) -> Self::V {
        Self::pair(Self::load_bf16(low), Self::load_bf16(high))
    }
    #[inline(always)]
    unsafe fn join(first: Self::V, second: Self::V) -> Self::V {
        let at = |i: usize| if i < P { first[i] } else { second[i - P] };
        let low = std::array::from_fn(|i| at(2 * i));
        Self::pair(low, std::array::from_fn(|i| at(2 * i + 1)))
    }
    #[inline(always)]
    unsafe fn fastest(sums: Self::V, a: Self::V, b: Self::V) -> Self::V {
        Self::dot(sums, &raw const a as *const Bf16, b)
    }
}
