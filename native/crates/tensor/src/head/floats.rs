//! The head with its gradients where f32 is multiplied, in the order of `fused.rs`: a task takes a block of rows through
//! the vocabulary, a group of columns at a time, and its logits become exponentials, less that of the target, in the
//! second cache.
//!
//! They are kept where the product put them, in panels: as such they are the left side of the gradient of x while they
//! are in that cache, and later, read once, the packed right side of the turned gradient of the weight.

use super::rows::{Rows, counted, raise, scaled_row};
use super::walk::{Walk, fits};
use super::{CrossEntropy, Gradients};
use crate::attention::rows::{dot, store_turned};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::gemm::{
    Inputs, Layout, Packed, WideOutput, WideRows, pack_rows, panel_columns, wide_product,
};
use crate::kernels;
use crate::simd::{self, MOST_LANES, Simd};
use std::f32::consts::LOG2_E;
use std::ops::Range;

/// Exponentials of a chunk of rows: 16 MB, read once. Fewer chunks make fewer visits of the weight's gradient.
const CHUNK_ELEMENTS: usize = 4 << 20;
/// Weights of a group of columns, 128 KB: twice, with exponentials and gradients of a block of rows, in the second cache.
const GROUP_WEIGHTS: usize = 32 << 10;
/// Rows between two visits of the weight's gradient.
const DEPTH: usize = 256;
/// Rows of a panel of exponentials, one more than are used: panels a power of 2 apart would fall into the same few sets
/// of the first cache.
const PANEL_ROWS: usize = DEPTH + 1;
/// Elements of a block of rows of x, 64 KB.
const BLOCK_ELEMENTS: usize = 16 << 10;
/// Panels of the weight's gradient that a task makes.
const TASK_PANELS: usize = 8;

/// Whether this context multiplies f32 as it is and the weight is small enough to be packed twice.
pub fn pays(context: &Context, vocab: usize, hidden: usize) -> bool {
    Inputs::of(context) == Inputs::Floats
        && context.precision == Precision::F32
        && fits(context, vocab, hidden)
}

/// As `super::head` for rows that all have a target, of which there is at least one.
pub fn head(context: &Context, of: CrossEntropy, nll: &mut [f32], gradients: Gradients) {
    let (rows, vocab, hidden) = (of.rows(), of.vocab(), of.hidden);
    let columns = panel_columns(context.isa);
    let chunk = (CHUNK_ELEMENTS / vocab).clamp(DEPTH, 2048) / DEPTH * DEPTH;
    let chunk = chunk.min(rows.next_multiple_of(DEPTH));
    let Gradients {
        scales,
        dx,
        mut dweight,
        add_x,
        add_weight,
    } = gradients;
    let exponentials = unsafe {
        context.shared_scratch(
            Purpose::Rows,
            chunk / DEPTH * PANEL_ROWS * vocab.next_multiple_of(columns),
        )
    };
    let mut factors = vec![0.0; chunk];
    let head = Head {
        walk: Walk::new(context, of, nll, scales, dx, add_x),
        exponentials: Shared::new(exponentials),
        factors: Shared::new(&mut factors),
    };
    let block = (BLOCK_ELEMENTS / hidden).clamp(32, 128);
    let block = 1 << block.ilog2();
    for from in (0..rows).step_by(chunk) {
        let n = chunk.min(rows - from);
        context.run_sized(
            n.div_ceil(block),
            2 * block * hidden * vocab,
            &|task, worker| {
                let top = task * block;
                unsafe { head.block(worker, from, top, block.min(n - top)) };
            },
        );
        if let Some(dweight) = &mut dweight {
            let add = add_weight || from > 0;
            unsafe { head.weight_gradient(from, n, dweight, add) };
        }
    }
}

struct Head<'a> {
    walk: Walk<'a>,
    /// Of a chunk of rows: `[stretch of DEPTH rows][panel][row][column]`.
    exponentials: Shared<'a>,
    /// What the rows of a chunk are still to be multiplied by.
    factors: Shared<'a>,
}

