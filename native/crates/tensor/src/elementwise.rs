//! Operations on one element at a time.

use crate::context::{Context, Shared};
use crate::element::{Bf16, Element};
use crate::simd::{self, Simd};
use crate::swiglu::silu_slope;
use crate::{kernels, vectors};

#[derive(Clone, Copy, PartialEq)]
pub enum Unary {
    Neg,
    Exp,
    Log,
    Sqrt,
    Sigmoid,
    Silu,
    LogSigmoid,
    Gelu,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Binary {
    Add,
    Sub,
    Mul,
}

/// y = f(x)
pub fn unary(context: &Context, f: Unary, x: &[f32], y: &mut [f32]) {
    assert!(x.len() == y.len());
    let out = Shared::new(y);
    context.split(x.len(), 4, &|from, to| unsafe {
        unary_part(context.isa, f, &x[from..to], out.part(from, to));
    });
}

/// dx = dy f'(x), or dx += with `add`; y = f(x).
pub fn unary_gradient(
    context: &Context,
    f: Unary,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    add: bool,
) {
    assert!(x.len() == y.len() && y.len() == dy.len() && dy.len() == dx.len());
    let out = Shared::new(dx);
    context.split(x.len(), 4, &|from, to| unsafe {
        let dx = out.part(from, to);
        unary_gradient_part(
            context.isa,
            f,
            &x[from..to],
            &y[from..to],
            &dy[from..to],
            dx,
            add,
        );
    });
}

/// c[i] = a[i] op b[i mod b.len()], or c += with `add`.
pub fn binary(context: &Context, op: Binary, a: &[f32], b: &[f32], c: &mut [f32], add: bool) {
    assert!(
        a.len() == c.len() && (a.is_empty() || (!b.is_empty() && a.len().is_multiple_of(b.len())))
    );
    if a.is_empty() {
        return;
    }
    let period = b.len();
    let out = Shared::new(c);
    context.split(a.len(), 1, &|from, to| unsafe {
        let mut at = from;
        while at < to {
            let start = at % period;
            // One element repeated is its own case: a call for each would crawl.
            let n = if period == 1 {
                to - at
            } else {
                (period - start).min(to - at)
            };
            let right = if period == 1 { b } else { &b[start..start + n] };
            binary_part(
                context.isa,
                op,
                &a[at..at + n],
                right,
                out.part(at, at + n),
                add,
            );
            at += n;
        }
    });
}

/// y = factor x, or y += with `add`.
pub fn scale(context: &Context, x: &[f32], factor: f32, y: &mut [f32], add: bool) {
    assert!(x.len() == y.len());
    let out = Shared::new(y);
    context.split(x.len(), 1, &|from, to| unsafe {
        scale_part(context.isa, &x[from..to], factor, out.part(from, to), add);
    });
}

/// x = factor x; by 1, as most losses want it, nothing is touched.
pub fn scale_in_place(context: &Context, x: &mut [f32], factor: f32) {
    if factor == 1.0 {
        return;
    }
    let out = Shared::new(x);
    context.split(out.len(), 1, &|from, to| unsafe {
        scale_in_place_part(context.isa, out.part(from, to), factor);
    });
}

/// y = a x + b y
pub fn combine(context: &Context, x: &[f32], a: f32, y: &mut [f32], b: f32) {
    assert!(x.len() == y.len());
    let out = Shared::new(y);
    context.split(x.len(), 1, &|from, to| unsafe {
        combine_part(context.isa, &x[from..to], a, out.part(from, to), b);
    });
}

/// bf16 to f32.
pub fn widen(context: &Context, x: &[Bf16], y: &mut [f32]) {
    assert!(x.len() == y.len());
    let out = Shared::new(y);
    context.split(x.len(), 1, &|from, to| unsafe {
        convert(context.isa, &x[from..to], out.part(from, to));
    });
}

/// f32 to bf16, rounded to nearest, ties to even.
pub fn narrow(context: &Context, x: &[f32], y: &mut [Bf16]) {
    assert!(x.len() == y.len());
    let out = Shared::new(y);
    context.split(x.len(), 1, &|from, to| unsafe {
        convert(context.isa, &x[from..to], out.part(from, to));
    });
}

kernels! {
    fn unary_part(f: Unary, x: &[f32], y: &mut [f32]) = unary_body;
    fn unary_gradient_part(f: Unary, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32], add: bool) = unary_gradient_body;
    fn binary_part(op: Binary, a: &[f32], b: &[f32], c: &mut [f32], add: bool) = binary_body;
    fn scale_part(x: &[f32], factor: f32, y: &mut [f32], add: bool) = scale_body;
    fn scale_in_place_part(x: &mut [f32], factor: f32) = scale_in_place_body;
    fn combine_part(x: &[f32], a: f32, y: &mut [f32], b: f32) = combine_body;
    pub fn convert<A, B>(x: &[A], y: &mut [B]) = convert_body;
}

