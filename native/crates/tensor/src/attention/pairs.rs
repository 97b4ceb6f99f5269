//! Attention by products of bf16 pairs with f32 sums: probabilities and their slopes are rounded to bf16 on the way
//! into a product, the statistics of softmax stay f32.

mod backward;
mod by_keys;

pub use backward::backward;

use super::forward::Task;
use super::packed::{Straight, Turned};
use super::rows::{ExpRows, exp_rows, fetch_rows, narrow_exp_row, store_rows};
use super::seen::{Seen, Span};
use super::{Shape, score_stride};
use crate::context::{Context, Purpose};
use crate::element::{Bf16, Element};
use crate::gemm::{Tile, copy_bf16, pair_product, panel_columns};
use crate::isa::Isa;

/// Query rows whose scores exist at once, an even number: few, since the scores of a step are made up to the keys that
/// its last row sees, and since they are best read again before they leave the first cache.
const STEP: usize = 16;

/// What the tasks of a shape share.
pub struct Plan<'a> {
    pub s: Shape,
    seen: Seen<'a>,
    /// Whether a query sees all keys before it.
    plain: bool,
    columns: usize,
    turned: Turned,
    straight: Straight,
    stride: usize,
}

impl<'a> Plan<'a> {
    pub fn new(isa: Isa, s: Shape, segments: Option<&'a [i32]>) -> Self {
        let columns = panel_columns(isa);
        Self {
            s,
            seen: Seen::new(&s, segments),
            plain: s.causal && segments.is_none(),
            columns,
            turned: Turned::new(columns, s.key_length, s.head_dim),
            straight: Straight::new(columns, s.key_length, s.head_dim),
            stride: score_stride(s.key_length),
        }
    }
}

/// The outputs of a task's queries.
///
/// # Safety
/// As `Context::scratch`, and no other task writes the same outputs.
pub unsafe fn forward<Q: Element, K: Element>(
    context: &Context,
    worker: usize,
    plan: &Plan,
    task: &Task<Q, K>,
) {
    let isa = context.isa;
    let Plan {
        s,
        seen,
        columns,
        turned,
        straight,
        stride,
        ..
    } = plan;
    let (columns, stride) = (*columns, *stride);
    let Task { q, y, b, .. } = *task;
    let (d, length) = (s.head_dim, s.key_length);
    let depth = d.next_multiple_of(2);
    let packed = context.scratch(worker, Purpose::PackedA, turned.words + straight.words);
    let (keys, values) = packed.split_at_mut(turned.words);
    turned.pack(isa, task.keys, s.keys.width, keys);
    straight.pack(isa, task.values, s.values.width, values);
    let scores = context.scratch(worker, Purpose::Rows, STEP * stride);
    let factors = context.scratch(worker, Purpose::Sums, STEP);
    let queries = halves(context.scratch(worker, Purpose::Inputs, STEP * depth / 2));
    let mixed = context.scratch(worker, Purpose::Matrix, STEP * d);
    for head in task.heads.clone() {
        for from in (0..s.time).step_by(STEP) {
            let to = (from + STEP).min(s.time);
            let rows = to - from;
            let Span { low, high } = seen.block(b, from, to, columns / 2);
            let low = low / columns * columns;
            let query = q.as_ptr().add(s.query(b, from, head));
            let (next, _) = s.following(b, head, to);
            fetch_rows(isa, q.as_ptr().wrapping_add(next), s.queries.width, STEP, d);
            let (query, query_stride) = narrow_rows(isa, query, s.queries.width, rows, d, queries);
            // scores = q kᵀ
            let tile = Tile {
                depth,
                a: query,
                a_stride: query_stride,
                b: turned.from(keys, low),
                b_panel_stride: turned.panel,
                c: scores.as_mut_ptr(),
                c_stride: stride,
                c_panel_stride: columns,
                plus: std::ptr::null(),
                rows,
                columns: high - low,
            };
            pair_product(isa, tile);
            // Of an odd number of keys the last pair has a zero.
            let width = (high - low).next_multiple_of(2);
            let first = s.lse(b, from, head);
            let log_sums = task.log_sum_exp.part(first, first + rows);
            if plan.plain {
                let rows = ExpRows {
                    scores: scores.as_mut_ptr(),
                    stride,
                    rows,
                    seen: length - s.time + from + 1 - low,
                    width,
                    scale: s.scale(),
                    factors: factors.as_mut_ptr(),
                    log_sum_exp: log_sums.as_mut_ptr(),
                };
                exp_rows(isa, rows);
            } else {
                for row in from..to {
                    let line = &mut scores[(row - from) * stride..][..width];
                    let span = seen.row(b, row);
                    seen.hide(b, row, line, low);
                    let (first, last) = (span.low - low, span.high - low);
                    let (sum, lse) = narrow_exp_row(isa, line, first, last, s.scale());
                    factors[row - from] = 1.0 / sum;
                    log_sums[row - from] = lse;
                }
            }
            // y = p v
            let tile = Tile {
                depth: width,
                a: scores.as_ptr() as *const Bf16,
                a_stride: 2 * stride,
                b: straight.from(values, low),
                b_panel_stride: straight.panel,
                c: mixed.as_mut_ptr(),
                c_stride: d,
                c_panel_stride: columns,
                plus: std::ptr::null(),
                rows,
                columns: d,
            };
            pair_product(isa, tile);
            let out = y.pointer().add(s.output(b, from, head));
            store_rows(isa, mixed.as_ptr(), &factors[..rows], d, out, s.heads * d);
        }
    }
}

fn halves(words: &mut [f32]) -> *mut Bf16 {
    words.as_mut_ptr() as *mut Bf16
}

/// Rows of d as bf16 with zeros up to whole pairs, and how far apart they are: where they lie if they are stored so.
unsafe fn narrow_rows<E: Element>(
    isa: Isa,
    from: *const E,
    stride: usize,
    rows: usize,
    d: usize,
    copy: *mut Bf16,
) -> (*const Bf16, usize) {
    // Rows a large power of two apart would fall into the same few sets of the first cache.
    if E::NARROW && d.is_multiple_of(2) && !stride.is_multiple_of(1024) {
        return (from as *const Bf16, stride);
    }
    let depth = d.next_multiple_of(2);
    copy_bf16(isa, from, stride, rows, d, copy, depth, depth);
    (copy, depth)
}
