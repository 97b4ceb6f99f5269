//! The head with its gradients where bf16 is multiplied: logits exist for a panel of columns at a time, in the first
//! cache.
//!
//! The exponentials need no maximum before them: exp(logit - logit of the target) sums to at least 1 and overflows only
//! where the target is e^80 times less likely than another token; a block of rows where that happens is done again with
//! its maxima. A task takes a block of rows through the whole vocabulary, a group of columns at a time: the product, the
//! exponentials as bf16, their product with the weight, and their transpose for the gradient of the weight, which is the
//! only thing that leaves the caches. Sums run along rows, so they do not depend on how rows are cut into blocks.

use super::rows::{Rows, counted, raise, scaled_row};
use super::walk::{Walk, fits};
use super::{CrossEntropy, Gradients};
use crate::context::{Context, Purpose, Shared};
use crate::element::Bf16;
use crate::gemm::{
    Inputs, Matrix, NarrowRows, Output, gemm, narrow_product, panel_columns, turn_bf16,
};
use crate::simd::{self, MOST_LANES, Simd};
use crate::{kernels, vectors};
use std::f32::consts::LOG2_E;

/// Slopes of a chunk of rows: 16 MB of bf16, read once. Fewer chunks make fewer visits of the weight's gradient.
const CHUNK_ELEMENTS: usize = 8 << 20;
/// Weights of a group of columns, 256 KB of bf16: with slopes and gradients of a block of rows in the second cache.
const GROUP_WEIGHTS: usize = 128 << 10;
/// Rows of a block, a multiple of the vectors that `turn_bf16` turns.
const BLOCK_ROWS: usize = 128;
const LEAST_BLOCK_ROWS: usize = 32;

/// Whether this context multiplies bf16 and the weight is small enough to be packed twice.
pub fn pays(context: &Context, vocab: usize, hidden: usize) -> bool {
    Inputs::of(context) != Inputs::Floats && fits(context, vocab, hidden)
}

/// As `super::head` for rows that all have a target, of which there is at least one.
pub fn head(context: &Context, of: CrossEntropy, nll: &mut [f32], gradients: Gradients) {
    let (rows, vocab, hidden) = (of.rows(), of.vocab(), of.hidden);
    let chunk = (CHUNK_ELEMENTS / vocab)
        .clamp(256, 2048)
        .min(rows)
        .next_multiple_of(LEAST_BLOCK_ROWS);
    let Gradients {
        scales,
        dx,
        mut dweight,
        add_x,
        add_weight,
    } = gradients;
    // Rows an odd number of cache lines apart.
    let stride = chunk.next_multiple_of(64) + 32;
    let (slopes, scaled) = if dweight.is_some() {
        let slopes = unsafe { context.shared_scratch(Purpose::Rows, vocab * stride / 2) };
        let scaled = unsafe { context.shared_scratch(Purpose::Matrix, chunk * hidden / 2 + 1) };
        (narrow(slopes), narrow(scaled))
    } else {
        (&mut [][..], &mut [][..])
    };
    let (slopes, scaled) = (Shared::new(slopes), Shared::new(scaled));
    let head = Head {
        walk: Walk::new(context, of, nll, scales, dx, add_x),
        slopes: dweight.is_some().then_some(slopes),
        stride,
        scaled,
    };
    for from in (0..rows).step_by(chunk) {
        let n = chunk.min(rows - from);
        let block = n
            .div_ceil(4 * context.threads)
            .next_multiple_of(LEAST_BLOCK_ROWS)
            .min(BLOCK_ROWS);
        context.run_sized(
            n.div_ceil(block),
            2 * block * hidden * vocab,
            &|task, worker| {
                let top = task * block;
                unsafe { head.block(worker, from, top, block.min(n - top)) };
            },
        );
        let Some(dweight) = &mut dweight else {
            continue;
        };
        let (slopes, scaled) =
            unsafe { (slopes.part(0, slopes.len()), scaled.part(0, n * hidden)) };
        let (left, right) = (
            Matrix::rows(&*slopes, stride),
            Matrix::rows(&*scaled, hidden),
        );
        let out = Output::new(&mut **dweight, hidden, add_weight || from > 0);
        gemm(context, vocab, hidden, n, left, right, out);
    }
}

struct Head<'a> {
    walk: Walk<'a>,
    /// For the gradient of the weight: the slopes of a chunk of rows, turned, and its rows of x times what they are
    /// still to be multiplied by.
    slopes: Option<Shared<'a, Bf16>>,
    stride: usize,
    scaled: Shared<'a, Bf16>,
}

