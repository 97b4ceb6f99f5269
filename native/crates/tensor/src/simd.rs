//! A vector of f32 for each instruction set, behind one trait.
//!
//! A kernel is an `#[inline(always)] unsafe fn body<S: Simd>(..)`; the `kernels!` macro compiles it once inside a
//! function with the target features of each instruction set and picks one of them at run time. Safety everywhere:
//! the caller hands pointers that hold the elements named, on a machine that has the instruction set.

use crate::element::{Bf16, Element};

/// More lanes than any vector has: what kernels put aside a vector in.
pub const MOST_LANES: usize = 16;

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
    /// `exp` treats lower numbers as this one, of which `times_pow2` makes 0.
    const LEAST_EXPONENT: f32 = -88.0;
    /// p 2^n for p from 0.7 to 1.5 and whole n from -127 (which gives 0) to 128.
    #[inline(always)]
    unsafe fn times_pow2(p: Self::V, n: Self::V) -> Self::V {
        // In two factors: n reaches 128, and -126 is the lowest of the second that is no 0.
        let factor = Self::pow2(Self::max(
            Self::splat(-127.0),
            Self::sub(n, Self::splat(1.0)),
        ));
        Self::mul(Self::mul(p, factor), Self::splat(2.0))
    }
    /// See the function of this name.
    #[inline(always)]
    unsafe fn exp2_near(x: Self::V) -> Self::V {
        let least = Self::splat(Self::LEAST_EXPONENT * std::f32::consts::LOG2_E);
        let clamped = Self::min(Self::splat(128.4), Self::max(least, x));
        let n = Self::round(clamped);
        let r = Self::sub(clamped, n);
        // The least largest relative error between -1/2 and 1/2.
        let mut p = Self::splat(9.570_102e-3);
        p = Self::fma(p, r, Self::splat(5.591_786e-2));
        p = Self::fma(p, r, Self::splat(2.402_474_4e-1));
        p = Self::fma(p, r, Self::splat(6.931_218e-1));
        p = Self::fma(p, r, Self::splat(9.999_993e-1));
        Self::times_pow2(p, n)
    }
    /// See the function of this name.
    #[inline(always)]
    unsafe fn exp_within(x: Self::V) -> Self::V {
        exp::<Self>(Self::min(
            Self::splat(88.0),
            Self::max(Self::splat(-87.0), x),
        ))
    }
    /// See the function of this name.
    #[inline(always)]
    unsafe fn exp2_within(x: Self::V) -> Self::V {
        let x = Self::min(Self::splat(127.0), Self::max(Self::splat(-125.0), x));
        let n = Self::round(x);
        Self::mul(power_of_part::<Self>(Self::sub(x, n)), Self::pow2(n))
    }
    /// 1 / a for a from 1 to 2^126, within 2 units in the last place.
    #[inline(always)]
    unsafe fn reciprocal(a: Self::V) -> Self::V {
        Self::div(Self::splat(1.0), a)
    }
    /// The same within 2^-14, for what is stored as bf16.
    #[inline(always)]
    unsafe fn reciprocal_near(a: Self::V) -> Self::V {
        Self::reciprocal(a)
    }
    /// Rounded to bf16 (nearest, ties to even), kept as f32; not-a-number stays.
    unsafe fn bf16(a: Self::V) -> Self::V;
    unsafe fn load_bf16(p: *const Bf16) -> Self::V;
    unsafe fn store_bf16(p: *mut Bf16, v: Self::V);
    /// The sum of the lanes, in an order that is always the same.
    unsafe fn sum(a: Self::V) -> f32;
    unsafe fn largest(a: Self::V) -> f32;
    /// Asks for the cache line of an address, which need not be valid.
    #[inline(always)]
    unsafe fn fetch(_line: *const u8) {}
    /// As `fetch`, for the second cache.
    #[inline(always)]
    unsafe fn fetch_far(_line: *const u8) {}
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

