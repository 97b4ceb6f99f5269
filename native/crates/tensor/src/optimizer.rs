//! AdamW in one pass over parameter, gradient and moments.

use crate::context::{Context, Shared};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

#[derive(Clone, Copy)]
pub struct Adamw {
    pub learning_rate: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    /// From 1.
    pub step: f64,
    pub gradient_scale: f32,
}

/// One step of AdamW in place (Loshchilov and Hutter 2019).
pub fn adamw(
    context: &Context,
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    settings: Adamw,
) {
    let n = p.len();
    assert!(g.len() == n && m.len() == n && v.len() == n);
    let rates = Rates::of(&settings);
    let (p, m, v) = (Shared::new(p), Shared::new(m), Shared::new(v));
    context.split(n, 2, &|from, to| unsafe {
        let (p, m, v) = (p.part(from, to), m.part(from, to), v.part(from, to));
        adamw_part(context.isa, p, &g[from..to], m, v, settings, rates);
    });
}

/// What follows from the settings for all elements.
#[derive(Clone, Copy)]
pub(crate) struct Rates {
    /// Learning rate over the bias correction of m.
    pub rate: f32,
    /// Factor of sqrt(v): its bias correction.
    pub root: f32,
    pub keep: f32,
}

impl Rates {
    pub fn of(settings: &Adamw) -> Self {
        let correction1 = 1.0 - (settings.beta1 as f64).powf(settings.step);
        let correction2 = 1.0 - (settings.beta2 as f64).powf(settings.step);
        Self {
            rate: (settings.learning_rate as f64 / correction1) as f32,
            root: (1.0 / correction2.sqrt()) as f32,
            keep: 1.0 - settings.learning_rate * settings.weight_decay,
        }
    }
}

/// Settings and rates in all lanes.
pub(crate) struct Lanes<S: Simd> {
    pub b1: S::V,
    pub b2: S::V,
    /// 1 - b1
    pub c1: S::V,
    pub c2: S::V,
    /// Of the gradient.
    pub scale: S::V,
    epsilon: S::V,
    rate: S::V,
    root: S::V,
    keep: S::V,
}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    pub unsafe fn of(settings: Adamw, rates: Rates) -> Self {
        Self {
            b1: S::splat(settings.beta1),
            b2: S::splat(settings.beta2),
            c1: S::splat(1.0 - settings.beta1),
            c2: S::splat(1.0 - settings.beta2),
            scale: S::splat(settings.gradient_scale),
            epsilon: S::splat(settings.epsilon),
            rate: S::splat(-rates.rate),
            root: S::splat(rates.root),
            keep: S::splat(rates.keep),
        }
    }

    /// The step of the next `left` parameters by m and the root of v.
    #[inline(always)]
    pub unsafe fn step(&self, p: *mut f32, left: usize, m: S::V, root: S::V) {
        let by = S::div(m, S::fma(root, self.root, self.epsilon));
        let kept = S::mul(simd::get::<S>(p, left), self.keep);
        simd::put::<S>(p, left, S::fma(self.rate, by, kept));
    }
}

kernels! {
    fn adamw_part(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], settings: Adamw, rates: Rates) = adamw_body;
}

#[inline(always)]
unsafe fn adamw_body<S: Simd>(
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    settings: Adamw,
    rates: Rates,
) {
    let all = Lanes::<S>::of(settings, rates);
    let n = p.len();
    let (p, g, m, v) = (p.as_mut_ptr(), g.as_ptr(), m.as_mut_ptr(), v.as_mut_ptr());
    vectors!(S, n, |i, left| {
        let gradient = S::mul(simd::get::<S>(g.add(i), left), all.scale);
        let change = S::mul(all.c1, gradient);
        let first = S::fma(all.b1, simd::get::<S>(m.add(i), left), change);
        let square = S::mul(all.c2, S::mul(gradient, gradient));
        let second = S::fma(all.b2, simd::get::<S>(v.add(i), left), square);
        simd::put::<S>(m.add(i), left, first);
        simd::put::<S>(v.add(i), left, second);
        all.step(p.add(i), left, first, S::sqrt(second));
    });
}
