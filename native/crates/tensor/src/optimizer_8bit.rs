//! AdamW whose moments are kept in 8 bits, in blocks of 256 with a scale of their own (Dettmers et al. 2022).
//!
//! A code stands for the fourth power of itself: m = scale (code / 127)⁴ with the sign of the code, and the root of v
//! = scale (code / 255)². That spans nine decades as the dynamic table of the paper does, with relative steps of 3 %
//! and less near the largest of a block, and takes multiplications and roots in place of searches in a table. The step
//! itself is taken with the moments before they are rounded. A v above 0 never becomes 0, which would be a step of any
//! length.

use crate::context::{Context, Shared};
use crate::optimizer::{Adamw, Lanes, Rates};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Elements that share a scale.
pub const BLOCK: usize = 256;
/// f32 words of a block's state: the codes, four to a word, then the scale.
const WORDS: usize = BLOCK / 4 + 1;

/// f32 words that one moment of so many parameters takes.
pub fn state_words(parameters: usize) -> usize {
    parameters.div_ceil(BLOCK) * WORDS
}

/// As `adamw`; m and v hold `state_words` words each, zeros at first.
pub fn adamw_8bit(
    context: &Context,
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    settings: Adamw,
) {
    let n = p.len();
    let words = state_words(n);
    assert!(g.len() == n && m.len() == words && v.len() == words);
    let rates = Rates::of(&settings);
    let (p, m, v) = (Shared::new(p), Shared::new(m), Shared::new(v));
    context.split(n.div_ceil(BLOCK), 2 * BLOCK, &|from, to| unsafe {
        let (first, last) = (from * BLOCK, (to * BLOCK).min(n));
        let (m, v) = (
            m.part(from * WORDS, to * WORDS),
            v.part(from * WORDS, to * WORDS),
        );
        part(
            context.isa,
            p.part(first, last),
            &g[first..last],
            m,
            v,
            settings,
            rates,
        );
    });
}

kernels! {
    fn part(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], settings: Adamw, rates: Rates) = part_body;
}

#[inline(always)]
unsafe fn part_body<S: Simd>(
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    settings: Adamw,
    rates: Rates,
) {
    let states = m.chunks_exact_mut(WORDS).zip(v.chunks_exact_mut(WORDS));
    for ((p, g), (m, v)) in p.chunks_mut(BLOCK).zip(g.chunks(BLOCK)).zip(states) {
        block::<S>(p, g, m, v, settings, rates);
    }
}

/// Codes as f32, and what they become: a block's moments, in the first cache.
type Moments = [f32; BLOCK];

#[inline(always)]
unsafe fn block<S: Simd>(
    p: &mut [f32],
    g: &[f32],
    m: &mut [f32],
    v: &mut [f32],
    settings: Adamw,
    rates: Rates,
) {
    let (mut first, mut root): (Moments, Moments) = ([0.0; BLOCK], [0.0; BLOCK]);
    let (signed, unsigned) = (m.as_mut_ptr() as *mut i8, v.as_mut_ptr() as *mut u8);
    for i in 0..BLOCK {
        first[i] = *signed.add(i) as f32;
        root[i] = *unsigned.add(i) as f32;
    }
    let (first_largest, root_largest) = update::<S>(
        p,
        g,
        &mut first,
        &mut root,
        (m[WORDS - 1], v[WORDS - 1]),
        settings,
        rates,
    );
    encode::<S>(&mut first, &mut root, first_largest, root_largest);
    for i in 0..BLOCK {
        // Whole numbers from -127 to 127 and from 0 to 255.
        *signed.add(i) = first[i].to_int_unchecked::<i32>() as i8;
        *unsigned.add(i) = root[i].to_int_unchecked::<i32>() as u8;
    }
    m[WORDS - 1] = first_largest;
    v[WORDS - 1] = root_largest;
}

