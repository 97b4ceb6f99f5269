//! Attention by products of bf16 pairs with f32 sums: probabilities and their slopes are rounded to bf16 on the way
//! into a product, the statistics of softmax stay f32.
//!
//! In the backward pass two rows at a time become probabilities and slopes: they leave as the pairs that the products
//! for keys and values want, so nothing is packed again. Those products are made transposed, [head_dim, keys], for the
//! same reason.

use super::rows::{
    ExpRows, PairedRows, dot, exp_rows, narrow_exp_row, paired_slopes, store_row, store_turned,
};
use super::seen::{Seen, Span};
use super::{Saved, Shape, score_stride};
use crate::context::{Context, Purpose, Shared};
use crate::element::{Bf16, Element};
use crate::gemm::{Source, Tile, copy_bf16, pack_pairs, pair_product, panel_columns, turn_bf16};
use crate::isa::Isa;

/// Query rows of a block, an even number: their scores over all keys stay in the second cache. No more than a panel of
/// keys is wide, since a block is multiplied by whole panels up to its last row's and half of the last is for nothing.
fn block_rows(s: &Shape) -> usize {
    let rows = (65_536 / s.key_length.max(1)).clamp(16, 32) / 2 * 2;
    rows.min(s.time.next_multiple_of(2))
}

pub fn forward<Q: Element, K: Element>(
    context: &Context,
    q: &[Q],
    k: &[K],
    v: &[K],
    y: &mut [Q],
    log_sum_exp: &mut [f32],
    segments: Option<&[i32]>,
    s: Shape,
) {
    let isa = context.isa;
    let (d, length) = (s.head_dim, s.key_length);
    let seen = Seen::new(&s, segments);
    let (y, log_sum_exp) = (Shared::new(y), Shared::new(log_sum_exp));
    let columns = panel_columns(isa);
    let depth = d.next_multiple_of(2);
    let turned = Turned::new(columns, length, d);
    let straight = Straight::new(columns, length, d);
    let stride = score_stride(length);
    let block = block_rows(&s);
    context.run_sized(s.batch * s.kv_heads, s.cost() / 2, &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let packed = context.scratch(worker, Purpose::PackedA, turned.words + straight.words);
        let (keys, values) = packed.split_at_mut(turned.words);
        turned.pack(isa, &k[s.key(b, kv_head)..], s.keys.width, keys);
        straight.pack(isa, &v[s.value(b, kv_head)..], s.values.width, values);
        let scores = context.scratch(worker, Purpose::Rows, block * stride);
        let sums = context.scratch(worker, Purpose::Sums, block);
        let queries = halves(context.scratch(worker, Purpose::Inputs, block * depth / 2));
        let mixed = context.scratch(worker, Purpose::Matrix, block * d);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let rows = to - from;
                let Span { low, high } = seen.block(b, from, to, columns);
                let query = q.as_ptr().add(s.query(b, from, head));
                copy_bf16(isa, query, s.queries.width, rows, d, queries, depth, depth);
                // scores = q kᵀ
                let tile = Tile {
                    depth,
                    a: queries as *const Bf16,
                    a_stride: depth,
                    b: turned.from(keys, low),
                    b_panel_stride: turned.panel,
                    c: scores.as_mut_ptr(),
                    c_stride: stride,
                    plus: std::ptr::null(),
                    rows,
                    columns: high - low,
                };
                pair_product(isa, tile);
                // Of an odd number of keys the last pair has a zero.
                let width = (high - low).next_multiple_of(2);
                let first = s.lse(b, from, head);
                let log_sums = log_sum_exp.part(first, first + rows);
                if s.causal && segments.is_none() {
                    let rows = ExpRows {
                        scores: scores.as_mut_ptr(),
                        stride,
                        rows,
                        seen: length - s.time + from + 1 - low,
                        width,
                        scale: s.scale(),
                        factors: sums.as_mut_ptr(),
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
                        sums[row - from] = 1.0 / sum;
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
                    plus: std::ptr::null(),
                    rows,
                    columns: d,
                };
                pair_product(isa, tile);
                for row in from..to {
                    let out = s.output(b, row, head);
                    let line = &mixed[(row - from) * d..][..d];
                    store_row(isa, line, sums[row - from], y.part(out, out + d), false);
                }
            }
        }
    });
}

