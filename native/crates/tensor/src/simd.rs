//! A vector of f32 for each instruction set, behind one trait.
//!
//! A kernel is an `#[inline(always)] unsafe fn body<S: Simd>(..)`; the `kernels!` macro compiles it once inside a
//! function with the target features of each instruction set and picks one of them at run time. Safety everywhere:
//! the caller hands pointers that hold the elements named, on a machine that has the instruction set.

pub trait Simd: Copy + 'static {
    type V: Copy;
    const LANES: usize;
    /// Rows of the block of C that matmul keeps in registers, beside two vectors of columns.
    const TILE_ROWS: usize;

    unsafe fn splat(x: f32) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    /// The first `n` (< LANES) elements, zeros after them.
    unsafe fn load_n(p: *const f32, n: usize) -> Self::V;
    unsafe fn store_n(p: *mut f32, n: usize, v: Self::V);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// b where either is not a number.
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    unsafe fn round(a: Self::V) -> Self::V;
    /// 2^a for whole a from -127 (which gives 0) to 127.
    unsafe fn pow2(a: Self::V) -> Self::V;
    /// `yes` where a < b, else `no`.
    unsafe fn if_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V;
    /// Rounded to bf16 (nearest, ties to even), kept as f32; not-a-number stays.
    unsafe fn bf16(a: Self::V) -> Self::V;
    /// The sum of the lanes, in an order that is always the same.
    unsafe fn sum(a: Self::V) -> f32;
    unsafe fn largest(a: Self::V) -> f32;
    /// Turns a LANES x LANES block: to[c * to_stride + r] = from[r * from_stride + c].
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_stride: usize, to: *mut f32, to_stride: usize) {
        for r in 0..Self::LANES {
            for c in 0..Self::LANES {
                *to.add(c * to_stride + r) = *from.add(r * from_stride + c);
            }
        }
    }
}

/// The next `n` elements, at most LANES.
#[inline(always)]
pub unsafe fn get<S: Simd>(p: *const f32, n: usize) -> S::V {
    if n == S::LANES {
        S::load(p)
    } else {
        S::load_n(p, n)
    }
}

#[inline(always)]
pub unsafe fn put<S: Simd>(p: *mut f32, n: usize, v: S::V) {
    if n == S::LANES {
        S::store(p, v)
    } else {
        S::store_n(p, n, v)
    }
}

/// As `put`, or added to what is there.
#[inline(always)]
pub unsafe fn put_or_add<S: Simd>(p: *mut f32, n: usize, v: S::V, add: bool) {
    put::<S>(p, n, if add { S::add(get::<S>(p, n), v) } else { v });
}

/// Walks `n` elements a vector at a time: `body` sees where it is and how many elements are left for it, LANES but at
/// the end. A macro, since a closure would be compiled without the target features of its surroundings.
#[macro_export]
macro_rules! vectors {
    ($S:ty, $n:expr, |$i:ident, $left:ident| $body:block) => {
        let end = $n;
        let mut $i = 0;
        while $i + <$S>::LANES <= end {
            let $left = <$S>::LANES;
            $body
            $i += <$S>::LANES;
        }
        if $i < end {
            let $left = end - $i;
            $body
        }
    };
}

/// exp, within 2 units in the last place; 0 below -87.3, infinity above 88.7; not-a-number stays.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    let clamped = S::min(S::splat(89.0), S::max(S::splat(-88.0), x));
    let n = S::round(S::mul(clamped, S::splat(std::f32::consts::LOG2_E)));
    let r = S::fma(n, S::splat(-0.693_359_4), clamped);
    let r = S::fma(n, S::splat(2.121_944_4e-4), r);
    let mut p = S::splat(1.987_569_1e-4);
    p = S::fma(p, r, S::splat(1.398_199_9e-3));
    p = S::fma(p, r, S::splat(8.333_452e-3));
    p = S::fma(p, r, S::splat(4.166_579_6e-2));
    p = S::fma(p, r, S::splat(1.666_666_6e-1));
    p = S::fma(p, r, S::splat(0.5));
    p = S::fma(p, S::mul(r, r), S::add(r, S::splat(1.0)));
    // 2^n in two factors: n reaches 128.
    let half = S::pow2(S::sub(n, S::splat(1.0)));
    let y = S::mul(S::mul(p, half), S::splat(2.0));
    S::if_less(x, S::splat(-87.3), S::splat(0.0), y)
}

