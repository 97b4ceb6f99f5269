//! What numbers are stored as: f32 or bf16. Kernels compute in f32 and are generic over what they load and store.

use crate::simd::{MOST_LANES, Pairs, Simd};

/// The upper half of an f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Bf16(pub u16);

impl Bf16 {
    /// Rounded to nearest, ties to even; not-a-number stays one.
    #[inline(always)]
    pub fn new(x: f32) -> Self {
        let bits = x.to_bits();
        if x.is_nan() {
            return Self((bits >> 16) as u16 | 0x40);
        }
        Self((bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16)
    }

    #[inline(always)]
    pub fn value(self) -> f32 {
        f32::from_bits((self.0 as u32) << 16)
    }
}

pub trait Element: Copy + Default + Send + Sync + 'static {
    /// Whether it holds so little of a number that a nearer calculation would be lost in it.
    const NARROW: bool;
    fn of(x: f32) -> Self;
    fn value(self) -> f32;
    /// The numbers, where they are stored as this type.
    fn stored(floats: Floats<'_>) -> Option<&[Self]>;
    /// The next `n` elements, at most LANES, zeros after them.
    unsafe fn get<S: Simd>(p: *const Self, n: usize) -> S::V;
    unsafe fn put<S: Simd>(p: *mut Self, n: usize, v: S::V);
    /// The next LANES elements of both as pairs of bf16, rounded where they are more.
    #[inline(always)]
    unsafe fn pair<S: Pairs>(low: *const Self, high: *const Self) -> S::V {
        S::pair(
            Self::get::<S>(low, S::LANES),
            Self::get::<S>(high, S::LANES),
        )
    }
    /// The next 2 * LANES elements as LANES pairs.
    #[inline(always)]
    unsafe fn join<S: Pairs>(p: *const Self) -> S::V {
        S::join(
            Self::get::<S>(p, S::LANES),
            Self::get::<S>(p.add(S::LANES), S::LANES),
        )
    }
}

impl Element for f32 {
    const NARROW: bool = false;
    fn of(x: f32) -> Self {
        x
    }
    fn value(self) -> f32 {
        self
    }
    fn stored(floats: Floats<'_>) -> Option<&[Self]> {
        match floats {
            Floats::F32(x) => Some(x),
            Floats::Bf16(_) => None,
        }
    }
    #[inline(always)]
    unsafe fn get<S: Simd>(p: *const f32, n: usize) -> S::V {
        if n == S::LANES {
            S::load(p)
        } else {
            S::load_n(p, n)
        }
    }
    #[inline(always)]
    unsafe fn put<S: Simd>(p: *mut f32, n: usize, v: S::V) {
        if n == S::LANES {
            S::store(p, v)
        } else {
            S::store_n(p, n, v)
        }
    }
}

impl Element for Bf16 {
    const NARROW: bool = true;
    fn of(x: f32) -> Self {
        Bf16::new(x)
    }
    fn value(self) -> f32 {
        Bf16::value(self)
    }
    fn stored(floats: Floats<'_>) -> Option<&[Self]> {
        match floats {
            Floats::F32(_) => None,
            Floats::Bf16(x) => Some(x),
        }
    }
    #[inline(always)]
    unsafe fn get<S: Simd>(p: *const Bf16, n: usize) -> S::V {
        if n == S::LANES {
            return S::load_bf16(p);
        }
        let mut line = [Bf16(0); MOST_LANES];
        std::ptr::copy_nonoverlapping(p, line.as_mut_ptr(), n);
        S::load_bf16(line.as_ptr())
    }
    #[inline(always)]
    unsafe fn put<S: Simd>(p: *mut Bf16, n: usize, v: S::V) {
        if n == S::LANES {
            return S::store_bf16(p, v);
        }
        let mut line = [Bf16(0); MOST_LANES];
        S::store_bf16(line.as_mut_ptr(), v);
        std::ptr::copy_nonoverlapping(line.as_ptr(), p, n);
    }
    #[inline(always)]
    unsafe fn pair<S: Pairs>(low: *const Bf16, high: *const Bf16) -> S::V {
        S::pair_bf16(low, high)
    }
    #[inline(always)]
    unsafe fn join<S: Pairs>(p: *const Bf16) -> S::V {
        S::load(p as *const f32)
    }
}

/// An input stored as one or the other.
#[derive(Clone, Copy)]
pub enum Floats<'a> {
    F32(&'a [f32]),
    Bf16(&'a [Bf16]),
}

impl<'a> Floats<'a> {
    /// The rest from this element on.
    pub fn from(self, at: usize) -> Self {
        match self {
            Floats::F32(x) => Floats::F32(&x[at..]),
            Floats::Bf16(x) => Floats::Bf16(&x[at..]),
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Floats::F32(x) => x.len(),
            Floats::Bf16(x) => x.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An output stored as one or the other.
pub enum FloatsMut<'a> {
    F32(&'a mut [f32]),
    Bf16(&'a mut [Bf16]),
}

impl<'a> FloatsMut<'a> {
    /// The first n elements of memory for f32, or for bf16 where they are `narrow`.
    pub fn within(words: &'a mut [f32], narrow: bool, n: usize) -> Self {
        if !narrow {
            return FloatsMut::F32(&mut words[..n]);
        }
        assert!(n <= 2 * words.len());
        // SAFETY: f32 are aligned for bf16, and twice as large.
        FloatsMut::Bf16(unsafe {
            std::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut Bf16, n)
        })
    }

    /// To be read from now on.
    pub fn into_inputs(self) -> Floats<'a> {
        match self {
            FloatsMut::F32(x) => Floats::F32(x),
            FloatsMut::Bf16(x) => Floats::Bf16(x),
        }
    }

    /// The rest from this element on, borrowed.
    pub fn rest(&mut self, at: usize) -> FloatsMut<'_> {
        match self {
            FloatsMut::F32(x) => FloatsMut::F32(&mut x[at..]),
            FloatsMut::Bf16(x) => FloatsMut::Bf16(&mut x[at..]),
        }
    }

    /// The first elements, and the rest.
    pub fn split(self, at: usize) -> (FloatsMut<'a>, FloatsMut<'a>) {
        match self {
            FloatsMut::F32(x) => {
                let (head, tail) = x.split_at_mut(at);
                (FloatsMut::F32(head), FloatsMut::F32(tail))
            }
            FloatsMut::Bf16(x) => {
                let (head, tail) = x.split_at_mut(at);
                (FloatsMut::Bf16(head), FloatsMut::Bf16(tail))
            }
        }
    }

    pub fn len(&self) -> usize {
        match self {
            FloatsMut::F32(x) => x.len(),
            FloatsMut::Bf16(x) => x.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<'a> From<&'a [f32]> for Floats<'a> {
    fn from(x: &'a [f32]) -> Self {
        Floats::F32(x)
    }
}

impl<'a> From<&'a [Bf16]> for Floats<'a> {
    fn from(x: &'a [Bf16]) -> Self {
        Floats::Bf16(x)
    }
}

impl<'a> From<&'a mut [f32]> for FloatsMut<'a> {
    fn from(x: &'a mut [f32]) -> Self {
        FloatsMut::F32(x)
    }
}

impl<'a> From<&'a mut [Bf16]> for FloatsMut<'a> {
    fn from(x: &'a mut [Bf16]) -> Self {
        FloatsMut::Bf16(x)
    }
}