impl Head<'_> {
    /// Rows `top` to `top + n` of the chunk that begins with row `from`.
    unsafe fn block(&self, worker: usize, from: usize, top: usize, n: usize) {
        let Walk { context, of, .. } = self.walk;
        let (isa, hidden) = (context.isa, of.hidden);
        let first = from + top;
        let input = NarrowRows::new(
            context,
            worker,
            Matrix::rows(of.x, hidden),
            first..first + n,
            hidden,
            false,
        );
        let targets = &of.targets[first..first + n];
        let logit = |row: usize| {
            let x = input.data.add(row * input.stride);
            dot(isa, x, of.weight_of(first + row))
        };
        let shifts = (0..n).map(logit).collect();
        let mut rows = Rows::new(targets, shifts);
        let dx = context.scratch(worker, Purpose::Matrix, n * hidden);
        self.groups(worker, input, targets, top, dx, &mut rows);
        if !rows.safe() {
            rows.shifts = self.largest(worker, input);
            self.groups(worker, input, targets, top, dx, &mut rows);
        }
        for row in 0..n {
            let (slope, factor) = self.walk.finish(first, row, &rows, dx);
            // The slopes without the target's are in place.
            if let Some(slopes) = self.slopes {
                let place = targets[row] as usize * self.stride + top + row;
                slopes.part(place, place + 1)[0] = Bf16::new(slope);
                let to = (top + row) * hidden;
                let to = self.scaled.part(to, to + hidden);
                let at = first + row;
                scaled_row(isa, of.inputs(at..at + 1), factor, to);
            }
        }
    }

    /// One walk over the vocabulary: sums, the gradient of x that is still to be divided by them, and slopes; both
    /// without the targets' slopes.
    unsafe fn groups(
        &self,
        worker: usize,
        input: NarrowRows,
        targets: &[i32],
        top: usize,
        dx: &mut [f32],
        rows: &mut Rows,
    ) {
        let Walk { context, of, .. } = self.walk;
        let (hidden, vocab) = (of.hidden, of.vocab());
        let (isa, n) = (context.isa, input.rows);
        let columns = panel_columns(isa);
        let group = (GROUP_WEIGHTS / hidden).clamp(256, 1024) / columns * columns;
        // Rows an odd number of cache lines apart.
        let stride = group.next_multiple_of(64) + 32;
        let sums = context.scratch(worker, Purpose::Sums, n * MOST_LANES);
        sums.fill(0.0);
        let words = context.scratch(worker, Purpose::Rows, n * (columns + stride / 2));
        let (logits, words) = words.split_at_mut(n * columns);
        let slopes = narrow(words);
        let mut next = 0;
        for begin in (0..vocab).step_by(group) {
            let end = (begin + group).min(vocab);
            for at in (begin..end).step_by(columns) {
                let panel = at / columns;
                let width = columns.min(end - at);
                let to = logits.as_mut_ptr();
                narrow_product(
                    context,
                    input,
                    self.walk.forward,
                    0..hidden,
                    panel..panel + 1,
                    to,
                    columns,
                    false,
                );
                let to = slopes[at - begin..].as_mut_ptr();
                exponentials(isa, logits, width, &rows.shifts, sums, to, stride);
                while let Some(&row) = rows.order.get(next)
                    && (targets[row] as usize) < at + width
                {
                    let target = targets[row] as usize;
                    rows.own[row] = logits[row * columns + target - at];
                    slopes[row * stride + target - begin] = Bf16(0);
                    next += 1;
                }
            }
            if let Some(backward) = self.walk.backward {
                let left = NarrowRows {
                    data: slopes.as_ptr(),
                    stride,
                    rows: n,
                };
                let panels = 0..hidden.div_ceil(columns);
                let to = dx.as_mut_ptr();
                narrow_product(
                    context,
                    left,
                    backward,
                    begin..end,
                    panels,
                    to,
                    hidden,
                    begin > 0,
                );
            }
            if let Some(turned) = self.slopes {
                let to = turned.rest(begin * self.stride + top).pointer();
                let from = slopes.as_ptr();
                turn_bf16(isa, from, stride, end - begin, n, to, self.stride, n);
            }
        }
        rows.sum_up(isa, sums);
    }

    /// The largest logit of each row.
    unsafe fn largest(&self, worker: usize, input: NarrowRows) -> Vec<f32> {
        let Walk { context, of, .. } = self.walk;
        let columns = panel_columns(context.isa);
        let logits = context.scratch(worker, Purpose::Rows, input.rows * columns);
        let mut most = vec![f32::NEG_INFINITY; input.rows];
        for panel in 0..of.vocab().div_ceil(columns) {
            let to = logits.as_mut_ptr();
            narrow_product(
                context,
                input,
                self.walk.forward,
                0..of.hidden,
                panel..panel + 1,
                to,
                columns,
                false,
            );
            let width = columns.min(of.vocab() - panel * columns);
            raise(&mut most, logits, columns, width);
        }
        most
    }
}

fn narrow(words: &mut [f32]) -> &mut [Bf16] {
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut Bf16, 2 * words.len()) }
}

kernels! {
    /// exp(logits - shift) of `width` columns of a panel as bf16, zeros up to the panel's end, and added to MOST_LANES
    /// sums a row.
    fn exponentials(logits: &[f32], width: usize, shifts: &[f32], sums: &mut [f32], to: *mut Bf16, stride: usize) = exponentials_body;
    /// x y, with y rounded to bf16.
    fn dot(x: *const Bf16, y: &[f32]) -> f32 = dot_body;
}

#[inline(always)]
unsafe fn exponentials_body<S: Simd>(
    logits: &[f32],
    width: usize,
    shifts: &[f32],
    sums: &mut [f32],
    to: *mut Bf16,
    stride: usize,
) {
    let columns = 2 * S::LANES;
    let (from, sums) = (logits.as_ptr(), sums.as_mut_ptr());
    let unit = S::splat(LOG2_E);
    for (row, shift) in shifts.iter().enumerate() {
        let shift = S::splat(-shift * LOG2_E);
        let (line, out) = (from.add(row * columns), to.add(row * stride));
        let sums = sums.add(row * MOST_LANES);
        let low = simd::exp2_near::<S>(S::fma(S::load(line), unit, shift));
        let high = simd::exp2_near::<S>(S::fma(S::load(line.add(S::LANES)), unit, shift));
        let [low, high] = counted::<S>(low, high, width, sums);
        S::store_bf16(out, low);
        S::store_bf16(out.add(S::LANES), high);
    }
}

#[inline(always)]
unsafe fn dot_body<S: Simd>(x: *const Bf16, y: &[f32]) -> f32 {
    let mut sums = S::splat(0.0);
    vectors!(S, y.len(), |i, left| {
        let weight = S::bf16(simd::get::<S>(y.as_ptr().add(i), left));
        sums = S::fma(simd::get::<S>(x.add(i), left), weight, sums);
    });
    S::sum(sums)
}