/// Takes the step; the codes in `first` and `root` become m and the root of v. Their largest magnitudes are returned.
#[inline(always)]
unsafe fn update<S: Simd>(
    p: &mut [f32],
    g: &[f32],
    first: &mut Moments,
    root: &mut Moments,
    scales: (f32, f32),
    settings: Adamw,
    rates: Rates,
) -> (f32, f32) {
    let all = Lanes::<S>::of(settings, rates);
    let (first_scale, root_scale) = (S::splat(scales.0), S::splat(scales.1));
    let (one_127th, one_255th) = (S::splat(1.0 / 127.0), S::splat(1.0 / 255.0));
    let zero = S::splat(0.0);
    let (mut first_largest, mut root_largest) = (zero, zero);
    let n = p.len();
    let (p, g) = (p.as_mut_ptr(), g.as_ptr());
    let (first, root) = (first.as_mut_ptr(), root.as_mut_ptr());
    vectors!(S, n, |i, left| {
        let gradient = S::mul(simd::get::<S>(g.add(i), left), all.scale);
        let t = S::mul(simd::get::<S>(first.add(i), left), one_127th);
        let square = S::mul(t, t);
        let fourth = S::mul(S::mul(t, magnitude::<S>(t)), square);
        let before = S::mul(fourth, first_scale);
        let m = S::fma(all.b1, before, S::mul(all.c1, gradient));
        let t = S::mul(simd::get::<S>(root.add(i), left), one_255th);
        let before = S::mul(S::mul(t, t), root_scale);
        let change = S::mul(all.c2, S::mul(gradient, gradient));
        let r = S::sqrt(S::fma(all.b2, S::mul(before, before), change));
        simd::put::<S>(first.add(i), left, m);
        simd::put::<S>(root.add(i), left, r);
        first_largest = S::max(magnitude::<S>(m), first_largest);
        root_largest = S::max(r, root_largest);
        all.step(p.add(i), left, m, r);
    });
    (S::largest(first_largest), S::largest(root_largest))
}

/// Numbers to codes, as f32.
#[inline(always)]
unsafe fn encode<S: Simd>(
    first: &mut Moments,
    root: &mut Moments,
    first_largest: f32,
    root_largest: f32,
) {
    // Nothing below is worth a code.
    let inverse = |largest: f32| if largest > 1e-30 { 1.0 / largest } else { 0.0 };
    let (first_inverse, root_inverse) = (
        S::splat(inverse(first_largest)),
        S::splat(inverse(root_largest)),
    );
    let (one, tiny, huge) = (S::splat(1.0), S::splat(1e-30), S::splat(1e30));
    let (first, root) = (first.as_mut_ptr(), root.as_mut_ptr());
    vectors!(S, BLOCK, |i, left| {
        let share = S::mul(simd::get::<S>(first.add(i), left), first_inverse);
        let size = magnitude::<S>(share);
        let sign = S::div(share, S::max(size, tiny));
        // The inverse is rounded: the largest may come out above 1.
        let code = S::sqrt(S::sqrt(S::min(size, one)));
        let code = S::round(S::mul(S::mul(code, sign), S::splat(127.0)));
        simd::put::<S>(first.add(i), left, code);
        let r = simd::get::<S>(root.add(i), left);
        let share = S::min(S::mul(r, root_inverse), one);
        let code = S::round(S::mul(S::sqrt(share), S::splat(255.0)));
        // 1 at least where r, the root of an f32, is not 0.
        let least = S::min(S::mul(r, huge), one);
        simd::put::<S>(root.add(i), left, S::max(code, least));
    });
}