/// out[i] = expression over vectors of the inputs.
macro_rules! each {
    ($S:ty, ($($x:ident = $from:expr),*) -> $out:expr, $n:expr, $add:expr, $y:expr) => {{
        let (to, n, add) = ($out, $n, $add);
        $(let $x = $from;)*
        vectors!($S, n, |i, left| {
            $(let $x = simd::get::<$S>($x.add(i), left);)*
            simd::put_or_add::<$S>(to.add(i), left, $y, add);
        });
    }};
}

#[inline(always)]
unsafe fn unary_body<S: Simd>(f: Unary, x: &[f32], y: &mut [f32]) {
    let (from, to, n) = (x.as_ptr(), y.as_mut_ptr(), x.len());
    match f {
        Unary::Neg => each!(S, (x = from) -> to, n, false, S::sub(S::splat(0.0), x)),
        Unary::Exp => each!(S, (x = from) -> to, n, false, simd::exp::<S>(x)),
        Unary::Sqrt => each!(S, (x = from) -> to, n, false, S::sqrt(x)),
        Unary::Sigmoid => each!(S, (x = from) -> to, n, false, simd::sigmoid::<S>(x)),
        Unary::Silu => each!(S, (x = from) -> to, n, false, S::mul(x, simd::sigmoid::<S>(x))),
        Unary::Gelu => each!(S, (x = from) -> to, n, false, gelu::<S>(x)),
        Unary::Log => x.iter().zip(y).for_each(|(x, y)| *y = x.ln()),
        Unary::LogSigmoid => {
            x.iter()
                .zip(y)
                .for_each(|(&x, y)| *y = -(-x.abs()).exp().ln_1p() - (-x).max(0.0));
        }
    }
}

#[inline(always)]
unsafe fn unary_gradient_body<S: Simd>(
    f: Unary,
    x: &[f32],
    y: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    add: bool,
) {
    let (xs, ys, ds, to, n) = (
        x.as_ptr(),
        y.as_ptr(),
        dy.as_ptr(),
        dx.as_mut_ptr(),
        x.len(),
    );
    let (zero, half, one) = (S::splat(0.0), S::splat(0.5), S::splat(1.0));
    match f {
        Unary::Neg => each!(S, (d = ds) -> to, n, add, S::sub(zero, d)),
        Unary::Exp => each!(S, (y = ys, d = ds) -> to, n, add, S::mul(y, d)),
        Unary::Log => each!(S, (x = xs, d = ds) -> to, n, add, S::div(d, x)),
        Unary::Sqrt => each!(S, (y = ys, d = ds) -> to, n, add, S::div(S::mul(d, half), y)),
        Unary::Sigmoid => {
            each!(S, (y = ys, d = ds) -> to, n, add, S::mul(d, S::mul(y, S::sub(one, y))));
        }
        Unary::Silu => {
            each!(S, (x = xs, d = ds) -> to, n, add, S::mul(d, silu_slope::<S>(x, simd::sigmoid::<S>(x))));
        }
        Unary::Gelu => each!(S, (x = xs, d = ds) -> to, n, add, S::mul(d, gelu_slope::<S>(x))),
        Unary::LogSigmoid => {
            each!(S, (x = xs, d = ds) -> to, n, add, S::mul(d, simd::sigmoid::<S>(S::sub(zero, x))));
        }
    }
}

