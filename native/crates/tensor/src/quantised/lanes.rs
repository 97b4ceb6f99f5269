//! What products with blocks need beside `simd.rs`: 32 small numbers in a vector, dot products of them with int8 and
//! with f32, and eight f32 to sum in. One trait, one implementation for each instruction set.
//!
//! Lane l of the eight sums holds elements 4 l to 4 l + 3 of an int8 dot product, so the first four belong to the first 16
//! elements.

use crate::floats::f16_to_f32;

pub trait Lanes: Copy + 'static {
    /// 32 numbers of 8 bits.
    type Q: Copy;
    /// 8 f32.
    type V: Copy;
    /// 2 f32: what a group multiplies by, and what it adds for each element.
    type P: Copy;
    /// 8 whole numbers.
    type S: Copy;

    /// Asks for the cache line of an address, which need not be valid.
    #[inline(always)]
    unsafe fn fetch(_line: *const u8) {}
    unsafe fn half(p: *const u8) -> f32;
    /// Two f16 side by side.
    unsafe fn two_halves(p: *const u8) -> Self::P;
    unsafe fn pair(first: f32, second: f32) -> Self::P;
    /// Each times one of the two f32 at x.
    unsafe fn times(pair: Self::P, x: *const f32) -> Self::P;
    unsafe fn first(pair: Self::P) -> f32;
    unsafe fn second(pair: Self::P) -> f32;
    unsafe fn bytes(p: *const u8) -> Self::Q;
    /// The lower halves of 16 bytes, then the upper ones.
    unsafe fn nibbles(p: *const u8) -> Self::Q;
    /// (byte >> SHIFT) & MASK of each.
    unsafe fn bits<const SHIFT: i32, const MASK: i8>(q: Self::Q) -> Self::Q;
    /// low | high << 4
    unsafe fn join(low: Self::Q, high: Self::Q) -> Self::Q;
    /// 16 where the bit of the element is set, else 0.
    unsafe fn fifth_bits(bits: u32) -> Self::Q;
    unsafe fn either(a: Self::Q, b: Self::Q) -> Self::Q;
    /// Sums of 4 products, unsigned q times signed a, as f32. q is at most 63.
    unsafe fn dot(q: Self::Q, a: *const i8) -> Self::V;
    /// The same of signed q.
    unsafe fn dot_signed(q: Self::Q, a: *const i8) -> Self::V;
    unsafe fn no_products() -> Self::S;
    /// Adds to lane l of each the four products of q's elements 4 l to 4 l + 3, at most 15, with the four of a. Eight times
    /// at most.
    unsafe fn add_products(sums: [Self::S; 2], q: [Self::Q; 2], a: *const i8) -> [Self::S; 2];
    unsafe fn products(sums: Self::S) -> Self::V;
    unsafe fn store_bytes(p: *mut u8, q: Self::Q);
    /// Elements 8 i to 8 i + 7 as f32.
    unsafe fn floats<const SIGNED: bool>(q: Self::Q, i: usize) -> Self::V;
    unsafe fn load(p: *const f32) -> Self::V;
    unsafe fn load_halves(p: *const u8) -> Self::V;
    unsafe fn load_bf16(p: *const u8) -> Self::V;
    unsafe fn store(p: *mut f32, v: Self::V);
    unsafe fn splat(x: f32) -> Self::V;
    /// Four of the first and four of the second.
    unsafe fn two(first: f32, second: f32) -> Self::V;
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// a * b + c
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    unsafe fn sum(v: Self::V) -> f32;
}

#[derive(Clone, Copy)]
pub struct Plain;

impl Lanes for Plain {
    type Q = [u8; 32];
    type V = [f32; 8];
    type P = [f32; 2];
    type S = [i32; 8];