pub fn backward<E: Element>(
    context: &Context,
    saved: Saved<E>,
    [dq, dk, dv]: [Shared<E>; 3],
    adds: [bool; 3],
    segments: Option<&[i32]>,
    s: Shape,
) {
    let Saved {
        q,
        k,
        v,
        y,
        dy,
        log_sum_exp,
    } = saved;
    let isa = context.isa;
    let (d, length) = (s.head_dim, s.key_length);
    let seen = Seen::new(&s, segments);
    let columns = panel_columns(isa);
    let depth = d.next_multiple_of(2);
    let turned = Turned::new(columns, length, d);
    let straight = Straight::new(columns, length, d);
    let stride = score_stride(length);
    let block = block_rows(&s);
    let panels = length.div_ceil(columns);
    // Sums over queries, [head_dim, keys] for keys and for values.
    let sum_stride = panels * columns + 16;
    context.run_sized(s.batch * s.kv_heads, s.cost(), &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let packed = context.scratch(worker, Purpose::PackedA, 2 * turned.words + straight.words);
        let (keys_turned, rest) = packed.split_at_mut(turned.words);
        let (values_turned, keys) = rest.split_at_mut(turned.words);
        let key_rows = &k[s.key(b, kv_head)..];
        turned.pack(isa, key_rows, s.keys.width, keys_turned);
        straight.pack(isa, key_rows, s.keys.width, keys);
        turned.pack(
            isa,
            &v[s.value(b, kv_head)..],
            s.values.width,
            values_turned,
        );
        let rows = context.scratch(worker, Purpose::Rows, 2 * block * stride);
        let (scores, slopes) = rows.split_at_mut(block * stride);
        // Pairs of rows of a block, by panels of keys.
        let pair_panel = block / 2 * columns;
        let paired = context.scratch(worker, Purpose::HeadForward, 2 * panels * pair_panel);
        let (paired_scores, paired_slopes_to) = paired.split_at_mut(panels * pair_panel);
        let half = block * depth / 2;
        let copies = context.scratch(worker, Purpose::Inputs, 2 * half + d * (block + 32));
        let (query_rows, rest) = copies.split_at_mut(half);
        let (slope_rows, rest) = rest.split_at_mut(half);
        let (turned_queries, turned_slopes) = rest.split_at_mut(d * (block + 32) / 2);
        let [query_rows, slope_rows, turned_queries, turned_slopes] =
            [query_rows, slope_rows, turned_queries, turned_slopes].map(halves);
        let turned_stride = block + 32;
        let sums = context.scratch(worker, Purpose::Matrix, 2 * d * sum_stride);
        sums.fill(0.0);
        let (dkeys, dvalues) = sums.split_at_mut(d * sum_stride);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let n = to - from;
                let even = n.next_multiple_of(2);
                let Span { low, high } = seen.block(b, from, to, columns);
                let width = (high - low).next_multiple_of(columns);
                let query = q.as_ptr().add(s.query(b, from, head));
                let slope = dy.as_ptr().add(s.output(b, from, head));
                let (query_width, slope_width) = (s.queries.width, s.heads * d);
                copy_bf16(isa, query, query_width, n, d, query_rows, depth, depth);
                copy_bf16(isa, slope, slope_width, n, d, slope_rows, depth, depth);
                turn_bf16(
                    isa,
                    query,
                    query_width,
                    d,
                    n,
                    turned_queries,
                    turned_stride,
                    even,
                );
                turn_bf16(
                    isa,
                    slope,
                    slope_width,
                    d,
                    n,
                    turned_slopes,
                    turned_stride,
                    even,
                );
                // scores = q kᵀ, slopes = dy vᵀ
                for (a, keys, c) in [
                    (query_rows, &*keys_turned, &mut *scores),
                    (slope_rows, &*values_turned, &mut *slopes),
                ] {
                    let tile = Tile {
                        depth,
                        a: a as *const Bf16,
                        a_stride: depth,
                        b: turned.from(keys, low),
                        b_panel_stride: turned.panel,
                        c: c.as_mut_ptr(),
                        c_stride: stride,
                        plus: std::ptr::null(),
                        rows: n,
                        columns: high - low,
                    };
                    pair_product(isa, tile);
                }
                for pair in 0..even / 2 {
                    let mut lse = [0.0; 2];
                    let mut dots = [0.0; 2];
                    for i in 0..2 {
                        let row = from + 2 * pair + i;
                        let line = (2 * pair + i) * stride;
                        let score = &mut scores[line..line + width];
                        let slope = &mut slopes[line..line + width];
                        let span = if row < to {
                            let own = s.output(b, row, head);
                            dots[i] = dot(isa, &dy[own..own + d], &y[own..own + d]);
                            lse[i] = log_sum_exp[s.lse(b, row, head)];
                            seen.hide(b, row, score, low);
                            seen.row(b, row)
                        } else {
                            // The row that an odd block lacks.
                            Span { low, high: low }
                        };
                        for hidden in [0..span.low - low, span.high - low..width] {
                            score[hidden.clone()].fill(f32::NEG_INFINITY);
                            slope[hidden].fill(0.0);
                        }
                    }
                    let line = 2 * pair * stride;
                    let rows = PairedRows {
                        scores: scores.as_ptr().add(line),
                        slopes: slopes.as_mut_ptr().add(line),
                        stride,
                        width,
                        scale: s.scale(),
                        lse,
                        dots,
                        paired_scores: paired_scores.as_mut_ptr().add(pair * columns),
                        paired_slopes: paired_slopes_to.as_mut_ptr().add(pair * columns),
                        panel: pair_panel,
                    };
                    paired_slopes(isa, rows);
                }
                // dq = slopes k
                let c = dq.pointer().add(s.query(b, from, head));
                let tile = Tile {
                    depth: (high - low).next_multiple_of(2),
                    a: slopes.as_ptr() as *const Bf16,
                    a_stride: 2 * stride,
                    b: straight.from(keys, low),
                    b_panel_stride: straight.panel,
                    c,
                    c_stride: s.queries.width,
                    plus: if adds[0] { c } else { std::ptr::null() },
                    rows: n,
                    columns: d,
                };
                pair_product(isa, tile);
                // dkᵀ += qᵀ slopes, dvᵀ += dyᵀ p
                for (a, pairs, c) in [
                    (turned_queries, &*paired_slopes_to, &mut *dkeys),
                    (turned_slopes, &*paired_scores, &mut *dvalues),
                ] {
                    let c = c.as_mut_ptr().add(low);
                    let tile = Tile {
                        depth: even,
                        a: a as *const Bf16,
                        a_stride: turned_stride,
                        b: pairs.as_ptr(),
                        b_panel_stride: pair_panel,
                        c,
                        c_stride: sum_stride,
                        plus: c,
                        rows: d,
                        columns: width,
                    };
                    pair_product(isa, tile);
                }
            }
        }
        let outputs = [
            (&*dkeys, dk, s.key(b, kv_head), s.keys.width, adds[1]),
            (&*dvalues, dv, s.value(b, kv_head), s.values.width, adds[2]),
        ];
        for (sums, out, at, width, add) in outputs {
            let to = out.pointer().add(at);
            store_turned(isa, sums.as_ptr(), sum_stride, length, d, to, width, add);
            // Keys that no query sees have no gradient.
            for key in length..s.capacity {
                if !add {
                    out.part(at + key * width, at + key * width + d)
                        .fill(E::of(0.0));
                }
            }
        }
    });
}

