//! The gradients of a linear layer over a SwiGLU. That of the product of gate and up is used up where it is made, a few
//! columns at a time, and the product itself is made again beside it, packed for the gradient of the weight.

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::gemm::{
    Ahead, Inputs, Matrix, Packed, PackedOutput, Panels, Strip, pack, panel_columns, strip_rows,
};
use crate::linears::{Weight, WeightGradient, weight_gradient_packed};
use crate::simd::{self, Pairs, Simd};
use crate::swiglu::silu_slope;
use crate::{kernels, pair_kernels, vectors};

/// Rows that a task takes at most: with their columns in the second cache.
const ROWS: usize = 84;
/// Columns of the gradient of the product that are made before they are used.
const COLUMNS: usize = 128;

/// What y = silu(gate) up Wᵀ was made of: gate and up side by side in rows of 2 * inputs.
pub struct Gated<'a> {
    pub gate_up: Floats<'a>,
    pub weight: Weight<'a>,
    pub rows: usize,
    pub inputs: usize,
}

/// The gradients by gate and up, laid out and stored as those (or += with `add`), and by the weight where one is wanted,
/// from dy[rows, outputs].
pub fn gated_gradient(
    context: &Context,
    gated: Gated,
    dy: &[f32],
    dx: FloatsMut,
    add: bool,
    dweight: WeightGradient,
) {
    let Gated {
        gate_up,
        weight,
        rows,
        inputs,
    } = gated;
    let outputs = weight.outputs;
    assert_eq!(dweight.outputs, outputs);
    assert!(gate_up.len() >= 2 * rows * inputs && dx.len() >= 2 * rows * inputs);
    assert!(dy.len() >= rows * outputs && weight.data.len() >= outputs * inputs);
    let product = unsafe { PackedOutput::new(context, rows, inputs, dweight.to.is_some()) };
    let strips = Strips {
        context,
        dy: Matrix::rows(dy, outputs),
        weight: pack(
            context,
            outputs,
            inputs,
            Matrix::rows(weight.data, inputs),
            Purpose::PackedB,
        ),
        product,
        rows,
        inputs,
        add,
    };
    match (gate_up, dx) {
        (Floats::F32(x), FloatsMut::F32(dx)) => strips.run(x, dx),
        (Floats::Bf16(x), FloatsMut::Bf16(dx)) => strips.run(x, dx),
        _ => panic!("gate and up are stored as their gradients"),
    }
    if let Some(product) = unsafe { product.packed() } {
        weight_gradient_packed(context, dy.into(), product, vec![dweight]);
    }
}

struct Strips<'a> {
    context: &'a Context,
    dy: Matrix<'a>,
    weight: Packed<'a>,
    product: PackedOutput<'a>,
    rows: usize,
    inputs: usize,
    add: bool,
}

impl Strips<'_> {
    fn run<E: Element>(&self, x: &[E], dx: &mut [E]) {
        let block = strip_rows(self.context, self.rows, ROWS);
        let cost = block * self.inputs * self.weight.k();
        let dx = Shared::new(dx);
        let tasks = self.rows.div_ceil(block);
        self.context.run_sized(tasks, cost, &|task, worker| {
            let top = task * block;
            unsafe { self.strip(worker, top, block.min(self.rows - top), x, dx) };
        });
    }

    unsafe fn strip<E: Element>(
        &self,
        worker: usize,
        top: usize,
        rows: usize,
        x: &[E],
        dx: Shared<E>,
    ) {
        let (context, inputs) = (self.context, self.inputs);
        let (sizes, columns) = (Inputs::of(context), panel_columns(context.isa));
        let a = Strip::new(context, worker, self.dy, top..top + rows, self.weight.k());
        let stride = COLUMNS + 16;
        let made = context.scratch(worker, Purpose::Rows, rows * stride);
        let made = made.as_mut_ptr();
        let at = 2 * top * inputs;
        let (x, dx) = (x[at..].as_ptr(), dx.rest(at).pointer());
        for first in (0..inputs).step_by(COLUMNS) {
            let width = COLUMNS.min(inputs - first);
            let panels = first / columns..(first + width).div_ceil(columns);
            let product = self.product.part(top..top + rows, panels.start);
            // What is read and written afterwards comes while the product is made.
            let gates = Ahead {
                at: x.add(first) as *const u8,
                stride: 2 * inputs * size_of::<E>(),
                pieces: rows,
                bytes: width * size_of::<E>(),
                beside: inputs * size_of::<E>(),
            };
            let slopes = Ahead {
                at: dx.add(first) as *const u8,
                ..gates
            };
            let products = product.ahead(context, panels.len());
            let ahead = [gates, slopes, products];
            a.product(context, self.weight, panels, made, stride, &ahead);
            let block = Block {
                rows,
                width,
                apart: inputs,
                slopes: made,
                slope_stride: stride,
                product,
                add: self.add,
            };
            let (gates, slopes) = (x.add(first), dx.add(first));
            if sizes == Inputs::Floats {
                let round = context.precision == Precision::Bf16;
                gates_of_floats(context.isa, gates, slopes, block, round);
            } else {
                gates_of_pairs(context.isa, gates, slopes, block);
            }
        }
    }
}