    #[inline(always)]
    unsafe fn half(p: *const u8) -> f32 {
        f16_to_f32((p as *const u16).read_unaligned().to_le())
    }
    #[inline(always)]
    unsafe fn two_halves(p: *const u8) -> [f32; 2] {
        [Self::half(p), Self::half(p.add(2))]
    }
    #[inline(always)]
    unsafe fn pair(first: f32, second: f32) -> [f32; 2] {
        [first, second]
    }
    #[inline(always)]
    unsafe fn times(pair: [f32; 2], x: *const f32) -> [f32; 2] {
        [pair[0] * *x, pair[1] * *x.add(1)]
    }
    #[inline(always)]
    unsafe fn first(pair: [f32; 2]) -> f32 {
        pair[0]
    }
    #[inline(always)]
    unsafe fn second(pair: [f32; 2]) -> f32 {
        pair[1]
    }
    #[inline(always)]
    unsafe fn bytes(p: *const u8) -> [u8; 32] {
        (p as *const [u8; 32]).read()
    }
    #[inline(always)]
    unsafe fn nibbles(p: *const u8) -> [u8; 32] {
        std::array::from_fn(|i| {
            let byte = *p.add(i % 16);
            if i < 16 { byte & 15 } else { byte >> 4 }
        })
    }
    #[inline(always)]
    unsafe fn bits<const SHIFT: i32, const MASK: i8>(q: [u8; 32]) -> [u8; 32] {
        q.map(|byte| (byte >> SHIFT) & MASK as u8)
    }
    #[inline(always)]
    unsafe fn join(low: [u8; 32], high: [u8; 32]) -> [u8; 32] {
        std::array::from_fn(|i| low[i] | high[i] << 4)
    }
    #[inline(always)]
    unsafe fn fifth_bits(bits: u32) -> [u8; 32] {
        std::array::from_fn(|i| (bits >> i & 1) as u8 * 16)
    }
    #[inline(always)]
    unsafe fn either(a: [u8; 32], b: [u8; 32]) -> [u8; 32] {
        std::array::from_fn(|i| a[i] | b[i])
    }
    #[inline(always)]
    unsafe fn dot(q: [u8; 32], a: *const i8) -> [f32; 8] {
        std::array::from_fn(|l| {
            let product = |i: usize| i32::from(q[4 * l + i]) * i32::from(*a.add(4 * l + i));
            (product(0) + product(1) + product(2) + product(3)) as f32
        })
    }
    #[inline(always)]
    unsafe fn dot_signed(q: [u8; 32], a: *const i8) -> [f32; 8] {
        std::array::from_fn(|l| {
            let product = |i: usize| i32::from(q[4 * l + i] as i8) * i32::from(*a.add(4 * l + i));
            (product(0) + product(1) + product(2) + product(3)) as f32
        })
    }
    #[inline(always)]
    unsafe fn no_products() -> [i32; 8] {
        [0; 8]
    }
    #[inline(always)]
    unsafe fn add_products(sums: [[i32; 8]; 2], q: [[u8; 32]; 2], a: *const i8) -> [[i32; 8]; 2] {
        std::array::from_fn(|v| {
            std::array::from_fn(|l| {
                let product = |i: usize| i32::from(q[v][4 * l + i]) * i32::from(*a.add(i));
                sums[v][l] + product(0) + product(1) + product(2) + product(3)
            })
        })
    }
    #[inline(always)]
    unsafe fn products(sums: [i32; 8]) -> [f32; 8] {
        sums.map(|sum| sum as f32)
    }
    #[inline(always)]
    unsafe fn store_bytes(p: *mut u8, q: [u8; 32]) {
        (p as *mut [u8; 32]).write(q)
    }
    #[inline(always)]
    unsafe fn floats<const SIGNED: bool>(q: [u8; 32], i: usize) -> [f32; 8] {
        std::array::from_fn(|l| {
            let byte = q[8 * i + l];
            if SIGNED {
                f32::from(byte as i8)
            } else {
                f32::from(byte)
            }
        })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> [f32; 8] {
        (p as *const [f32; 8]).read_unaligned()
    }
    #[inline(always)]
    unsafe fn load_halves(p: *const u8) -> [f32; 8] {
        std::array::from_fn(|l| Self::half(p.add(2 * l)))
    }
    #[inline(always)]
    unsafe fn load_bf16(p: *const u8) -> [f32; 8] {
        std::array::from_fn(|l| {
            let bits = (p as *const u16).add(l).read_unaligned().to_le();
            f32::from_bits(u32::from(bits) << 16)
        })
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: [f32; 8]) {
        (p as *mut [f32; 8]).write_unaligned(v)
    }
    #[inline(always)]
    unsafe fn splat(x: f32) -> [f32; 8] {
        [x; 8]
    }
    #[inline(always)]
    unsafe fn two(first: f32, second: f32) -> [f32; 8] {
        std::array::from_fn(|l| if l < 4 { first } else { second })
    }
    #[inline(always)]
    unsafe fn add(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|l| a[l] + b[l])
    }
    #[inline(always)]
    unsafe fn mul(a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|l| a[l] * b[l])
    }
    #[inline(always)]
    unsafe fn fma(a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(|l| a[l] * b[l] + c[l])
    }
    #[inline(always)]
    unsafe fn sum(v: [f32; 8]) -> f32 {
        v.iter().sum()
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::X86;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Lanes;
    use std::arch::x86_64::*;

    /// AVX2, FMA and F16C; VNNI: and the dot products of AVX-512 at 256 bits.
    #[derive(Clone, Copy)]
    pub struct X86<const VNNI: bool>;

    impl<const VNNI: bool> Lanes for X86<VNNI> {
        type Q = __m256i;
        type V = __m256;
        type P = __m128;
        type S = __m256i;

        #[inline(always)]
        unsafe fn fetch(line: *const u8) {
            _mm_prefetch::<_MM_HINT_T0>(line as *const i8);
        }
        #[inline(always)]
        unsafe fn half(p: *const u8) -> f32 {
            let bits = (p as *const u16).read_unaligned();
            _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(i32::from(bits))))
        }
        #[inline(always)]
        unsafe fn two_halves(p: *const u8) -> __m128 {
            _mm_cvtph_ps(_mm_cvtsi32_si128((p as *const i32).read_unaligned()))
        }
        #[inline(always)]
        unsafe fn pair(first: f32, second: f32) -> __m128 {
            _mm_setr_ps(first, second, 0.0, 0.0)
        }
        #[inline(always)]
        unsafe fn times(pair: __m128, x: *const f32) -> __m128 {
            _mm_mul_ps(pair, _mm_castsi128_ps(_mm_loadu_si64(x as *const u8)))
        }
        #[inline(always)]
        unsafe fn first(pair: __m128) -> f32 {
            _mm_cvtss_f32(pair)
        }
        #[inline(always)]
        unsafe fn second(pair: __m128) -> f32 {
            _mm_cvtss_f32(_mm_movehdup_ps(pair))
        }
        #[inline(always)]
        unsafe fn bytes(p: *const u8) -> __m256i {
            _mm256_loadu_si256(p as *const __m256i)
        }
        #[inline(always)]
        unsafe fn nibbles(p: *const u8) -> __m256i {
            let bytes = _mm_loadu_si128(p as *const __m128i);
            let both = _mm256_set_m128i(_mm_srli_epi16::<4>(bytes), bytes);
            _mm256_and_si256(both, _mm256_set1_epi8(15))
        }
        #[inline(always)]
        unsafe fn bits<const SHIFT: i32, const MASK: i8>(q: __m256i) -> __m256i {
            _mm256_and_si256(_mm256_srli_epi16::<SHIFT>(q), _mm256_set1_epi8(MASK))
        }
        #[inline(always)]
        unsafe fn join(low: __m256i, high: __m256i) -> __m256i {
            // `high` has two bits: the shift of 16 bits moves none into the neighbour.
            _mm256_or_si256(low, _mm256_slli_epi16::<4>(high))
        }
        #[inline(always)]
        unsafe fn fifth_bits(bits: u32) -> __m256i {
            // Each byte of the result looks at its own bit of the byte of `bits` that holds it.
            let spread = _mm256_setr_epi64x(
                0,
                0x0101_0101_0101_0101,
                0x0202_0202_0202_0202,
                0x0303_0303_0303_0303,
            );
            let bytes = _mm256_shuffle_epi8(_mm256_set1_epi32(bits as i32), spread);
            let own = _mm256_set1_epi64x(0x8040_2010_0804_0201u64 as i64);
            let set = _mm256_cmpeq_epi8(_mm256_and_si256(bytes, own), own);
            _mm256_and_si256(set, _mm256_set1_epi8(16))
        }
        #[inline(always)]
        unsafe fn either(a: __m256i, b: __m256i) -> __m256i {
            _mm256_or_si256(a, b)
        }
        #[inline(always)]
        unsafe fn dot(q: __m256i, a: *const i8) -> __m256 {
            let a = _mm256_loadu_si256(a as *const __m256i);
            let sums = if VNNI {
                _mm256_dpbusd_epi32(_mm256_setzero_si256(), q, a)
            } else {
                _mm256_madd_epi16(_mm256_maddubs_epi16(q, a), _mm256_set1_epi16(1))
            };
            _mm256_cvtepi32_ps(sums)
        }
        #[inline(always)]
        unsafe fn dot_signed(q: __m256i, a: *const i8) -> __m256 {
            // |q| sign(q) a: the product wants one factor without a sign, and |q| <= 128 does not overflow.
            let signed = _mm256_sign_epi8(_mm256_loadu_si256(a as *const __m256i), q);
            let q = _mm256_abs_epi8(q);
            let sums = if VNNI {
                _mm256_dpbusd_epi32(_mm256_setzero_si256(), q, signed)
            } else {
                _mm256_madd_epi16(_mm256_maddubs_epi16(q, signed), _mm256_set1_epi16(1))
            };
            _mm256_cvtepi32_ps(sums)
        }
        #[inline(always)]
        unsafe fn no_products() -> __m256i {
            _mm256_setzero_si256()
        }
        #[inline(always)]
        unsafe fn add_products(sums: [__m256i; 2], q: [__m256i; 2], a: *const i8) -> [__m256i; 2] {
            let a = _mm256_set1_epi32((a as *const i32).read_unaligned());
            if VNNI {
                [
                    _mm256_dpbusd_epi32(sums[0], q[0], a),
                    _mm256_dpbusd_epi32(sums[1], q[1], a),
                ]
            } else {
                // In 16 bits: 2 * 15 * 127 of each two products, eight times.
                [
                    _mm256_add_epi16(sums[0], _mm256_maddubs_epi16(q[0], a)),
                    _mm256_add_epi16(sums[1], _mm256_maddubs_epi16(q[1], a)),
                ]
            }
        }
        #[inline(always)]
        unsafe fn products(sums: __m256i) -> __m256 {
            let wide = if VNNI {
                sums
            } else {
                _mm256_madd_epi16(sums, _mm256_set1_epi16(1))
            };
            _mm256_cvtepi32_ps(wide)
        }
        #[inline(always)]
        unsafe fn store_bytes(p: *mut u8, q: __m256i) {
            _mm256_storeu_si256(p as *mut __m256i, q)
        }
        #[inline(always)]
        unsafe fn floats<const SIGNED: bool>(q: __m256i, i: usize) -> __m256 {
            let half = if i < 2 {
                _mm256_castsi256_si128(q)
            } else {
                _mm256_extracti128_si256::<1>(q)
            };
            let bytes = if i.is_multiple_of(2) {
                half
            } else {
                _mm_srli_si128::<8>(half)
            };
            _mm256_cvtepi32_ps(if SIGNED {
                _mm256_cvtepi8_epi32(bytes)
            } else {
                _mm256_cvtepu8_epi32(bytes)
            })
        }
        #[inline(always)]
        unsafe fn load(p: *const f32) -> __m256 {
            _mm256_loadu_ps(p)
        }
        #[inline(always)]
        unsafe fn load_halves(p: *const u8) -> __m256 {
            _mm256_cvtph_ps(_mm_loadu_si128(p as *const __m128i))
        }
        #[inline(always)]
        unsafe fn load_bf16(p: *const u8) -> __m256 {
            let halves = _mm256_cvtepu16_epi32(_mm_loadu_si128(p as *const __m128i));
            _mm256_castsi256_ps(_mm256_slli_epi32::<16>(halves))
        }
        #[inline(always)]
        unsafe fn store(p: *mut f32, v: __m256) {
            _mm256_storeu_ps(p, v)
        }
        #[inline(always)]
        unsafe fn splat(x: f32) -> __m256 {
            _mm256_set1_ps(x)
        }
        #[inline(always)]
        unsafe fn two(first: f32, second: f32) -> __m256 {
            _mm256_set_m128(_mm_set1_ps(second), _mm_set1_ps(first))
        }
        #[inline(always)]
        unsafe fn add(a: __m256, b: __m256) -> __m256 {
            _mm256_add_ps(a, b)
        }
        #[inline(always)]
        unsafe fn mul(a: __m256, b: __m256) -> __m256 {
            _mm256_mul_ps(a, b)
        }
        #[inline(always)]
        unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
            _mm256_fmadd_ps(a, b, c)
        }
        #[inline(always)]
        unsafe fn sum(v: __m256) -> f32 {
            let x = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps::<1>(v));
            let y = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(y, _mm_shuffle_ps::<1>(y, y)))
        }
    }
}