fn halves(words: &mut [f32]) -> *mut Bf16 {
    words.as_mut_ptr() as *mut Bf16
}

/// Panels of the transpose of rows of width d: `[panel of rows][d / 2][row of the panel][2]`.
#[derive(Clone, Copy)]
struct Turned {
    columns: usize,
    rows: usize,
    d: usize,
    /// f32 of memory of a panel, and of all.
    panel: usize,
    words: usize,
}

impl Turned {
    fn new(columns: usize, rows: usize, d: usize) -> Self {
        let panel = d.div_ceil(2) * columns;
        Self {
            columns,
            rows,
            d,
            panel,
            words: rows.div_ceil(columns) * panel,
        }
    }

    unsafe fn pack<E: Element>(&self, isa: Isa, from: &[E], stride: usize, to: &mut [f32]) {
        for (i, panel) in to.chunks_mut(self.panel).enumerate() {
            let first = i * self.columns;
            let source = Source {
                row_stride: 1,
                column_stride: stride,
                rows: self.d,
                columns: self.columns.min(self.rows - first),
                round: true,
            };
            pack_pairs(isa, from.as_ptr().add(first * stride), source, panel);
        }
    }

    /// The panels from this row on, which begins one.
    fn from(&self, packed: &[f32], row: usize) -> *const f32 {
        packed[row / self.columns * self.panel..].as_ptr()
    }
}

/// Panels of rows of width d: `[panel of d][row / 2][column of the panel][2]`.
#[derive(Clone, Copy)]
struct Straight {
    columns: usize,
    rows: usize,
    d: usize,
    panel: usize,
    words: usize,
}

impl Straight {
    fn new(columns: usize, rows: usize, d: usize) -> Self {
        let panel = rows.div_ceil(2) * columns;
        Self {
            columns,
            rows,
            d,
            panel,
            words: d.div_ceil(columns) * panel,
        }
    }

    unsafe fn pack<E: Element>(&self, isa: Isa, from: &[E], stride: usize, to: &mut [f32]) {
        for (i, panel) in to.chunks_mut(self.panel).enumerate() {
            let first = i * self.columns;
            let source = Source {
                row_stride: stride,
                column_stride: 1,
                rows: self.rows,
                columns: self.columns.min(self.d - first),
                round: true,
            };
            pack_pairs(isa, from.as_ptr().add(first), source, panel);
        }
    }

    /// Every panel from this row on, which is even.
    fn from(&self, packed: &[f32], row: usize) -> *const f32 {
        packed[row / 2 * self.columns..].as_ptr()
    }
}