impl Head<'_> {
    /// From a panel of exponentials to the next.
    fn apart(&self) -> usize {
        PANEL_ROWS * panel_columns(self.walk.context.isa)
    }

    /// Exponentials of DEPTH rows.
    fn stretch(&self) -> usize {
        let columns = panel_columns(self.walk.context.isa);
        PANEL_ROWS * self.walk.of.vocab().next_multiple_of(columns)
    }

    /// Rows `top` to `top + n` of the chunk that begins with row `from`.
    unsafe fn block(&self, worker: usize, from: usize, top: usize, n: usize) {
        let Walk { context, of, .. } = self.walk;
        let (isa, hidden) = (context.isa, of.hidden);
        let columns = panel_columns(isa);
        let first = from + top;
        let x = of.inputs(first..first + n);
        let targets = &of.targets[first..first + n];
        let shifts = (first..first + n)
            .map(|row| dot(isa, of.inputs(row..row + 1), of.weight_of(row)))
            .collect();
        let mut rows = Rows::new(targets, shifts);
        let at = top / DEPTH * self.stretch() + top % DEPTH * columns;
        let to = self.exponentials.rest(at).pointer();
        let dx = context.scratch(worker, Purpose::Matrix, n * hidden);
        self.groups(worker, x, targets, to, dx, &mut rows);
        if !rows.safe() {
            rows.shifts = self.largest(x, n, to);
            self.groups(worker, x, targets, to, dx, &mut rows);
        }
        for row in 0..n {
            let (slope, factor) = self.walk.finish(first, row, &rows, dx);
            self.factors.part(top + row, top + row + 1)[0] = factor;
            *self.place(to, row, targets[row]) = slope;
        }
    }

    /// Of the exponentials of a block, that of a row and column.
    unsafe fn place(&self, to: *mut f32, row: usize, column: i32) -> *mut f32 {
        let columns = panel_columns(self.walk.context.isa);
        let (panel, column) = (column as usize / columns, column as usize % columns);
        to.add(panel * self.apart() + row * columns + column)
    }

    /// One walk over the vocabulary: exponentials, their sums, and the gradient of x that is still to be divided by
    /// them; without the targets'.
    unsafe fn groups(
        &self,
        worker: usize,
        x: &[f32],
        targets: &[i32],
        to: *mut f32,
        dx: &mut [f32],
        rows: &mut Rows,
    ) {
        let Walk { context, of, .. } = self.walk;
        let (hidden, vocab) = (of.hidden, of.vocab());
        let (isa, n) = (context.isa, targets.len());
        let columns = panel_columns(isa);
        let group = (GROUP_WEIGHTS / hidden).clamp(64, 1024) / columns * columns;
        let sums = context.scratch(worker, Purpose::Sums, n * MOST_LANES);
        sums.fill(0.0);
        let mut next = 0;
        for begin in (0..vocab).step_by(group) {
            let end = (begin + group).min(vocab);
            let group = begin / columns..end.div_ceil(columns);
            self.logits(x, n, group.clone(), to.add(group.start * self.apart()));
            for panel in group {
                let at = panel * columns;
                let width = columns.min(end - at);
                let line = to.add(panel * self.apart());
                let own = rows.order[next..]
                    .iter()
                    .take_while(|&&row| (targets[row] as usize) < at + width);
                let own = next..next + own.count();
                for &row in &rows.order[own.clone()] {
                    rows.own[row] = *self.place(to, row, targets[row]);
                }
                exponentials(isa, line, width, &rows.shifts, sums);
                for &row in &rows.order[own.clone()] {
                    *self.place(to, row, targets[row]) = 0.0;
                }
                next = own.end;
            }
            if let Some(backward) = self.walk.backward {
                let left = WideRows {
                    data: to.add(begin / columns * self.apart()),
                    stride: columns,
                    layout: Layout::Panels(self.apart()),
                    rows: n,
                };
                wide_product(
                    context,
                    left,
                    backward,
                    begin..end,
                    0..hidden.div_ceil(columns),
                    WideOutput {
                        data: dx.as_mut_ptr(),
                        stride: hidden,
                        panel_stride: columns,
                    },
                    begin > 0,
                );
            }
        }
        rows.sum_up(isa, sums);
    }

    /// Panels of the logits of n rows of x, as far apart as those of the exponentials.
    unsafe fn logits(&self, x: &[f32], n: usize, panels: Range<usize>, to: *mut f32) {
        let Walk { context, of, .. } = self.walk;
        let hidden = of.hidden;
        let left = WideRows {
            data: x.as_ptr(),
            stride: hidden,
            layout: Layout::Rows,
            rows: n,
        };
        wide_product(
            context,
            left,
            self.walk.forward,
            0..hidden,
            panels,
            WideOutput {
                data: to,
                stride: panel_columns(context.isa),
                panel_stride: self.apart(),
            },
            false,
        );
    }

    /// The largest logit of each row.
    unsafe fn largest(&self, x: &[f32], n: usize, to: *mut f32) -> Vec<f32> {
        let Walk { context, of, .. } = self.walk;
        let columns = panel_columns(context.isa);
        let mut most = vec![f32::NEG_INFINITY; n];
        for panel in 0..of.vocab().div_ceil(columns) {
            self.logits(x, n, panel..panel + 1, to);
            let width = columns.min(of.vocab() - panel * columns);
            let logits = std::slice::from_raw_parts(to, n * columns);
            raise(&mut most, logits, columns, width);
        }
        most
    }

    /// dweight = slopesᵀ x for the n rows of the chunk that begins with row `from`, or dweight +=; made as xᵀ slopes, a
    /// panel at a time.
    unsafe fn weight_gradient(&self, from: usize, n: usize, dweight: &mut [f32], add: bool) {
        let Walk { context, of, .. } = self.walk;
        let (isa, hidden, vocab) = (context.isa, of.hidden, of.vocab());
        let columns = panel_columns(isa);
        let length = hidden.next_multiple_of(isa.tile_rows()) * DEPTH;
        let stretches = n.div_ceil(DEPTH);
        let packed = context.shared_scratch(Purpose::PackedA, stretches * length);
        let packed = Shared::new(packed);
        context.run_sized(stretches, DEPTH * hidden, &|stretch, worker| {
            let rows = stretch * DEPTH..((stretch + 1) * DEPTH).min(n);
            let scaled = context.scratch(worker, Purpose::Inputs, rows.len() * hidden);
            for (row, scaled) in rows.clone().zip(scaled.chunks_mut(hidden)) {
                let factor = self.factors.part(row, row + 1)[0];
                let at = from + row;
                scaled_row(isa, of.inputs(at..at + 1), factor, scaled);
            }
            let to = packed.part(stretch * length, (stretch + 1) * length);
            pack_rows(isa, scaled.as_ptr(), hidden, hidden, rows.len(), to, false);
        });
        let packed = packed.part(0, stretches * length);
        let slopes = self.exponentials.part(0, stretches * self.stretch());
        let right =
            |stretch: usize| Packed::panels(&slopes[stretch * self.stretch()..], PANEL_ROWS, vocab);
        let depth = |stretch: usize| 0..DEPTH.min(n - stretch * DEPTH);
        let panels = vocab.div_ceil(columns);
        let out = Shared::new(dweight);
        let cost = TASK_PANELS * columns * hidden * n;
        context.run_sized(panels.div_ceil(TASK_PANELS), cost, &|task, worker| {
            let sums = context.scratch(worker, Purpose::Matrix, hidden * columns);
            for panel in task * TASK_PANELS..((task + 1) * TASK_PANELS).min(panels) {
                for stretch in 0..stretches {
                    let left = WideRows {
                        data: packed[stretch * length..].as_ptr(),
                        stride: 0,
                        layout: Layout::Groups,
                        rows: hidden,
                    };
                    wide_product(
                        context,
                        left,
                        right(stretch),
                        depth(stretch),
                        panel..panel + 1,
                        WideOutput {
                            data: sums.as_mut_ptr(),
                            stride: columns,
                            panel_stride: columns,
                        },
                        stretch > 0,
                    );
                }
                let width = columns.min(vocab - panel * columns);
                let at = panel * columns * hidden;
                let to = out.part(at, at + width * hidden).as_mut_ptr();
                store_turned(isa, sums.as_ptr(), columns, width, hidden, to, hidden, add);
            }
        });
    }
}

