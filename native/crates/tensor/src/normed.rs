//! The gradients of linear layers over one RMSNorm. That of the normalised rows is used up where it is made, a block of
//! rows at a time, and the normalised rows themselves are made again beside it, packed for the gradients of the weights.

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Floats, FloatsMut};
use crate::gemm::{Ahead, Inputs, Matrix, Packed, Strip, pack_stacked, panel_columns, strip_rows};
use crate::linears::{
    Weight, WeightGradient, input_gradient, weight_gradient, weight_gradient_packed,
};
use crate::normalise::{rms_norm_again, rms_norm_gradient};
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels, vectors};

/// Rows that a task takes at most: with the weights, in the second cache.
const ROWS: usize = 84;

/// What y = (x / rms(x) * norm) Wᵀ was made of; `inverse` holds 1 / rms of each row.
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
    let Normed {
        x,
        norm,
        inverse,
        weights,
    } = normed;
    let (rows, inputs) = (inverse.len(), norm.len());
    let width: usize = weights.iter().map(|weight| weight.outputs).sum();
    assert!(inputs > 0 && x.len() == rows * inputs && dy.len() >= rows * width);
    assert!(dx.as_ref().is_none_or(|dx| dx.len() == x.len()));
    let sizes = Inputs::of(context);
    let (_, others) = weights.split_last().expect("a layer at least");
    let step = sizes.depth_step();
    if !others
        .iter()
        .all(|weight| weight.outputs.is_multiple_of(step))
        || rows == 0
    {
        return apart(context, normed, dy, dx, dnorm, adds, dweights);
    }
    let parts: Vec<_> = weights
        .iter()
        .map(|weight| (Matrix::rows(weight.data, inputs), weight.outputs))
        .collect();
    let wanted = dweights.iter().any(|gradient| gradient.to.is_some());
    let columns = panel_columns(context.isa);
    let words = sizes.words(rows);
    let length = if wanted {
        inputs.next_multiple_of(columns) * words
    } else {
        0
    };
    let normal = unsafe { context.shared_scratch(Purpose::Activations, length.max(1)) };
    let normal = &mut normal[..length];
    let block = strip_rows(context, rows, ROWS);
    let tasks = rows.div_ceil(block);
    let sums = unsafe { context.shared_scratch(Purpose::Sums, (tasks * inputs).max(1)) };
    let sums = &mut sums[..tasks * inputs];
    sums.fill(0.0);
    let strips = Strips {
        context,
        x,
        norm,
        inverse,
        dy: Matrix::rows(dy, width),
        weight: pack_stacked(context, inputs, &parts, Purpose::PackedB),
        dx: dx.map(Shared::new),
        add: adds[0],
        normal: Shared::new(normal),
        words,
        sums: Shared::new(sums),
        block,
    };
    context.run_sized(tasks, block * inputs * width, &|task, worker| unsafe {
        strips.run(task, worker);
    });
    if let Some(dnorm) = dnorm {
        if !adds[1] {
            dnorm.fill(0.0);
        }
        for part in sums.chunks(inputs) {
            dnorm.iter_mut().zip(part).for_each(|(to, x)| *to += x);
        }
    }
    if wanted {
        let normal = Packed::panels(normal, rows, inputs);
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
    x: &'a [f32],
    norm: &'a [f32],
    inverse: &'a [f32],
    dy: Matrix<'a>,
    weight: Packed<'a>,
    dx: Option<Shared<'a>>,
    add: bool,
    /// The normalised rows in panels of so many words of a column each; empty where they are not wanted.
    normal: Shared<'a>,
    words: usize,
    sums: Shared<'a>,
    /// Rows of a task.
    block: usize,
}

impl Strips<'_> {
    unsafe fn run(&self, task: usize, worker: usize) {
        let (context, inputs) = (self.context, self.norm.len());
        let (sizes, columns) = (Inputs::of(context), panel_columns(context.isa));
        let (top, all) = (task * self.block, self.inverse.len());
        let rows = self.block.min(all - top);
        let a = Strip::new(context, worker, self.dy, top..top + rows, self.weight.k());
        // An odd number of lines apart.
        let stride = inputs.next_multiple_of(32) + 16;
        let made = context.scratch(worker, Purpose::Rows, rows * stride);
        let x = &self.x[top * inputs..(top + rows) * inputs];
        let dx = match &self.dx {
            Some(dx) => dx.part(top * inputs, (top + rows) * inputs).as_mut_ptr(),
            None => std::ptr::null_mut(),
        };
        let packed = !self.normal.is_empty();
        let normal = if packed {
            self.normal.rest(sizes.words(top) * columns).pointer()
        } else {
            std::ptr::null_mut()
        };
        let panels = inputs.div_ceil(columns);
        // What is read and written afterwards comes while the product is made.
        let inputs_ahead = Ahead {
            at: x.as_ptr() as *const u8,
            stride: inputs * size_of::<f32>(),
            pieces: rows,
            bytes: inputs * size_of::<f32>(),
            beside: 0,
        };
        let ahead = [
            inputs_ahead,
            Ahead {
                at: dx as *const u8,
                pieces: if dx.is_null() { 0 } else { rows },
                ..inputs_ahead
            },
            Ahead {
                at: normal as *const u8,
                stride: self.words * columns * size_of::<f32>(),
                pieces: if packed { panels } else { 0 },
                bytes: sizes.words(rows) * columns * size_of::<f32>(),
                beside: 0,
            },
        ];
        let to = made.as_mut_ptr();
        a.product(context, self.weight, 0..panels, to, stride, &ahead);
        let block = Block {
            rows,
            columns: inputs,
            x: x.as_ptr(),
            norm: self.norm.as_ptr(),
            inverse: self.inverse[top..top + rows].as_ptr(),
            slopes: made.as_ptr(),
            slope_stride: stride,
            dx,
            add: self.add,
            sums: self
                .sums
                .part(task * inputs, (task + 1) * inputs)
                .as_mut_ptr(),
            normal,
            panel: self.words * columns,
            depth: if top + rows == all {
                self.words - sizes.words(top)
            } else {
                sizes.words(rows)
            },
        };
        if sizes == Inputs::Floats {
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
    /// Where the packed normalised rows go, if they are wanted, and how far their panels are apart.
    normal: *mut f32,
    panel: usize,
    /// Words of a column of them: pairs beyond the rows become zeros.
    depth: usize,
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
            if !block.normal.is_null() {
                let normal = if round { S::bf16(normal) } else { normal };
                S::store(place::<S>(block, row, i), normal);
            }
        });
    }
}

#[inline(always)]
unsafe fn rows_of_pairs_body<S: Pairs>(block: Block) {
    for word in 0..block.depth {
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
            if !block.normal.is_null() {
                S::store(place::<S>(block, word, i), S::pair(both[0], both[1]));
            }
        });
    }
}

/// Where a vector of the normalised rows goes.
#[inline(always)]
unsafe fn place<S: Simd>(block: Block, word: usize, column: usize) -> *mut f32 {
    let columns = 2 * S::LANES;
    let panel = block.normal.add(column / columns * block.panel);
    panel.add(word * columns + column % columns)
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
