//! AVX2 and AVX-512: thin wrappers of the intrinsics, nothing that could differ in meaning.

use super::{Pairs, Simd, power_of_part};
use crate::element::Bf16;
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
    unsafe fn exp_within(x: __m256) -> __m256 {
        let set = |x: f32| _mm256_set1_ps(x);
        let x = _mm256_min_ps(set(88.0), _mm256_max_ps(set(-87.0), x));
        // x log2(e), rounded, in the low bits of a number whose unit in the last place is 1.
        let whole = _mm256_fmadd_ps(x, set(std::f32::consts::LOG2_E), set(12_582_912.0));
        let n = _mm256_sub_ps(whole, set(12_582_912.0));
        let r = _mm256_fmadd_ps(n, set(-0.693_359_4), x);
        let r = _mm256_fmadd_ps(n, set(2.121_944_4e-4), r);
        // The polynomial of `exp`, in pairs: what waits for what is the time that it takes.
        let square = _mm256_mul_ps(r, r);
        let high = _mm256_fmadd_ps(r, set(1.987_569_1e-4), set(1.398_199_9e-3));
        let middle = _mm256_fmadd_ps(r, set(8.333_452e-3), set(4.166_579_6e-2));
        let low = _mm256_fmadd_ps(r, set(1.666_666_6e-1), set(0.5));
        let p = _mm256_fmadd_ps(_mm256_fmadd_ps(high, square, middle), square, low);
        let p = _mm256_fmadd_ps(p, square, _mm256_add_ps(r, set(1.0)));
        let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(whole));
        let power = _mm256_add_epi32(exponent, _mm256_set1_epi32(127 << 23));
        _mm256_mul_ps(p, _mm256_castsi256_ps(power))
    }
    #[inline(always)]
    unsafe fn exp2_within(x: __m256) -> __m256 {
        let magic = _mm256_set1_ps(12_582_912.0);
        let x = _mm256_max_ps(_mm256_set1_ps(-125.0), x);
        // x, rounded, in the low bits of a number whose unit in the last place is 1: added to the exponent as they are.
        let whole = _mm256_add_ps(x, magic);
        let p = power_of_part::<Self>(_mm256_sub_ps(x, _mm256_sub_ps(whole, magic)));
        let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(whole));
        _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent))
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
    unsafe fn load_bf16(p: *const Bf16) -> __m256 {
        let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(p as *const __m128i));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut Bf16, v: __m256) {
        let halves = _mm256_srli_epi32::<16>(_mm256_castps_si256(Self::bf16(v)));
        let packed = _mm256_permute4x64_epi64::<0b1000>(_mm256_packus_epi32(halves, halves));
        _mm_storeu_si128(p as *mut __m128i, _mm256_castsi256_si128(packed));
    }
    #[inline(always)]
    unsafe fn fetch(line: *const u8) {
        _mm_prefetch::<_MM_HINT_T0>(line as *const i8)
    }
    #[inline(always)]
    unsafe fn fetch_far(line: *const u8) {
        _mm_prefetch::<_MM_HINT_T1>(line as *const i8)
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

/// 16 lanes; 14 x 32 of C fills 28 of its 32 registers. F, BW, VL and DQ are needed, which all but the first have;
/// NATIVE: and the instructions for bf16.
#[derive(Clone, Copy)]
pub struct Lanes16<const NATIVE: bool>;

pub type Avx512 = Lanes16<false>;
pub type Avx512Bf16 = Lanes16<true>;

#[inline(always)]
fn mask16(n: usize) -> __mmask16 {
    ((1u32 << n) - 1) as __mmask16
}

impl<const NATIVE: bool> Simd for Lanes16<NATIVE> {
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
    const LEAST_EXPONENT: f32 = -110.0;
    #[inline(always)]
    unsafe fn times_pow2(p: __m512, n: __m512) -> __m512 {
        _mm512_scalef_ps(p, n)
    }
    #[inline(always)]
    unsafe fn exp2_near(x: __m512) -> __m512 {
        // x - floor(x), 0 of infinity; `scalef` takes the floor by itself.
        let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEG_INF }>(x);
        // The least largest relative error between 0 and 1.
        let mut p = _mm512_set1_ps(1.353_416_8e-2);
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(5.201_146e-2));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(2.414_427_6e-1));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(6.930_038_3e-1));
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.000_002_6));
        _mm512_scalef_ps(p, x)
    }
    #[inline(always)]
    unsafe fn exp2_within(x: __m512) -> __m512 {
        // x - the nearest whole number, 0 of infinity.
        let r = _mm512_reduce_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(x);
        _mm512_scalef_ps(power_of_part::<Self>(r), _mm512_sub_ps(x, r))
    }
    #[inline(always)]
    unsafe fn reciprocal(a: __m512) -> __m512 {
        // 14 bits, doubled by one step of Newton's.
        let r = _mm512_rcp14_ps(a);
        _mm512_mul_ps(r, _mm512_fnmadd_ps(a, r, _mm512_set1_ps(2.0)))
    }
    #[inline(always)]
    unsafe fn reciprocal_near(a: __m512) -> __m512 {
        _mm512_rcp14_ps(a)
    }
    #[inline(always)]
    unsafe fn bf16(a: __m512) -> __m512 {
        if NATIVE {
            return widen(narrow(a));
        }
        let bits = _mm512_castps_si512(a);
        let odd = _mm512_and_si512(_mm512_srli_epi32::<16>(bits), _mm512_set1_epi32(1));
        let up = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
        let rounded = _mm512_and_si512(up, _mm512_set1_epi32(-65536));
        let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, a);
        _mm512_mask_blend_ps(nan, _mm512_castsi512_ps(rounded), a)
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const Bf16) -> __m512 {
        widen(_mm256_loadu_si256(p as *const __m256i))
    }
    #[inline(always)]
    unsafe fn store_bf16(p: *mut Bf16, v: __m512) {
        let halves = if NATIVE {
            narrow(v)
        } else {
            let bits = _mm512_castps_si512(Self::bf16(v));
            _mm512_cvtepi32_epi16(_mm512_srli_epi32::<16>(bits))
        };
        _mm256_storeu_si256(p as *mut __m256i, halves);
    }
    #[inline(always)]
    unsafe fn sum(a: __m512) -> f32 {
        _mm512_reduce_add_ps(a)
    }
    #[inline(always)]
    unsafe fn largest(a: __m512) -> f32 {
        _mm512_reduce_max_ps(a)
    }
    #[inline(always)]
    unsafe fn fetch(line: *const u8) {
        _mm_prefetch::<_MM_HINT_T0>(line as *const i8)
    }
    #[inline(always)]
    unsafe fn fetch_far(line: *const u8) {
        _mm_prefetch::<_MM_HINT_T1>(line as *const i8)
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, fs: usize, to: *mut f32, ts: usize) {
        // 4 x 4 blocks inside the quarters of each vector, then the quarters among the vectors.
        let row = |r: usize| _mm512_loadu_ps(from.add(r * fs));
        let mut blocks = [_mm512_setzero_ps(); 16];
        for r in (0..16).step_by(4) {
            let (a, b, c, d) = (row(r), row(r + 1), row(r + 2), row(r + 3));
            let (ab, cd) = (_mm512_unpacklo_ps(a, b), _mm512_unpacklo_ps(c, d));
            let (ef, gh) = (_mm512_unpackhi_ps(a, b), _mm512_unpackhi_ps(c, d));
            blocks[r] = _mm512_shuffle_ps::<0x44>(ab, cd);
            blocks[r + 1] = _mm512_shuffle_ps::<0xee>(ab, cd);
            blocks[r + 2] = _mm512_shuffle_ps::<0x44>(ef, gh);
            blocks[r + 3] = _mm512_shuffle_ps::<0xee>(ef, gh);
        }
        for c in 0..4 {
            let (a, b, x, y) = (blocks[c], blocks[c + 4], blocks[c + 8], blocks[c + 12]);
            let (even, odd) = (
                _mm512_shuffle_f32x4::<0x88>(a, b),
                _mm512_shuffle_f32x4::<0xdd>(a, b),
            );
            let (even2, odd2) = (
                _mm512_shuffle_f32x4::<0x88>(x, y),
                _mm512_shuffle_f32x4::<0xdd>(x, y),
            );
            let put = |quarter: usize, v: __m512| {
                _mm512_storeu_ps(to.add((quarter * 4 + c) * ts), v);
            };
            put(0, _mm512_shuffle_f32x4::<0x88>(even, even2));
            put(1, _mm512_shuffle_f32x4::<0x88>(odd, odd2));
            put(2, _mm512_shuffle_f32x4::<0xdd>(even, even2));
            put(3, _mm512_shuffle_f32x4::<0xdd>(odd, odd2));
        }
    }
}

