//! Rotary positions in the half-split form: element i of a head turns with element i + head_dim / 2.

use crate::context::{Context, Shared};
use crate::element::Element;
use crate::isa::Isa;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};
use std::sync::Arc;

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
    let width = shape.heads * shape.head_dim;
    assert!(x.len() == shape.batch * shape.time * width && y.len() == x.len());
    let out = Shared::new(y);
    turn_rows(
        context,
        shape,
        width,
        inverse,
        &|row, angles, sign| unsafe {
            let span = row * width..(row + 1) * width;
            let y = out.part(span.start, span.end);
            rope_row(
                context.isa,
                x[span].as_ptr(),
                y.as_mut_ptr(),
                width,
                angles,
                sign,
                add,
            );
        },
    );
}

/// The first `shape.heads` heads of every row turned in place; rows are `width` apart.
pub fn rope_in_place<E: Element>(
    context: &Context,
    x: &mut [E],
    width: usize,
    shape: Shape,
    inverse: bool,
) {
    let turned = shape.heads * shape.head_dim;
    assert!(x.len() == shape.batch * shape.time * width && turned <= width);
    let out = Shared::new(x);
    turn_rows(
        context,
        shape,
        turned,
        inverse,
        &|row, angles, sign| unsafe {
            let p = out.part(row * width, row * width + turned).as_mut_ptr();
            rope_row(context.isa, p as *const E, p, turned, angles, sign, false);
        },
    );
}

/// Turns single rows in place, each by a position of its own below `positions`.
pub struct Turn {
    isa: Isa,
    table: Arc<Vec<f32>>,
    head_dim: usize,
    heads: usize,
}

impl Turn {
    pub fn new(
        context: &Context,
        positions: usize,
        heads: usize,
        head_dim: usize,
        theta: f64,
    ) -> Self {
        assert!(head_dim.is_multiple_of(2));
        let shape = Shape {
            batch: 1,
            // For the table to serve the positions that follow too.
            time: positions.next_power_of_two(),
            heads,
            head_dim,
            theta,
            start: 0,
        };
        Self {
            isa: context.isa,
            table: context.angles(&shape),
            head_dim,
            heads,
        }
    }

    /// The first heads of a row.
    pub fn row<E: Element>(&self, row: &mut [E], position: usize) {
        let turned = &mut row[..self.heads * self.head_dim];
        let angles = &self.table[position * self.head_dim..][..self.head_dim];
        let (n, p) = (turned.len(), turned.as_mut_ptr());
        unsafe { rope_row(self.isa, p as *const E, p, n, angles, 1.0, false) }
    }
}

fn turn_rows(
    context: &Context,
    shape: Shape,
    width: usize,
    inverse: bool,
    turn: &(dyn Fn(usize, &[f32], f32) + Sync),
) {
    let Shape {
        batch,
        time,
        head_dim,
        ..
    } = shape;
    assert!(head_dim.is_multiple_of(2));
    let table = context.angles(&shape);
    let sign = if inverse { -1.0 } else { 1.0 };
    context.split(batch * time, 2 * width, &|from, to| {
        for row in from..to {
            turn(row, &table[row % time * head_dim..][..head_dim], sign);
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
    fn rope_row<E>(x: *const E, y: *mut E, width: usize, angles: &[f32], sign: f32, add: bool) = rope_body;
}

/// x and y may be the same.
#[inline(always)]
unsafe fn rope_body<S: Simd, E: Element>(
    x: *const E,
    y: *mut E,
    width: usize,
    angles: &[f32],
    sign: f32,
    add: bool,
) {
    let half = angles.len() / 2;
    for head in (0..width).step_by(2 * half) {
        let (p, to) = (x.add(head), y.add(head));
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
