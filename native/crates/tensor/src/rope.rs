//! Rotary positions in the half-split form: element i of a head turns with element i + head_dim / 2.

use crate::context::{Context, Shared};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

#[derive(Clone, Copy, PartialEq)]
pub struct Shape {
    pub batch: usize,
    pub time: usize,
    pub heads: usize,
    pub head_dim: usize,
    pub theta: f64,
    /// Position of the first row in time.
    pub start: usize,
}

/// y = x turned by its position; `inverse` turns back. With `add`, y +=.
pub fn rope(context: &Context, x: &[f32], y: &mut [f32], shape: Shape, inverse: bool, add: bool) {
    let Shape {
        batch,
        time,
        heads,
        head_dim,
        ..
    } = shape;
    let width = heads * head_dim;
    assert!(x.len() == batch * time * width && y.len() == x.len() && head_dim.is_multiple_of(2));
    let table = context.angles(&shape);
    let sign = if inverse { -1.0 } else { 1.0 };
    let out = Shared::new(y);
    context.split(batch * time, 2 * width, &|from, to| unsafe {
        for row in from..to {
            let angles = &table[row % time * head_dim..][..head_dim];
            let span = row * width..(row + 1) * width;
            let y = out.part(span.start, span.end);
            rope_row(context.isa, &x[span], y, angles, sign, add);
        }
    });
}

/// For each position the cosines, then the sines, computed in double precision.
pub fn angles(shape: &Shape) -> Vec<f32> {
    let half = shape.head_dim / 2;
    let mut table = vec![0.0; shape.time * shape.head_dim];
    let frequencies: Vec<f64> = (0..half)
        .map(|i| shape.theta.powf(-2.0 * i as f64 / shape.head_dim as f64))
        .collect();
    for (t, line) in table.chunks_mut(shape.head_dim.max(1)).enumerate() {
        let (cosines, sines) = line.split_at_mut(half);
        for (i, frequency) in frequencies.iter().enumerate() {
            let (sine, cosine) = ((shape.start + t) as f64 * frequency).sin_cos();
            cosines[i] = cosine as f32;
            sines[i] = sine as f32;
        }
    }
    table
}

kernels! {
    fn rope_row(x: &[f32], y: &mut [f32], angles: &[f32], sign: f32, add: bool) = rope_body;
}

#[inline(always)]
unsafe fn rope_body<S: Simd>(x: &[f32], y: &mut [f32], angles: &[f32], sign: f32, add: bool) {
    let half = angles.len() / 2;
    for (x, y) in x.chunks_exact(2 * half).zip(y.chunks_exact_mut(2 * half)) {
        let (p, to) = (x.as_ptr(), y.as_mut_ptr());
        vectors!(S, half, |i, n| {
            let (a, b) = (
                simd::get::<S>(p.add(i), n),
                simd::get::<S>(p.add(half + i), n),
            );
            let cosine = simd::get::<S>(angles.as_ptr().add(i), n);
            let sine = S::mul(
                simd::get::<S>(angles.as_ptr().add(half + i), n),
                S::splat(sign),
            );
            simd::put_or_add::<S>(
                to.add(i),
                n,
                S::sub(S::mul(a, cosine), S::mul(b, sine)),
                add,
            );
            simd::put_or_add::<S>(to.add(half + i), n, S::fma(b, cosine, S::mul(a, sine)), add);
        });
    }
}
