//! The gradients of attention by products of bf16 pairs.
//!
//! Two rows at a time become probabilities and slopes: they leave as the pairs that the products for keys and values
//! want, so nothing is packed again. Those products are made transposed, [head_dim, keys], for the same reason.

use super::by_keys::ByKeys;
use super::{STEP, halves, narrow_rows};
use crate::attention::packed::{Straight, Turned};
use crate::attention::rows::{SlopeRows, fetch_rows, slopes_of_rows, store_turned};
use crate::attention::seen::{Seen, Span};
use crate::attention::{Saved, Shape, clear_unseen, score_stride};
use crate::context::{Context, Purpose, Shared};
use crate::element::{Bf16, Element};
use crate::gemm::{Tile, pair_product, panel_columns, turn_bf16};
use std::ops::Range;

/// Query rows of a block, whole steps: the gradients of keys and values are read and written once for each.
const BLOCK: usize = 2 * STEP;

/// See `attention::backward`.
pub fn backward<E: Element>(
    context: &Context,
    saved: Saved<E>,
    to: [Shared<E>; 3],
    adds: [bool; 3],
    segments: Option<&[i32]>,
    s: Shape,
) {
    let (d, length) = (s.head_dim, s.key_length);
    let columns = panel_columns(context.isa);
    let panels = length.div_ceil(columns);
    let pass = Backward {
        context,
        saved,
        to,
        adds,
        seen: Seen::new(&s, segments),
        stairs: s.causal && segments.is_none(),
        turned: Turned::new(columns, length, d),
        straight: Straight::new(columns, length, d),
        stride: score_stride(length),
        by_keys: ByKeys {
            isa: context.isa,
            d,
            columns,
            turned_stride: BLOCK + 32,
            pair_panel: BLOCK / 2 * columns,
            pair_words: panels * BLOCK / 2 * columns,
            sum_stride: panels * columns + 16,
        },
        s,
    };
    context.run_sized(s.batch * s.kv_heads, s.cost(), &|task, worker| unsafe {
        pass.task(task / s.kv_heads, task % s.kv_heads, worker);
    });
}

/// What all tasks of a call share.
struct Backward<'a, E> {
    context: &'a Context,
    saved: Saved<'a, E>,
    /// The gradients by queries, keys and values.
    to: [Shared<'a, E>; 3],
    adds: [bool; 3],
    seen: Seen<'a>,
    /// Whether every query sees all keys up to its own.
    stairs: bool,
    turned: Turned,
    straight: Straight,
    /// Of scores and slopes.
    stride: usize,
    by_keys: ByKeys,
    s: Shape,
}

/// Keys and values of a task, packed.
struct Packed<'a> {
    keys: &'a [f32],
    keys_turned: &'a [f32],
    values_turned: &'a [f32],
}

/// The memory of a task.
struct Work<'a> {
    /// Of the rows of a step.
    scores: &'a mut [f32],
    slopes: &'a mut [f32],
    query_copies: *mut Bf16,
    slope_copies: *mut Bf16,
    /// Of the rows of a block: probabilities and slopes as pairs, queries and gradients of the output turned.
    paired_scores: &'a mut [f32],
    paired_slopes: &'a mut [f32],
    turned_queries: *mut Bf16,
    turned_slopes: *mut Bf16,
    /// Sums over all queries, [head_dim, keys].
    dkeys: &'a mut [f32],
    dvalues: &'a mut [f32],
}

/// Queries of a head, and the panels of keys that any of them sees.
struct Block {
    b: usize,
    head: usize,
    rows: Range<usize>,
    keys: Span,
}

/// Queries of a block, and the keys that are multiplied for them.
struct Step {
    rows: Range<usize>,
    low: usize,
    high: usize,
    /// Keys from `low` on whose scores are looked at: whole vectors.
    width: usize,
}

impl Step {
    /// Keys that are multiplied.
    fn keys(&self) -> usize {
        self.high - self.low
    }
}