/// Some columns of some rows, and the gradient of their product.
#[derive(Clone, Copy)]
struct Block {
    rows: usize,
    width: usize,
    /// Elements from a gate to its up; twice as many to the next row.
    apart: usize,
    slopes: *const f32,
    slope_stride: usize,
    /// Where the packed product goes, if it is wanted.
    product: Panels,
    add: bool,
}

kernels! {
    fn gates_of_floats<E>(x: *const E, dx: *mut E, block: Block, round: bool) = gates_of_floats_body;
}

pair_kernels! {
    fn gates_of_pairs<E>(x: *const E, dx: *mut E, block: Block) = gates_of_pairs_body;
}

#[inline(always)]
unsafe fn gates_of_floats_body<S: Simd, E: Element>(
    x: *const E,
    dx: *mut E,
    block: Block,
    round: bool,
) {
    for row in 0..block.rows {
        vectors!(S, block.width, |i, left| {
            let product = gate::<S, E>(x, dx, block, row, i, left);
            if block.product.wanted() {
                let product = if round { S::bf16(product) } else { product };
                block.product.store::<S>(row, i, product);
            }
        });
    }
}

#[inline(always)]
unsafe fn gates_of_pairs_body<S: Pairs, E: Element>(x: *const E, dx: *mut E, block: Block) {
    for word in 0..block.product.words {
        let row = 2 * word;
        vectors!(S, block.width, |i, left| {
            let mut both = [S::splat(0.0); 2];
            if row < block.rows {
                both[0] = gate::<S, E>(x, dx, block, row, i, left);
            }
            if row + 1 < block.rows {
                both[1] = gate::<S, E>(x, dx, block, row + 1, i, left);
            }
            if block.product.wanted() {
                let both = S::pair(both[0], both[1]);
                block.product.store::<S>(word, i, both);
            }
        });
    }
}

/// Writes the gradients of a vector of gates and ups and gives their product.
#[inline(always)]
unsafe fn gate<S: Simd, E: Element>(
    x: *const E,
    dx: *mut E,
    block: Block,
    row: usize,
    column: usize,
    n: usize,
) -> S::V {
    let at = row * 2 * block.apart + column;
    let g = simd::get::<S>(x.add(at), n);
    let u = simd::get::<S>(x.add(at + block.apart), n);
    let d = simd::get::<S>(block.slopes.add(row * block.slope_stride + column), n);
    let s = simd::sigmoid_for::<S, E>(g);
    let silu = S::mul(g, s);
    let slope = S::mul(S::mul(d, u), silu_slope::<S>(g, s));
    simd::put_or_add::<S>(dx.add(at), n, slope, block.add);
    simd::put_or_add::<S>(dx.add(at + block.apart), n, S::mul(d, silu), block.add);
    S::mul(silu, u)
}

#[cfg(test)]
mod tests;