/// Products of pairs of bf16, summed in f32: what AVX-512 has as `vdpbf16ps`. A vector of pairs has LANES of them,
/// in the bits of a vector of f32.
pub trait Pairs: Simd {
    /// As TILE_ROWS, for `rows`.
    const PAIR_ROWS: usize = Self::TILE_ROWS;
    /// Multiply-adds a lane of the instruction that `fastest` is.
    const PRODUCTS: usize = 2;

    /// sum + low(a) low(b) + high(a) high(b) in every lane; `a` points to one pair, the same for all lanes.
    unsafe fn dot(sum: Self::V, a: *const Bf16, b: Self::V) -> Self::V;
    /// The pairs (low[i], high[i]), rounded.
    unsafe fn pair(low: Self::V, high: Self::V) -> Self::V;
    /// As `pair`, and stores both vectors as well, rounded.
    #[inline(always)]
    unsafe fn pair_stored(low: Self::V, high: Self::V, to: [*mut Bf16; 2]) -> Self::V {
        Self::store_bf16(to[0], low);
        Self::store_bf16(to[1], high);
        Self::pair(low, high)
    }
    unsafe fn pair_bf16(low: *const Bf16, high: *const Bf16) -> Self::V;
    /// first[0], first[1], .., second[LANES - 1], rounded, as LANES pairs.
    unsafe fn join(first: Self::V, second: Self::V) -> Self::V;
    /// ROWS x two vectors of sums, of rows of A `stride` apart and a panel of packed B.
    #[inline(always)]
    unsafe fn rows<const ROWS: usize>(
        pairs: usize,
        a: *const Bf16,
        stride: usize,
        b: *const f32,
    ) -> [[Self::V; 2]; ROWS] {
        let mut sums = [[Self::splat(0.0); 2]; ROWS];
        for q in 0..pairs {
            let b0 = Self::load(b.add(q * 2 * Self::LANES));
            let b1 = Self::load(b.add(q * 2 * Self::LANES + Self::LANES));
            for i in 0..ROWS {
                let x = a.add(i * stride + 2 * q);
                sums[i][0] = Self::dot(sums[i][0], x, b0);
                sums[i][1] = Self::dot(sums[i][1], x, b1);
            }
        }
        sums
    }
    /// As `rows` for the first vector of the panel alone.
    #[inline(always)]
    unsafe fn half_rows<const ROWS: usize>(
        pairs: usize,
        a: *const Bf16,
        stride: usize,
        b: *const f32,
    ) -> [Self::V; ROWS] {
        let mut sums = [Self::splat(0.0); ROWS];
        for q in 0..pairs {
            let b = Self::load(b.add(q * 2 * Self::LANES));
            for i in 0..ROWS {
                sums[i] = Self::dot(sums[i], a.add(i * stride + 2 * q), b);
            }
        }
        sums
    }
    /// One instruction of the kind that `rows` is made of, to measure how many of them a second there can be.
    unsafe fn fastest(sums: Self::V, a: Self::V, b: Self::V) -> Self::V;
}

/// The next `n` elements, at most LANES.
#[inline(always)]
pub unsafe fn get<S: Simd>(p: *const impl Element, n: usize) -> S::V {
    Element::get::<S>(p, n)
}

#[inline(always)]
pub unsafe fn put<S: Simd>(p: *mut impl Element, n: usize, v: S::V) {
    Element::put::<S>(p, n, v)
}

/// As `put`, or added to what is there.
#[inline(always)]
pub unsafe fn put_or_add<S: Simd>(p: *mut impl Element, n: usize, v: S::V, add: bool) {
    let v = if add {
        S::add(Element::get::<S>(p, n), v)
    } else {
        v
    };
    Element::put::<S>(p, n, v);
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

/// exp, within 2 units in the last place; 0 below about -87 (AVX-512: where f32 ends), infinity above 88.7; not-a-number stays.
#[inline(always)]
pub unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    let clamped = S::min(S::splat(89.0), S::max(S::splat(S::LEAST_EXPONENT), x));
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
    S::times_pow2(p, n)
}