#[inline(always)]
unsafe fn magnitude<S: Simd>(x: S::V) -> S::V {
    S::max(x, S::sub(S::splat(0.0), x))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optimizer::adamw;
    use crate::{Isa, Precision, isa};

    const SETTINGS: Adamw = Adamw {
        learning_rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        weight_decay: 0.01,
        step: 1.0,
        gradient_scale: 0.5,
    };

    /// Numbers of many magnitudes, some of them 0.
    fn gradient(n: usize, step: usize) -> Vec<f32> {
        let mut state = 12345u32 + 977 * step as u32;
        let mut next = || {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        (0..n)
            .map(|i| {
                let size = 10f32.powf(-3.0 * ((i * 7919) % 1000) as f32 / 1000.0);
                if i % 97 == 5 {
                    0.0
                } else {
                    size * (next() - 0.4)
                }
            })
            .collect()
    }

    /// One step in plain loops, in f64, on the same codes.
    fn slow(p: &mut [f32], g: &[f32], m: &mut [f32], v: &mut [f32], s: Adamw) {
        let correction = |beta: f32| 1.0 - (beta as f64).powf(s.step);
        for (b, p) in p.chunks_mut(BLOCK).enumerate() {
            let (m, v) = (
                &mut m[b * WORDS..(b + 1) * WORDS],
                &mut v[b * WORDS..(b + 1) * WORDS],
            );
            let codes = |state: &[f32]| -> Vec<u8> {
                state[..WORDS - 1]
                    .iter()
                    .flat_map(|word| word.to_bits().to_le_bytes())
                    .collect()
            };
            let (m_codes, v_codes) = (codes(m), codes(v));
            let mut moments = vec![(0.0f64, 0.0f64); BLOCK];
            for (i, p) in p.iter_mut().enumerate() {
                let g = (s.gradient_scale * g[b * BLOCK + i]) as f64;
                let t = (m_codes[i] as i8) as f64 / 127.0;
                let before = t.signum() * t.powi(4) * m[WORDS - 1] as f64;
                let first = s.beta1 as f64 * before + (1.0 - s.beta1 as f64) * g;
                let before = (v_codes[i] as f64 / 255.0).powi(2) * v[WORDS - 1] as f64;
                let second = s.beta2 as f64 * before * before + (1.0 - s.beta2 as f64) * g * g;
                let by = first
                    / correction(s.beta1)
                    / ((second / correction(s.beta2)).sqrt() + s.epsilon as f64);
                *p = ((1.0 - s.learning_rate * s.weight_decay) as f64 * *p as f64
                    - s.learning_rate as f64 * by) as f32;
                moments[i] = (first, second.sqrt());
            }
            let largest = moments.iter().fold((0.0f64, 0.0f64), |most, each| {
                (most.0.max(each.0.abs()), most.1.max(each.1))
            });
            let pack = |code: &dyn Fn(&(f64, f64)) -> u8, state: &mut [f32], scale: f64| {
                for (word, four) in state.iter_mut().zip(moments.chunks(4)) {
                    let bytes: Vec<u8> = four.iter().map(code).collect();
                    *word = f32::from_bits(u32::from_le_bytes(bytes.try_into().unwrap()));
                }
                state[WORDS - 1] = scale as f32;
            };
            let share = |x: f64, most: f64| if most > 0.0 { x / most } else { 0.0 };
            pack(
                &|&(x, _)| {
                    let code = (127.0 * share(x.abs(), largest.0).powf(0.25)).round();
                    (if x < 0.0 { -code } else { code }) as i8 as u8
                },
                m,
                largest.0,
            );
            pack(
                &|&(_, r)| {
                    let code = (255.0 * share(r, largest.1).sqrt()).round() as u8;
                    if r > 0.0 { code.max(1) } else { 0 }
                },
                v,
                largest.1,
            );
        }
    }

    #[test]
    fn follows_plain_loops_on_every_instruction_set() {
        for isa in isa::tested() {
            let context = Context::new(isa, 2, Precision::F32);
            for n in [1, 255, 256, 700, 20_011] {
                let mut p: Vec<f32> = gradient(n, 99);
                let words = state_words(n);
                let (mut m, mut v) = (vec![0.0; words], vec![0.0; words]);
                for step in 1..=5 {
                    let settings = Adamw {
                        step: step as f64,
                        ..SETTINGS
                    };
                    let g = gradient(n, step);
                    let (mut slow_p, mut slow_m, mut slow_v) = (p.clone(), m.clone(), v.clone());
                    slow(&mut slow_p, &g, &mut slow_m, &mut slow_v, settings);
                    adamw_8bit(&context, &mut p, &g, &mut m, &mut v, settings);
                    for (fast, slow) in p.iter().zip(&slow_p) {
                        assert!((fast - slow).abs() < 2e-6, "{fast} {slow} {}", isa.name());
                    }
                    // A number on the edge between two codes may fall to either side.
                    for (fast, slow) in [(&m, &slow_m), (&v, &slow_v)] {
                        for (i, (fast, slow)) in fast.iter().zip(slow).enumerate() {
                            if i % WORDS == WORDS - 1 {
                                assert!((fast - slow).abs() <= 1e-6 * slow);
                                continue;
                            }
                            let codes = fast.to_bits().to_le_bytes().into_iter();
                            for (a, b) in codes.zip(slow.to_bits().to_le_bytes()) {
                                assert!((a as i8).wrapping_sub(b as i8).abs() <= 1);
                            }
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn stays_near_adamw_with_whole_moments() {
        let (isa, n) = (Isa::Portable, 4096);
        let context = Context::new(isa, 1, Precision::F32);
        let mut p = vec![0.0; n];
        let (mut m, mut v) = (vec![0.0; state_words(n)], vec![0.0; state_words(n)]);
        let (mut whole, mut first, mut second) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
        for step in 1..=100 {
            let settings = Adamw {
                step: step as f64,
                weight_decay: 0.0,
                ..SETTINGS
            };
            let g = gradient(n, step);
            adamw_8bit(&context, &mut p, &g, &mut m, &mut v, settings);
            adamw(&context, &mut whole, &g, &mut first, &mut second, settings);
        }
        let length =
            |x: &mut dyn Iterator<Item = f32>| x.map(|x| (x * x) as f64).sum::<f64>().sqrt();
        let apart = length(&mut p.iter().zip(&whole).map(|(a, b)| a - b));
        let way = length(&mut whole.iter().copied());
        // Noise that each element, over three decades in a block, makes its way through: 7 % were measured.
        assert!(apart < 0.1 * way, "{apart} of {way}");
    }
}
