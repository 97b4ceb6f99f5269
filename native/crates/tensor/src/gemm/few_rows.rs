//! Products with a few rows of A, as in generation one token at a time.

use super::tile::plus_at;
use super::{Matrix, Output};
use crate::context::{Context, Precision, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Up to here a product is bound by reading B once: packing would read and write it once more.
pub const FEW_ROWS: usize = 4;

/// A few rows of A against columns of B that are contiguous, as in generation, one token at a time.
pub fn few_rows(
    context: &Context,
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
    out: Output,
) {
    match (a.data, b.data) {
        (Floats::F32(x), Floats::F32(y)) => with_inputs(context, m, n, k, a, x, b, y, out),
        (Floats::F32(x), Floats::Bf16(y)) => with_inputs(context, m, n, k, a, x, b, y, out),
        (Floats::Bf16(x), Floats::F32(y)) => with_inputs(context, m, n, k, a, x, b, y, out),
        (Floats::Bf16(x), Floats::Bf16(y)) => with_inputs(context, m, n, k, a, x, b, y, out),
    }
}

fn with_inputs<A: Element, B: Element>(
    context: &Context,
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    x: &[A],
    b: Matrix,
    y: &[B],
    out: Output,
) {
    let inputs = Inputs {
        a: x.as_ptr(),
        a_stride: a.row_stride,
        b: y.as_ptr(),
        b_stride: b.column_stride,
        depth: k,
        round: context.precision == Precision::Bf16,
    };
    match out.c {
        FloatsMut::F32(c) => {
            let plus = out.plus.pointer(c);
            all_columns(context, m, n, inputs, Shared::new(c), out.stride, plus);
        }
        FloatsMut::Bf16(c) => {
            let plus = out.plus.pointer(c);
            all_columns(context, m, n, inputs, Shared::new(c), out.stride, plus);
        }
    }
}

fn all_columns<A: Element, B: Element, Out: Element>(
    context: &Context,
    m: usize,
    n: usize,
    inputs: Inputs<A, B>,
    c: Shared<Out>,
    stride: usize,
    plus: *const Out,
) {
    let place = Place {
        c: c.pointer(),
        plus,
        stride,
    };
    context.split(n, inputs.depth, &|from, to| unsafe {
        let (inputs, place) = (&inputs, &place);
        let part = Inputs {
            b: inputs.b.add(from * inputs.b_stride),
            ..*inputs
        };
        dots(context.isa, m, to - from, part, place.at_column(from));
    });
}

#[derive(Clone, Copy)]
struct Inputs<A, B> {
    a: *const A,
    a_stride: usize,
    b: *const B,
    b_stride: usize,
    depth: usize,
    round: bool,
}

#[derive(Clone, Copy)]
struct Place<Out> {
    c: *mut Out,
    /// Null for nothing.
    plus: *const Out,
    stride: usize,
}

unsafe impl<A, B> Sync for Inputs<A, B> {}
unsafe impl<Out> Sync for Place<Out> {}

impl<Out: Copy> Place<Out> {
    unsafe fn at_column(self, column: usize) -> Self {
        Self {
            c: self.c.add(column),
            plus: plus_at(self.plus, column),
            ..self
        }
    }
}

kernels! {
    fn dots<A, B, Out>(rows: usize, columns: usize, inputs: Inputs<A, B>, place: Place<Out>) = dots_body;
}

#[inline(always)]
unsafe fn dots_body<S: Simd, A: Element, B: Element, Out: Element>(
    rows: usize,
    columns: usize,
    inputs: Inputs<A, B>,
    place: Place<Out>,
) {
    match rows {
        1 => dot_rows::<S, A, B, Out, 1, 4>(columns, inputs, place),
        2 => dot_rows::<S, A, B, Out, 2, 4>(columns, inputs, place),
        3 => dot_rows::<S, A, B, Out, 3, 2>(columns, inputs, place),
        _ => dot_rows::<S, A, B, Out, 4, 2>(columns, inputs, place),
    }
}

/// ROWS x COLUMNS dot products at a time.
#[inline(always)]
unsafe fn dot_rows<
    S: Simd,
    A: Element,
    B: Element,
    Out: Element,
    const ROWS: usize,
    const COLUMNS: usize,
>(
    columns: usize,
    inputs: Inputs<A, B>,
    place: Place<Out>,
) {
    let whole = columns / COLUMNS * COLUMNS;
    for column in (0..whole).step_by(COLUMNS) {
        dot_block::<S, A, B, Out, ROWS, COLUMNS>(inputs, place, column);
    }
    for column in whole..columns {
        dot_block::<S, A, B, Out, ROWS, 1>(inputs, place, column);
    }
}

#[inline(always)]
unsafe fn dot_block<
    S: Simd,
    A: Element,
    B: Element,
    Out: Element,
    const ROWS: usize,
    const COLUMNS: usize,
>(
    d: Inputs<A, B>,
    place: Place<Out>,
    column: usize,
) {
    let mut sums = [[S::splat(0.0); COLUMNS]; ROWS];
    vectors!(S, d.depth, |p, left| {
        for j in 0..COLUMNS {
            let mut y = simd::get::<S>(d.b.add((column + j) * d.b_stride + p), left);
            if d.round {
                y = S::bf16(y);
            }
            for i in 0..ROWS {
                let mut x = simd::get::<S>(d.a.add(i * d.a_stride + p), left);
                if d.round {
                    x = S::bf16(x);
                }
                sums[i][j] = S::fma(x, y, sums[i][j]);
            }
        }
    });
    for i in 0..ROWS {
        for j in 0..COLUMNS {
            let at = i * place.stride + column + j;
            let mut sum = S::sum(sums[i][j]);
            if !place.plus.is_null() {
                sum += (*place.plus.add(at)).value();
            }
            *place.c.add(at) = Out::of(sum);
        }
    }
}