#[inline(always)]
unsafe fn widen(halves: __m256i) -> __m512 {
    _mm512_castsi512_ps(_mm512_slli_epi32::<16>(_mm512_cvtepu16_epi32(halves)))
}

/// Needs the instructions for bf16.
#[inline(always)]
unsafe fn narrow(v: __m512) -> __m256i {
    std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v))
}

/// The bf16 of the first vector, then those of the second.
#[inline(always)]
unsafe fn beside(first: __m512, second: __m512) -> __m512i {
    std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(second, first))
}

/// Pairs of an element of the lower half and one of the upper.
#[inline(always)]
unsafe fn interleaved(halves: __m512i) -> __m512 {
    static ORDER: [u16; 32] = {
        let mut order = [0; 32];
        let mut i = 0;
        while i < 32 {
            order[i] = (i / 2 + i % 2 * 16) as u16;
            i += 1;
        }
        order
    };
    let order = _mm512_loadu_si512(ORDER.as_ptr() as *const __m512i);
    _mm512_castsi512_ps(_mm512_permutexvar_epi16(order, halves))
}

impl Pairs for Avx512Bf16 {
    #[inline(always)]
    unsafe fn dot(sum: __m512, a: *const Bf16, b: __m512) -> __m512 {
        let a = _mm512_set1_epi32((a as *const i32).read_unaligned());
        let [a, b] =
            [a, _mm512_castps_si512(b)].map(|v| std::mem::transmute::<__m512i, __m512bh>(v));
        _mm512_dpbf16_ps(sum, a, b)
    }
    #[inline(always)]
    unsafe fn pair(low: __m512, high: __m512) -> __m512 {
        interleaved(beside(low, high))
    }
    #[inline(always)]
    unsafe fn pair_stored(low: __m512, high: __m512, to: [*mut Bf16; 2]) -> __m512 {
        let both = beside(low, high);
        _mm256_storeu_si256(to[0] as *mut __m256i, _mm512_castsi512_si256(both));
        _mm256_storeu_si256(to[1] as *mut __m256i, _mm512_extracti64x4_epi64::<1>(both));
        interleaved(both)
    }
    #[inline(always)]
    unsafe fn pair_bf16(low: *const Bf16, high: *const Bf16) -> __m512 {
        let [low, high] =
            [low, high].map(|p| _mm512_cvtepu16_epi32(_mm256_loadu_si256(p as *const __m256i)));
        _mm512_castsi512_ps(_mm512_or_si512(low, _mm512_slli_epi32::<16>(high)))
    }
    #[inline(always)]
    unsafe fn join(first: __m512, second: __m512) -> __m512 {
        _mm512_castsi512_ps(beside(first, second))
    }
    #[inline(always)]
    unsafe fn fastest(sums: __m512, a: __m512, b: __m512) -> __m512 {
        let [a, b] =
            [a, b].map(|v| std::mem::transmute::<__m512i, __m512bh>(_mm512_castps_si512(v)));
        _mm512_dpbf16_ps(sums, a, b)
    }
}