/// exp(x) for x from -87 to 88, within 2 units in the last place and shorter than `exp` on AVX2; what lies beyond counts as
/// the nearest of them, not-a-number stays.
#[inline(always)]
pub unsafe fn exp_within<S: Simd>(x: S::V) -> S::V {
    S::exp_within(x)
}

/// 2^x for x from -125 to 127, within 1 unit in the last place and the shortest of these; what lies below counts as -125
/// or gives less, not-a-number stays.
#[inline(always)]
pub unsafe fn exp2_within<S: Simd>(x: S::V) -> S::V {
    S::exp2_within(x)
}

/// 2^r for r from -1/2 to 1/2: the least largest relative error, in pairs for the sake of what waits for what. Only the
/// last step rounds a number near 1.
#[inline(always)]
unsafe fn power_of_part<S: Simd>(r: S::V) -> S::V {
    let square = S::mul(r, r);
    let high = S::fma(r, S::splat(1.535_336_2e-4), S::splat(1.339_887_5e-3));
    let middle = S::fma(r, S::splat(9.618_437e-3), S::splat(5.550_332_4e-2));
    let low = S::fma(
        r,
        S::splat(2.402_264_8e-1),
        S::splat(std::f32::consts::LN_2),
    );
    let slope = S::fma(S::fma(high, square, middle), square, low);
    S::fma(slope, r, S::splat(1.0))
}

/// 1 / (1 + exp(-x))
#[inline(always)]
pub unsafe fn sigmoid<S: Simd>(x: S::V) -> S::V {
    // Beyond, the result is 0 in f32 too; here the reciprocal has a number to work with.
    let e = exp_within::<S>(S::sub(S::splat(0.0), S::max(S::splat(-85.0), x)));
    S::reciprocal(S::add(S::splat(1.0), e))
}

/// 2^x within 3e-6, half as long as `exp`: for what is rounded to bf16, 2e-3, before anything else is made of it. 0 where
/// `exp` gives 0, infinity from 128 on; not-a-number stays.
#[inline(always)]
pub unsafe fn exp2_near<S: Simd>(x: S::V) -> S::V {
    S::exp2_near(x)
}

/// As `sigmoid`, within 2^-14 of it: for what is stored as bf16.
#[inline(always)]
pub unsafe fn sigmoid_near<S: Simd>(x: S::V) -> S::V {
    let turned = S::mul(
        S::max(S::splat(-85.0), x),
        S::splat(-std::f32::consts::LOG2_E),
    );
    S::reciprocal_near(S::add(S::splat(1.0), exp2_near::<S>(turned)))
}

/// 1 / (1 + exp(-x)) as exactly as an element of this type can hold.
#[inline(always)]
pub unsafe fn sigmoid_for<S: Simd, E: Element>(x: S::V) -> S::V {
    if E::NARROW {
        sigmoid_near::<S>(x)
    } else {
        sigmoid::<S>(x)
    }
}

pub use portable::Portable;
#[cfg(test)]
pub use portable::Wide;

mod portable;

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512, Avx512Bf16};

#[cfg(target_arch = "x86_64")]
mod x86;

#[cfg(target_arch = "aarch64")]
pub use neon::{Neon, NeonBf16};

#[cfg(target_arch = "aarch64")]
mod neon;

