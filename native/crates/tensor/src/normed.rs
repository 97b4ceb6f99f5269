//! The gradients of linear layers over one RMSNorm. That of the normalised rows is used up where it is made, a block of
//! rows at a time, and the normalised rows themselves are made again beside it, packed for the gradients of the weights.

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Floats, FloatsMut};
use crate::gemm::{
    Ahead, Inputs, Matrix, Packed, PackedOutput, Panels, Strip, pack_stacked, panel_columns,
    strip_rows,
};
use crate::linears::{
    Weight, WeightGradient, input_gradient, weight_gradient, weight_gradient_packed,
};
use crate::normalise::{rms_norm_again, rms_norm_gradient, sum_parts};
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels, vectors};

/// Rows that a task takes at most: with the weights, in the second cache.
const ROWS: usize = 84;

/// What y = (x / rms(x) * norm) Wᵀ was made of; `inverse` holds 1 / rms of each row.
#[derive(Clone, Copy)]
pub struct Normed<'a> {
    pub x: &'a [f32],
    pub norm: &'a [f32],
    pub inverse: &'a [f32],
    pub weights: &'a [Weight<'a>],
}

/// The gradients by x, norm and each weight, where they are wanted, from dy[rows, sum of outputs]; `adds` says to add
/// those by x and norm to what is there. The sum over rows runs in parts that the shape alone decides.
pub fn normed_gradient(
    context: &Context,
    normed: Normed,
    dy: Floats,
    dx: Option<&mut [f32]>,
    dnorm: Option<&mut [f32]>,
    adds: [bool; 2],
    dweights: Vec<WeightGradient>,
) {
    let (rows, inputs, weights) = (normed.inverse.len(), normed.norm.len(), normed.weights);
    let width: usize = weights.iter().map(|weight| weight.outputs).sum();
    assert!(inputs > 0 && normed.x.len() == rows * inputs && dy.len() >= rows * width);
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == rows * inputs));
    let step = Inputs::of(context).depth_step();
    let (_, others) = weights.split_last().expect("a layer at least");
    let stacked = |weight: &Weight| weight.outputs.is_multiple_of(step);
    if rows == 0 || !others.iter().all(stacked) {
        return apart(context, normed, dy, dx, dnorm, adds, dweights);
    }
    let parts: Vec<_> = weights
        .iter()
        .map(|weight| (Matrix::rows(weight.data, inputs), weight.outputs))
        .collect();
    let wanted = dweights.iter().any(|gradient| gradient.to.is_some());
    let normal = unsafe { PackedOutput::new(context, rows, inputs, wanted) };
    let block = strip_rows(context, rows, ROWS);
    let tasks = rows.div_ceil(block);
    let sums = unsafe { context.shared_scratch(Purpose::Sums, (tasks * inputs).max(1)) };
    let sums = &mut sums[..tasks * inputs];
    sums.fill(0.0);
    let strips = Strips {
        context,
        normed,
        dy: Matrix::rows(dy, width),
        weight: pack_stacked(context, inputs, &parts, Purpose::PackedB),
        dx: dx.map(Shared::new),
        add: adds[0],
        normal,
        sums: Shared::new(sums),
        block,
    };
    context.run_sized(tasks, block * inputs * width, &|task, worker| unsafe {
        strips.run(task, worker);
    });
    if let Some(dnorm) = dnorm {
        sum_parts(sums, dnorm, adds[1]);
    }
    if let Some(normal) = unsafe { normal.packed() } {
        weight_gradient_packed(context, dy, normal, dweights);
    }
}

/// The same by way of memory, for layers that do not fit below each other in one packed matrix.
fn apart(
    context: &Context,
    normed: Normed,
    dy: Floats,
    dx: Option<&mut [f32]>,
    dnorm: Option<&mut [f32]>,
    adds: [bool; 2],
    dweights: Vec<WeightGradient>,
) {
    let Normed {
        x,
        norm,
        inverse,
        weights,
    } = normed;
    let (rows, inputs) = (inverse.len(), norm.len());
    let mut made = vec![0.0; rows * inputs];
    rms_norm_again(context, x, norm, &mut made, inverse);
    weight_gradient(context, dy, (&made[..]).into(), dweights, rows, inputs);
    let to = FloatsMut::F32(&mut made);
    input_gradient(context, dy, weights, to, rows, inputs, false);
    rms_norm_gradient(
        context,
        x,
        norm,
        inverse,
        (&made[..]).into(),
        dx,
        dnorm,
        adds,
    );
}

struct Strips<'a> {
    context: &'a Context,
    normed: Normed<'a>,
    dy: Matrix<'a>,
    weight: Packed<'a>,
    dx: Option<Shared<'a>>,
    add: bool,
    /// The normalised rows.
    normal: PackedOutput<'a>,
    sums: Shared<'a>,
    /// Rows of a task.
    block: usize,
}