kernels! {
    /// exp(logits - shift) in place of `width` columns of a panel, zeros up to the panel's end, and added to MOST_LANES
    /// sums a row.
    fn exponentials(logits: *mut f32, width: usize, shifts: &[f32], sums: &mut [f32]) = exponentials_body;
}

#[inline(always)]
unsafe fn exponentials_body<S: Simd>(
    logits: *mut f32,
    width: usize,
    shifts: &[f32],
    sums: &mut [f32],
) {
    let columns = 2 * S::LANES;
    let sums = sums.as_mut_ptr();
    for (row, shift) in shifts.iter().enumerate() {
        let shift = S::splat(-*shift * LOG2_E);
        let line = logits.add(row * columns);
        let sums = sums.add(row * MOST_LANES);
        let low = exponential::<S>(S::load(line), shift);
        let high = exponential::<S>(S::load(line.add(S::LANES)), shift);
        let [low, high] = counted::<S>(low, high, width, sums);
        S::store(line, low);
        S::store(line.add(S::LANES), high);
    }
}

/// exp(logit), shifted by a power of 2; beyond what f32 holds the largest, which is seen in the sums.
#[inline(always)]
unsafe fn exponential<S: Simd>(logit: S::V, shift: S::V) -> S::V {
    let power = S::fma(logit, S::splat(LOG2_E), shift);
    simd::exp2_within::<S>(S::min(S::splat(126.0), power))
}