impl<E: Element> Backward<'_, E> {
    /// A key-value head and the query heads that share it.
    unsafe fn task(&self, b: usize, kv_head: usize, worker: usize) {
        let s = &self.s;
        let packed = self.pack(b, kv_head, worker);
        let mut work = self.work(worker);
        for head in s.sharing(kv_head) {
            for top in (0..s.time).step_by(BLOCK) {
                let block = self.block(b, head, top..(top + BLOCK).min(s.time));
                self.turn(&block, &work);
                for step in self.steps(&block) {
                    self.products(&block, &step, &packed, &mut work);
                    self.hide(&block, &step, &mut work);
                    self.slopes(&block, &step, &mut work);
                    self.query_gradient(&block, &step, &packed, &work);
                }
                self.key_gradients(&block, &mut work);
            }
        }
        self.store(b, kv_head, &work);
    }

    unsafe fn pack(&self, b: usize, kv_head: usize, worker: usize) -> Packed<'_> {
        let (isa, s, turned, straight) = (self.context.isa, &self.s, self.turned, self.straight);
        let words = 2 * turned.words + straight.words;
        let packed = self.context.scratch(worker, Purpose::PackedA, words);
        let (keys_turned, rest) = packed.split_at_mut(turned.words);
        let (values_turned, keys) = rest.split_at_mut(turned.words);
        let key_rows = &self.saved.k[s.key(b, kv_head)..];
        let value_rows = &self.saved.v[s.value(b, kv_head)..];
        turned.pack(isa, key_rows, s.keys.width, keys_turned);
        straight.pack(isa, key_rows, s.keys.width, keys);
        turned.pack(isa, value_rows, s.values.width, values_turned);
        Packed {
            keys,
            keys_turned,
            values_turned,
        }
    }

    unsafe fn work(&self, worker: usize) -> Work<'_> {
        let (context, d, by_keys) = (self.context, self.s.head_dim, &self.by_keys);
        let words = STEP * self.stride;
        let rows = context.scratch(worker, Purpose::Rows, 2 * words);
        let (scores, slopes) = rows.split_at_mut(words);
        let words = by_keys.pair_words;
        let paired = context.scratch(worker, Purpose::HeadForward, 2 * words);
        let (paired_scores, paired_slopes) = paired.split_at_mut(words);
        let copy_words = STEP * d.next_multiple_of(2) / 2;
        let turned_words = d * by_keys.turned_stride / 2;
        let words = 2 * (copy_words + turned_words);
        let copies = context.scratch(worker, Purpose::Inputs, words);
        let (query_copies, rest) = copies.split_at_mut(copy_words);
        let (slope_copies, rest) = rest.split_at_mut(copy_words);
        let (turned_queries, turned_slopes) = rest.split_at_mut(turned_words);
        let words = d * by_keys.sum_stride;
        let sums = context.scratch(worker, Purpose::Matrix, 2 * words);
        sums.fill(0.0);
        let (dkeys, dvalues) = sums.split_at_mut(words);
        Work {
            scores,
            slopes,
            query_copies: halves(query_copies),
            slope_copies: halves(slope_copies),
            paired_scores,
            paired_slopes,
            turned_queries: halves(turned_queries),
            turned_slopes: halves(turned_slopes),
            dkeys,
            dvalues,
        }
    }

    fn block(&self, b: usize, head: usize, rows: Range<usize>) -> Block {
        let columns = self.by_keys.columns;
        let keys = self.seen.block(b, rows.start, rows.end, columns);
        Block {
            b,
            head,
            rows,
            keys,
        }
    }

    fn steps<'b>(&'b self, block: &'b Block) -> impl Iterator<Item = Step> + 'b {
        let half = self.by_keys.columns / 2;
        block.rows.clone().step_by(STEP).map(move |from| {
            let rows = from..(from + STEP).min(block.rows.end);
            let Span { low, high: all } = block.keys;
            let high = if self.s.causal {
                self.seen.block(block.b, from, rows.end, half).high
            } else {
                all
            };
            Step {
                rows,
                low,
                high,
                width: (high - low).next_multiple_of(half),
            }
        })
    }

    /// Queries and gradients of the output as the left sides of `ByKeys`.
    unsafe fn turn(&self, block: &Block, work: &Work) {
        let (isa, s, saved) = (self.context.isa, &self.s, &self.saved);
        let (d, stride) = (s.head_dim, self.by_keys.turned_stride);
        let (n, top) = (block.rows.len(), block.rows.start);
        let query = saved.q.as_ptr().add(s.query(block.b, top, block.head));
        let slope = saved.dy.as_ptr().add(s.output(block.b, top, block.head));
        for (from, width, to) in [
            (query, s.queries.width, work.turned_queries),
            (slope, s.heads * d, work.turned_slopes),
        ] {
            turn_bf16(isa, from, width, d, n, to, stride, n.next_multiple_of(2));
        }
    }

    /// scores = q kᵀ, slopes = dy vᵀ
    unsafe fn products(&self, block: &Block, step: &Step, packed: &Packed, work: &mut Work) {
        let (isa, s, saved) = (self.context.isa, &self.s, &self.saved);
        let (b, head, from, n) = (block.b, block.head, step.rows.start, step.rows.len());
        let (d, query_width, slope_width) = (s.head_dim, s.queries.width, s.heads * s.head_dim);
        let query = saved.q.as_ptr().add(s.query(b, from, head));
        let slope = saved.dy.as_ptr().add(s.output(b, from, head));
        let query = narrow_rows(isa, query, query_width, n, d, work.query_copies);
        let slope = narrow_rows(isa, slope, slope_width, n, d, work.slope_copies);
        // What is read next arrives while this is multiplied.
        let (next, next_output) = s.following(b, head, step.rows.end);
        let next = saved.q.as_ptr().wrapping_add(next);
        fetch_rows(isa, next, query_width, STEP, d);
        for x in [saved.dy, saved.y] {
            let next = x.as_ptr().wrapping_add(next_output);
            fetch_rows(isa, next, slope_width, STEP, d);
        }
        for ((a, a_stride), right, c) in [
            (query, packed.keys_turned, &mut *work.scores),
            (slope, packed.values_turned, &mut *work.slopes),
        ] {
            let tile = Tile {
                depth: d.next_multiple_of(2),
                a,
                a_stride,
                b: self.turned.from(right, step.low),
                b_panel_stride: self.turned.panel,
                c: c.as_mut_ptr(),
                c_stride: self.stride,
                c_panel_stride: self.by_keys.columns,
                plus: std::ptr::null(),
                rows: n,
                columns: step.keys(),
            };
            pair_product(isa, tile);
        }
    }

    /// Makes scores of what a row does not see -infinity, where `slopes_of_rows` does not know it.
    unsafe fn hide(&self, block: &Block, step: &Step, work: &mut Work) {
        let (stride, width, n) = (self.stride, step.width, step.rows.len());
        // Keys beyond the last, and the row that an odd block lacks.
        for row in 0..n.next_multiple_of(2) {
            let first = if row < n { step.keys() } else { 0 };
            work.scores[row * stride..][first..width].fill(f32::NEG_INFINITY);
            work.slopes[row * stride..][first..width].fill(0.0);
        }
        if self.stairs {
            return;
        }
        for (i, row) in step.rows.clone().enumerate() {
            let line = &mut work.scores[i * stride..][..width];
            self.seen.hide(block.b, row, line, step.low);
            let span = self.seen.row(block.b, row);
            for hidden in [0..span.low - step.low, span.high - step.low..width] {
                line[hidden].fill(f32::NEG_INFINITY);
            }
        }
    }

    /// Scores and slopes of probabilities become probabilities and slopes of scores.
    unsafe fn slopes(&self, block: &Block, step: &Step, work: &mut Work) {
        let (s, saved, from) = (&self.s, &self.saved, step.rows.start);
        let own = s.output(block.b, from, block.head);
        let lse = s.lse(block.b, from, block.head);
        let pair = (from - block.rows.start) / 2 * self.by_keys.columns;
        let rows = SlopeRows {
            scores: work.scores.as_ptr(),
            slopes: work.slopes.as_mut_ptr(),
            stride: self.stride,
            rows: step.rows.len(),
            seen: if self.stairs {
                s.key_length - s.time + from + 1 - step.low
            } else {
                step.width
            },
            width: step.width,
            scale: s.scale(),
            log_sum_exp: saved.log_sum_exp.as_ptr().add(lse),
            y: saved.y.as_ptr().add(own),
            dy: saved.dy.as_ptr().add(own),
            output_width: s.heads * s.head_dim,
            d: s.head_dim,
            paired_scores: work.paired_scores.as_mut_ptr().add(pair),
            paired_slopes: work.paired_slopes.as_mut_ptr().add(pair),
            panel: self.by_keys.pair_panel,
        };
        slopes_of_rows(self.context.isa, rows);
    }

    /// dq = slopes k
    unsafe fn query_gradient(&self, block: &Block, step: &Step, packed: &Packed, work: &Work) {
        let s = &self.s;
        let at = s.query(block.b, step.rows.start, block.head);
        let c = self.to[0].pointer().add(at);
        let tile = Tile {
            // Of an odd number of keys the last pair has a zero.
            depth: step.keys().next_multiple_of(2),
            a: work.slopes.as_ptr() as *const Bf16,
            a_stride: 2 * self.stride,
            b: self.straight.from(packed.keys, step.low),
            b_panel_stride: self.straight.panel,
            c,
            c_stride: s.queries.width,
            c_panel_stride: self.by_keys.columns,
            plus: if self.adds[0] { c } else { std::ptr::null() },
            rows: step.rows.len(),
            columns: s.head_dim,
        };
        pair_product(self.context.isa, tile);
    }

    /// dkᵀ += qᵀ slopes, dvᵀ += dyᵀ p: keys that a step is the first to see, from its rows on.
    unsafe fn key_gradients(&self, block: &Block, work: &mut Work) {
        let end = block.rows.len().next_multiple_of(2);
        let mut first = 0;
        for step in self.steps(block) {
            let keys = first..step.width.max(first);
            let after = step.rows.start - block.rows.start..end;
            first = keys.end;
            for (a, pairs, c) in [
                (work.turned_queries, &*work.paired_slopes, &mut *work.dkeys),
                (work.turned_slopes, &*work.paired_scores, &mut *work.dvalues),
            ] {
                let c = c.as_mut_ptr().add(step.low);
                self.by_keys.add(a, pairs, c, after.clone(), keys.clone());
            }
        }
    }

    /// The sums over all queries, turned back.
    unsafe fn store(&self, b: usize, kv_head: usize, work: &Work) {
        let (isa, s, stride) = (self.context.isa, &self.s, self.by_keys.sum_stride);
        let ([_, dk, dv], [_, add_k, add_v]) = (self.to, self.adds);
        for (sums, out, at, width, add) in [
            (&*work.dkeys, dk, s.key(b, kv_head), s.keys.width, add_k),
            (
                &*work.dvalues,
                dv,
                s.value(b, kv_head),
                s.values.width,
                add_v,
            ),
        ] {
            let (from, to) = (sums.as_ptr(), out.pointer().add(at));
            store_turned(isa, from, stride, s.key_length, s.head_dim, to, width, add);
            clear_unseen(s, out, at, width, add);
        }
    }
}