impl Strips<'_> {
    unsafe fn run(&self, task: usize, worker: usize) {
        let (context, normed) = (self.context, self.normed);
        let inputs = normed.norm.len();
        let top = task * self.block;
        let rows = self.block.min(normed.inverse.len() - top);
        let a = Strip::new(context, worker, self.dy, top..top + rows, self.weight.k());
        // An odd number of lines apart.
        let stride = inputs.next_multiple_of(32) + 16;
        let made = context.scratch(worker, Purpose::Rows, rows * stride);
        let x = &normed.x[top * inputs..(top + rows) * inputs];
        let dx = match &self.dx {
            Some(dx) => dx.part(top * inputs, (top + rows) * inputs).as_mut_ptr(),
            None => std::ptr::null_mut(),
        };
        let normal = self.normal.part(top..top + rows, 0);
        let panels = inputs.div_ceil(panel_columns(context.isa));
        // What is read and written afterwards comes while the product is made.
        let inputs_ahead = Ahead {
            at: x.as_ptr() as *const u8,
            stride: size_of_val(normed.norm),
            pieces: rows,
            bytes: size_of_val(normed.norm),
            beside: 0,
        };
        let ahead = [
            inputs_ahead,
            Ahead {
                at: dx as *const u8,
                pieces: if dx.is_null() { 0 } else { rows },
                ..inputs_ahead
            },
            normal.ahead(context, panels),
        ];
        let to = made.as_mut_ptr();
        a.product(context, self.weight, 0..panels, to, stride, &ahead);
        let block = Block {
            rows,
            columns: inputs,
            x: x.as_ptr(),
            norm: normed.norm.as_ptr(),
            inverse: normed.inverse[top..top + rows].as_ptr(),
            slopes: made.as_ptr(),
            slope_stride: stride,
            dx,
            add: self.add,
            sums: self
                .sums
                .part(task * inputs, (task + 1) * inputs)
                .as_mut_ptr(),
            normal,
        };
        if Inputs::of(context) == Inputs::Floats {
            rows_of_floats(context.isa, block, context.precision == Precision::Bf16);
        } else {
            rows_of_pairs(context.isa, block);
        }
    }
}

/// Some rows of x without gaps, and the gradient of what they are once normalised.
#[derive(Clone, Copy)]
struct Block {
    rows: usize,
    columns: usize,
    x: *const f32,
    norm: *const f32,
    inverse: *const f32,
    slopes: *const f32,
    slope_stride: usize,
    /// As x; null where it is not wanted.
    dx: *mut f32,
    add: bool,
    /// Of the gradient by norm.
    sums: *mut f32,
    /// Where the packed normalised rows go, if they are wanted.
    normal: Panels,
}

kernels! {
    fn rows_of_floats(block: Block, round: bool) = rows_of_floats_body;
}

pair_kernels! {
    fn rows_of_pairs(block: Block) = rows_of_pairs_body;
}

#[inline(always)]
unsafe fn rows_of_floats_body<S: Simd>(block: Block, round: bool) {
    for row in 0..block.rows {
        let mean = mean_of_row::<S>(block, row);
        vectors!(S, block.columns, |i, left| {
            let normal = gradient::<S>(block, row, mean, i, left);
            if block.normal.wanted() {
                let normal = if round { S::bf16(normal) } else { normal };
                block.normal.store::<S>(row, i, normal);
            }
        });
    }
}

#[inline(always)]
unsafe fn rows_of_pairs_body<S: Pairs>(block: Block) {
    for word in 0..block.normal.words {
        let (row, next) = (2 * word, 2 * word + 1);
        let mut means = [S::splat(0.0); 2];
        if row < block.rows {
            means[0] = mean_of_row::<S>(block, row);
        }
        if next < block.rows {
            means[1] = mean_of_row::<S>(block, next);
        }
        vectors!(S, block.columns, |i, left| {
            let mut both = [S::splat(0.0); 2];
            if row < block.rows {
                both[0] = gradient::<S>(block, row, means[0], i, left);
            }
            if next < block.rows {
                both[1] = gradient::<S>(block, next, means[1], i, left);
            }
            if block.normal.wanted() {
                let both = S::pair(both[0], both[1]);
                block.normal.store::<S>(word, i, both);
            }
        });
    }
}

/// -mean(norm slope x inverse); the sums grow by slope x inverse.
#[inline(always)]
unsafe fn mean_of_row<S: Simd>(block: Block, row: usize) -> S::V {
    let (x, slopes) = (
        block.x.add(row * block.columns),
        block.slopes.add(row * block.slope_stride),
    );
    let factor = S::splat(*block.inverse.add(row));
    let mut dots = S::splat(0.0);
    vectors!(S, block.columns, |i, left| {
        let normal = S::mul(simd::get::<S>(x.add(i), left), factor);
        let d = simd::get::<S>(slopes.add(i), left);
        let sum = simd::get::<S>(block.sums.add(i), left);
        simd::put::<S>(block.sums.add(i), left, S::fma(d, normal, sum));
        dots = S::fma(
            S::mul(d, simd::get::<S>(block.norm.add(i), left)),
            normal,
            dots,
        );
    });
    S::splat(-S::sum(dots) / block.columns as f32)
}

/// Writes a vector of the gradient by x, inverse (norm slope - x inverse mean), and gives that of the normalised row.
#[inline(always)]
unsafe fn gradient<S: Simd>(block: Block, row: usize, mean: S::V, i: usize, n: usize) -> S::V {
    let at = row * block.columns + i;
    let factor = S::splat(*block.inverse.add(row));
    let normal = S::mul(simd::get::<S>(block.x.add(at), n), factor);
    let norm = simd::get::<S>(block.norm.add(i), n);
    if !block.dx.is_null() {
        let d = simd::get::<S>(block.slopes.add(row * block.slope_stride + i), n);
        let g = S::mul(factor, S::fma(normal, mean, S::mul(d, norm)));
        simd::put_or_add::<S>(block.dx.add(at), n, g, block.add);
    }
    S::mul(normal, norm)
}

#[cfg(test)]
mod tests;