/// 1 / (1 + exp(-x))
#[inline(always)]
pub unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    let e = exp::<S>(S::sub(S::splat(0.0), x));
    S::div(S::splat(1.0), S::add(S::splat(1.0), e))
}

/// Four lanes of plain arithmetic: what every machine has, and the reference of the self-check.
#[derive(Clone, Copy)]
pub struct Portable;

const P: usize = 4;

impl Simd for Portable {
    type V = [f32; P];
    const LANES: usize = P;
    const TILE_ROWS: usize = 6;

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
    unsafe fn if_less(a: Self::V, b: Self::V, yes: Self::V, no: Self::V) -> Self::V {
        std::array::from_fn(|i| if a[i] < b[i] { yes[i] } else { no[i] })
    }
    #[inline(always)]
    unsafe fn bf16(a: Self::V) -> Self::V {
        std::array::from_fn(|i| bf16(a[i]))
    }
    #[inline(always)]
    unsafe fn sum(a: Self::V) -> f32 {
        (a[0] + a[2]) + (a[1] + a[3])
    }
    #[inline(always)]
    unsafe fn largest(a: Self::V) -> f32 {
        a.iter()
            .fold(f32::NEG_INFINITY, |m, &x| if m > x { m } else { x })
    }
}

/// One f32 rounded to bf16 (nearest, ties to even); not-a-number stays.
pub fn bf16(x: f32) -> f32 {
    if x.is_nan() {
        return x;
    }
    let bits = x.to_bits();
    f32::from_bits((bits.wrapping_add(0x7fff + ((bits >> 16) & 1))) & 0xffff_0000)
}

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Simd;
    use std::arch::x86_64::*;

    /// 8 lanes with fused multiply-add; 6 x 16 of C fills 12 of its 16 registers.
    #[derive(Clone, Copy)]
    pub struct Avx2;

    #[inline(always)]
    unsafe fn mask8(n: usize) -> __m256i {
        static MASK: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
        _mm256_loadu_si256(MASK.as_ptr().add(8 - n) as *const __m256i)
    }

    #[inline(always)]
    unsafe fn pair(from: *const f32, stride: usize) -> (__m256, __m256) {
        let (x, y) = (_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(stride)));
        (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y))
    }

    impl Simd for Avx2 {
        type V = __m256;
        const LANES: usize = 8;
        const TILE_ROWS: usize = 6;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            _mm256_set1_ps(x)
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m256 {
            _mm256_loadu_ps(p)
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m256) {
            _mm256_storeu_ps(p, v)
        }
        #[inline(always)]
        unsafe fn load_n(p: *const f32, n: usize) -> __m256 {
            _mm256_maskload_ps(p, mask8(n))
        }
        #[inline(always)]
        unsafe fn store_n(p: *mut f32, n: usize, v: __m256) {
            _mm256_maskstore_ps(p, mask8(n), v)
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            _mm256_add_ps(a, b)
        }
        #[inline(always)]
        unsafe fn sub(a: __m256, b: __m256) -> __m256 {
            _mm256_sub_ps(a, b)
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            _mm256_mul_ps(a, b)
        }
        #[inline(always)]
        unsafe fn div(a: __m256, b: __m256) -> __m256 {
            _mm256_div_ps(a, b)
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            _mm256_fmadd_ps(a, b, c)
        }
        #[inline(always)]
        unsafe fn max(a: __m256, b: __m256) -> __m256 {
            _mm256_max_ps(a, b)
        }
        #[inline(always)]
        unsafe fn min(a: __m256, b: __m256) -> __m256 {
            _mm256_min_ps(a, b)
        }
        #[inline(always)]
        unsafe fn sqrt(a: __m256) -> __m256 {
            _mm256_sqrt_ps(a)
        }
        #[inline(always)]
        unsafe fn round(a: __m256) -> __m256 {
            _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        #[inline(always)]
        unsafe fn pow2(a: __m256) -> __m256 {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(a), _mm256_set1_epi32(127));
            _mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent))
        }
        #[inline(always)]
        unsafe fn if_less(a: __m256, b: __m256, yes: __m256, no: __m256) -> __m256 {
            _mm256_blendv_ps(no, yes, _mm256_cmp_ps::<_CMP_LT_OQ>(a, b))
        }
        #[inline(always)]
        unsafe fn bf16(a: __m256) -> __m256 {
            let bits = _mm256_castps_si256(a);
            let odd = _mm256_and_si256(_mm256_srli_epi32::<16>(bits), _mm256_set1_epi32(1));
            let up = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
            let rounded = _mm256_and_si256(up, _mm256_set1_epi32(-65536));
            let nan = _mm256_cmp_ps::<_CMP_UNORD_Q>(a, a);
            _mm256_blendv_ps(_mm256_castsi256_ps(rounded), a, nan)
        }
        #[inline(always)]
        unsafe fn sum(a: __m256) -> f32 {
            let x = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let y = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps::<1>(y, y)))
        }
        #[inline(always)]
        unsafe fn largest(a: __m256) -> f32 {
            let x = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let y = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(y, _mm_shuffle_ps::<1>(y, y)))
        }
        #[inline(always)]
        unsafe fn transpose(from: *const f32, fs: usize, to: *mut f32, ts: usize) {
            let (a0, a1) = pair(from, fs);
            let (a2, a3) = pair(from.add(2 * fs), fs);
            let (a4, a5) = pair(from.add(4 * fs), fs);
            let (a6, a7) = pair(from.add(6 * fs), fs);
            let b0 = _mm256_shuffle_ps::<0x44>(a0, a2);
            let b1 = _mm256_shuffle_ps::<0xee>(a0, a2);
            let b2 = _mm256_shuffle_ps::<0x44>(a1, a3);
            let b3 = _mm256_shuffle_ps::<0xee>(a1, a3);
            let b4 = _mm256_shuffle_ps::<0x44>(a4, a6);
            let b5 = _mm256_shuffle_ps::<0xee>(a4, a6);
            let b6 = _mm256_shuffle_ps::<0x44>(a5, a7);
            let b7 = _mm256_shuffle_ps::<0xee>(a5, a7);
            let rows = [(b0, b4), (b1, b5), (b2, b6), (b3, b7)];
            for (i, (low, high)) in rows.into_iter().enumerate() {
                _mm256_storeu_ps(to.add(i * ts), _mm256_permute2f128_ps::<0x20>(low, high));
                _mm256_storeu_ps(
                    to.add((i + 4) * ts),
                    _mm256_permute2f128_ps::<0x31>(low, high),
                );
            }
        }
    }

    /// 16 lanes; 14 x 32 of C fills 28 of its 32 registers. Only AVX-512F is needed.
    #[derive(Clone, Copy)]
    pub struct Avx512;

    #[inline(always)]
    fn mask16(n: usize) -> __mmask16 {
        ((1u32 << n) - 1) as __mmask16
    }

    impl Simd for Avx512 {
        type V = __m512;
        const LANES: usize = 16;
        const TILE_ROWS: usize = 14;

        #[inline(always)]
        unsafe fn splat(x: f32) -> __m512 {
            _mm512_set1_ps(x)
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m512 {
            _mm512_loadu_ps(p)
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m512) {
            _mm512_storeu_ps(p, v)
        }
        #[inline(always)]
        unsafe fn load_n(p: *const f32, n: usize) -> __m512 {
            _mm512_maskz_loadu_ps(mask16(n), p)
        }
        #[inline(always)]
        unsafe fn store_n(p: *mut f32, n: usize, v: __m512) {
            _mm512_mask_storeu_ps(p, mask16(n), v)
        }
        #[inline(always)]
        unsafe fn add(a: __m512, b: __m512) -> __m512 {
            _mm512_add_ps(a, b)
        }
        #[inline(always)]
        unsafe fn sub(a: __m512, b: __m512) -> __m512 {
            _mm512_sub_ps(a, b)
        }
        #[inline(always)]
        unsafe fn mul(a: __m512, b: __m512) -> __m512 {
            _mm512_mul_ps(a, b)
        }
        #[inline(always)]
        unsafe fn div(a: __m512, b: __m512) -> __m512 {
            _mm512_div_ps(a, b)
        }
        #[inline(always)]
        unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
            _mm512_fmadd_ps(a, b, c)
        }
        #[inline(always)]
        unsafe fn max(a: __m512, b: __m512) -> __m512 {
            _mm512_max_ps(a, b)
        }
        #[inline(always)]
        unsafe fn min(a: __m512, b: __m512) -> __m512 {
            _mm512_min_ps(a, b)
        }
        #[inline(always)]
        unsafe fn sqrt(a: __m512) -> __m512 {
            _mm512_sqrt_ps(a)
        }
        #[inline(always)]
        unsafe fn round(a: __m512) -> __m512 {
            _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a)
        }
        #[inline(always)]
        unsafe fn pow2(a: __m512) -> __m512 {
            let exponent = _mm512_add_epi32(_mm512_cvtps_epi32(a), _mm512_set1_epi32(127));
            _mm512_castsi512_ps(_mm512_slli_epi32::<23>(exponent))
        }
        #[inline(always)]
        unsafe fn if_less(a: __m512, b: __m512, yes: __m512, no: __m512) -> __m512 {
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b), no, yes)
        }
        #[inline(always)]
        unsafe fn bf16(a: __m512) -> __m512 {
            let bits = _mm512_castps_si512(a);
            let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
            let up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
            let rounded = _mm512_and_si512(up, _mm512_set1_epi32(-65536));
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
            _mm512_mask_blend_ps(nan, _mm512_castsi512_ps(rounded), a)
        }
        #[inline(always)]
        unsafe fn sum(a: __m512) -> f32 {
            _mm512_reduce_add_ps(a)
        }
        #[inline(always)]
        unsafe fn largest(a: __m512) -> f32 {
            _mm512_reduce_max_ps(a)
        }
    }
}

/// Compiles generic bodies for every instruction set and picks one at run time:
/// `kernels! { pub fn name(x: &[f32]) -> f32 = body; }` makes `name(isa, x)` out of `body::<S>(x)`.
#[macro_export]
macro_rules! kernels {
    ($( $(#[$meta:meta])* $visible:vis fn $name:ident ( $($arg:ident : $type:ty),* $(,)? ) $(-> $result:ty)? = $body:ident; )*) => { $(
        $(#[$meta])*
        $visible unsafe fn $name(isa: $crate::isa::Isa, $($arg: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                unsafe fn avx2($($arg: $type),*) $(-> $result)? { $body::<$crate::simd::Avx2>($($arg),*) }
                #[target_feature(enable = "avx512f,avx2,fma")]
                unsafe fn avx512($($arg: $type),*) $(-> $result)? { $body::<$crate::simd::Avx512>($($arg),*) }
                match isa {
                    $crate::isa::Isa::Avx2 => return avx2($($arg),*),
                    $crate::isa::Isa::Avx512 => return avx512($($arg),*),
                    $crate::isa::Isa::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            $body::<$crate::simd::Portable>($($arg),*)
        }
    )* };
}