/// Compiles generic bodies for every instruction set and picks one at run time:
/// `kernels! { pub fn name(x: &[f32]) -> f32 = body; }` makes `name(isa, x)` out of `body::<S>(x)`, and
/// `fn name<E>(x: &[E]) = body` makes it out of `body::<S, E>(x)` for any stored `Element`.
#[macro_export]
macro_rules! kernels {
    ($( $(#[$meta:meta])* $visible:vis fn $name:ident $(<$($E:ident),*>)? ( $($arg:ident : $type:ty),* $(,)? ) $(-> $result:ty)? = $body:ident; )*) => { $(
        $(#[$meta])*
        $visible unsafe fn $name $(<$($E: $crate::element::Element),*>)? (isa: $crate::isa::Isa, $($arg: $type),*) $(-> $result)? {
            use $crate::isa::Isa;
            // Every instruction set of this processor has its line, the others theirs without one: no `_`, by which a
            // new one would run the portable body unnoticed.
            #[cfg(target_arch = "x86_64")]
            match isa {
                Isa::Avx2 => {
                    $crate::compiled!(avx2: Avx2, "avx2,fma", $body [$($($E)*)?] ($($arg: $type),*) $(-> $result)?)
                }
                Isa::Avx512 => {
                    $crate::compiled!(avx512: Avx512, "avx512f,avx512bw,avx512vl,avx512dq,avx2,fma", $body [$($($E)*)?] ($($arg: $type),*) $(-> $result)?)
                }
                Isa::Avx512Bf16 | Isa::Amx => {
                    $crate::compiled!(avx512_bf16: Avx512Bf16, "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma", $body [$($($E)*)?] ($($arg: $type),*) $(-> $result)?)
                }
                Isa::Portable | Isa::Neon | Isa::NeonBf16 => {}
                #[cfg(test)]
                Isa::Wide | Isa::WideTiles => {}
            }
            #[cfg(target_arch = "aarch64")]
            match isa {
                Isa::Neon => return $body::<$crate::simd::Neon $(, $($E),*)?>($($arg),*),
                Isa::NeonBf16 => return $body::<$crate::simd::NeonBf16 $(, $($E),*)?>($($arg),*),
                Isa::Portable | Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => {}
                #[cfg(test)]
                Isa::Wide | Isa::WideTiles => {}
            }
            #[cfg(test)]
            if matches!(isa, Isa::Wide | Isa::WideTiles) {
                return $body::<$crate::simd::Wide $(, $($E),*)?>($($arg),*);
            }
            let _: Isa = isa;
            $body::<$crate::simd::Portable $(, $($E),*)?>($($arg),*)
        }
    )* };
}

/// As `kernels!` for bodies over `Pairs`, on the instruction sets that have them: the caller asks `Isa::has_pairs` first.
#[macro_export]
macro_rules! pair_kernels {
    ($( $(#[$meta:meta])* $visible:vis fn $name:ident $(<$($E:ident),*>)? ( $($arg:ident : $type:ty),* $(,)? ) $(-> $result:ty)? = $body:ident; )*) => { $(
        $(#[$meta])*
        $visible unsafe fn $name $(<$($E: $crate::element::Element),*>)? (isa: $crate::isa::Isa, $($arg: $type),*) $(-> $result)? {
            use $crate::isa::Isa;
            match isa {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512Bf16 | Isa::Amx => {
                    $crate::compiled!(avx512_bf16: Avx512Bf16, "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma", $body [$($($E)*)?] ($($arg: $type),*) $(-> $result)?)
                }
                #[cfg(target_arch = "aarch64")]
                Isa::NeonBf16 => $body::<$crate::simd::NeonBf16 $(, $($E),*)?>($($arg),*),
                #[cfg(test)]
                Isa::Wide | Isa::WideTiles => $body::<$crate::simd::Wide $(, $($E),*)?>($($arg),*),
                _ => unreachable!("{} has no products of pairs", isa.name()),
            }
        }
    )* };
}

/// Returns body::<S, E, ..>(args) of the caller, by a function that is compiled with the target features of S.
#[macro_export]
macro_rules! compiled {
    ($function:ident: $S:ident, $features:literal, $body:ident [$($E:ident)*] ($($arg:ident : $type:ty),*) $(-> $result:ty)?) => {{
        #[target_feature(enable = $features)]
        unsafe fn $function<$($E: $crate::element::Element),*>($($arg: $type),*) $(-> $result)? {
            $body::<$crate::simd::$S $(, $E)*>($($arg),*)
        }
        return $function::<$($E),*>($($arg),*);
    }};
}

#[cfg(test)]
mod tests;