/// Compiles bodies that are generic over `Lanes` for every instruction set and picks one at run time, as `kernels!`.
macro_rules! lanes_kernels {
    ($( $(#[$meta:meta])* $visible:vis fn $name:ident ( $($arg:ident : $type:ty),* $(,)? ) = $body:ident; )*) => { $(
        $(#[$meta])*
        $visible unsafe fn $name(isa: $crate::isa::Isa, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,f16c")]
                unsafe fn avx2($($arg: $type),*) {
                    $body::<$crate::quantised::lanes::X86<false>>($($arg),*)
                }
                #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx2,fma,f16c")]
                unsafe fn vnni($($arg: $type),*) {
                    $body::<$crate::quantised::lanes::X86<true>>($($arg),*)
                }
                match $crate::quantised::lanes::width(isa) {
                    2 => return vnni($($arg),*),
                    1 => return avx2($($arg),*),
                    _ => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            $body::<$crate::quantised::lanes::Plain>($($arg),*)
        }
    )* };
}
pub(crate) use lanes_kernels;

/// Which of the implementations serves an instruction set on this machine: plain, AVX2, VNNI.
#[cfg(target_arch = "x86_64")]
pub fn width(isa: crate::Isa) -> usize {
    use crate::Isa;
    let wide = matches!(isa, Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx);
    if wide && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("f16c") {
        2
    } else if (wide || isa == Isa::Avx2) && is_x86_feature_detected!("f16c") {
        1
    } else {
        0
    }
}