/// x Phi(x), Phi the normal distribution: the exact form, not the one by tanh (Hendrycks and Gimpel 2016).
#[inline(always)]
unsafe fn gelu<S: Simd>(x: S::V) -> S::V {
    let zero = S::splat(0.0);
    let size = S::max(x, S::sub(zero, x));
    S::sub(S::max(x, zero), S::mul(size, upper_tail::<S>(size)))
}

/// Phi(x) + x phi(x)
#[inline(always)]
unsafe fn gelu_slope<S: Simd>(x: S::V) -> S::V {
    let size = S::max(x, S::sub(S::splat(0.0), x));
    let half = S::splat(0.5);
    let sign = S::max(
        S::splat(-1.0),
        S::min(S::splat(1.0), S::mul(x, S::splat(1e30))),
    );
    let below = S::fma(sign, S::sub(half, upper_tail::<S>(size)), half);
    let bell = simd::exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
    S::fma(S::mul(x, S::splat(0.398_942_3)), bell, below)
}

/// 1 - Phi(x) for x from 0 on, to 1e-7 (Abramowitz and Stegun 7.1.26).
#[inline(always)]
unsafe fn upper_tail<S: Simd>(x: S::V) -> S::V {
    let one = S::splat(1.0);
    let t = S::div(one, S::fma(x, S::splat(0.231_641_9), one));
    let mut p = S::splat(0.530_702_7);
    for coefficient in [-0.726_576, 0.710_706_9, -0.142_248_37, 0.127_414_8] {
        p = S::fma(p, t, S::splat(coefficient));
    }
    let bell = simd::exp::<S>(S::mul(S::mul(x, x), S::splat(-0.5)));
    S::mul(S::mul(p, t), bell)
}

#[inline(always)]
unsafe fn binary_body<S: Simd>(op: Binary, a: &[f32], b: &[f32], c: &mut [f32], add: bool) {
    let (xs, ys, to, n) = (a.as_ptr(), b.as_ptr(), c.as_mut_ptr(), a.len());
    if b.len() == 1 {
        let y = S::splat(b[0]);
        match op {
            Binary::Add => each!(S, (x = xs) -> to, n, add, S::add(x, y)),
            Binary::Sub => each!(S, (x = xs) -> to, n, add, S::sub(x, y)),
            Binary::Mul => each!(S, (x = xs) -> to, n, add, S::mul(x, y)),
        }
        return;
    }
    match op {
        Binary::Add => each!(S, (x = xs, y = ys) -> to, n, add, S::add(x, y)),
        Binary::Sub => each!(S, (x = xs, y = ys) -> to, n, add, S::sub(x, y)),
        Binary::Mul => each!(S, (x = xs, y = ys) -> to, n, add, S::mul(x, y)),
    }
}

#[inline(always)]
unsafe fn scale_body<S: Simd>(x: &[f32], factor: f32, y: &mut [f32], add: bool) {
    let by = S::splat(factor);
    each!(S, (x = x.as_ptr()) -> y.as_mut_ptr(), y.len(), add, S::mul(x, by));
}

#[inline(always)]
unsafe fn scale_in_place_body<S: Simd>(x: &mut [f32], factor: f32) {
    let (to, n, by) = (x.as_mut_ptr(), x.len(), S::splat(factor));
    each!(S, (x = to) -> to, n, false, S::mul(x, by));
}

#[inline(always)]
unsafe fn combine_body<S: Simd>(x: &[f32], a: f32, y: &mut [f32], b: f32) {
    let (from, to, n) = (x.as_ptr(), y.as_mut_ptr(), x.len());
    let (a, b) = (S::splat(a), S::splat(b));
    each!(S, (x = from, y = to) -> to, n, false, S::fma(x, a, S::mul(y, b)));
}

#[inline(always)]
unsafe fn convert_body<S: Simd, A: Element, B: Element>(x: &[A], y: &mut [B]) {
    let (from, to, n) = (x.as_ptr(), y.as_mut_ptr(), y.len());
    each!(S, (x = from) -> to, n, false, x);
}
