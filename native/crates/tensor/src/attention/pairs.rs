//! Attention by products of bf16 pairs with f32 sums: probabilities and their slopes are rounded to bf16 on the way
//! into a product, the statistics of softmax stay f32.
//!
//! In the backward pass two rows at a time become probabilities and slopes: they leave as the pairs that the products
//! for keys and values want, so nothing is packed again. Those products are made transposed, [head_dim, keys], for the
//! same reason.

use super::packed::{Straight, Turned};
use super::rows::{
    ExpRows, SlopeRows, exp_rows, fetch_rows, narrow_exp_row, slopes_of_rows, store_rows,
    store_turned,
};
use super::seen::{Seen, Span};
use super::{Saved, Shape, score_stride};
use crate::context::{Context, Purpose, Shared};
use crate::element::{Bf16, Element};
use crate::gemm::{Tile, copy_bf16, pair_product, panel_columns, turn_bf16};
use crate::isa::Isa;
use std::ops::Range;

/// Query rows whose scores exist at once, an even number: few, since the scores of a step are made up to the keys that
/// its last row sees, and since they are best read again before they leave the first cache.
const STEP: usize = 16;

/// Query rows of a block, whole steps: the gradients of keys and values are read and written once for each.
const BLOCK: usize = 2 * STEP;

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
    context.run_sized(s.batch * s.kv_heads, s.cost() / 2, &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let packed = context.scratch(worker, Purpose::PackedA, turned.words + straight.words);
        let (keys, values) = packed.split_at_mut(turned.words);
        turned.pack(isa, &k[s.key(b, kv_head)..], s.keys.width, keys);
        straight.pack(isa, &v[s.value(b, kv_head)..], s.values.width, values);
        let scores = context.scratch(worker, Purpose::Rows, STEP * stride);
        let factors = context.scratch(worker, Purpose::Sums, STEP);
        let queries = halves(context.scratch(worker, Purpose::Inputs, STEP * depth / 2));
        let mixed = context.scratch(worker, Purpose::Matrix, STEP * d);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for from in (0..s.time).step_by(STEP) {
                let to = (from + STEP).min(s.time);
                let rows = to - from;
                let Span { low, high } = seen.block(b, from, to, columns / 2);
                let low = low / columns * columns;
                let query = q.as_ptr().add(s.query(b, from, head));
                let (next, _) = s.following(b, head, to);
                fetch_rows(isa, q.as_ptr().wrapping_add(next), s.queries.width, STEP, d);
                let (query, query_stride) =
                    narrow_rows(isa, query, s.queries.width, rows, d, queries);
                // scores = q kᵀ
                let tile = Tile {
                    depth,
                    a: query,
                    a_stride: query_stride,
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
                    plus: std::ptr::null(),
                    rows,
                    columns: d,
                };
                pair_product(isa, tile);
                let out = s.output(b, from, head);
                let y = y.part(out, s.output(b, to - 1, head) + d).as_mut_ptr();
                store_rows(isa, mixed.as_ptr(), &factors[..rows], d, y, s.heads * d);
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
    let panels = length.div_ceil(columns);
    // Pairs of rows of a block, by panels of keys.
    let pair_panel = BLOCK / 2 * columns;
    // Sums over queries, [head_dim, keys] for keys and for values.
    let sum_stride = panels * columns + 16;
    let by_keys = ByKeys {
        isa,
        d,
        columns,
        turned_stride: BLOCK + 32,
        pair_panel,
        sum_stride,
    };
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
        let rows = context.scratch(worker, Purpose::Rows, 2 * STEP * stride);
        let (scores, slopes) = rows.split_at_mut(STEP * stride);
        let paired = context.scratch(worker, Purpose::HeadForward, 2 * panels * pair_panel);
        let (paired_scores, paired_slopes) = paired.split_at_mut(panels * pair_panel);
        let half = STEP * depth / 2;
        let turned_words = d * by_keys.turned_stride / 2;
        let copies = context.scratch(worker, Purpose::Inputs, 2 * (half + turned_words));
        let (query_rows, rest) = copies.split_at_mut(half);
        let (slope_rows, rest) = rest.split_at_mut(half);
        let (turned_queries, turned_slopes) = rest.split_at_mut(turned_words);
        let [query_rows, slope_rows, turned_queries, turned_slopes] =
            [query_rows, slope_rows, turned_queries, turned_slopes].map(halves);
        let sums = context.scratch(worker, Purpose::Matrix, 2 * d * sum_stride);
        sums.fill(0.0);
        let (dkeys, dvalues) = sums.split_at_mut(d * sum_stride);
        let (query_width, slope_width) = (s.queries.width, s.heads * d);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for top in (0..s.time).step_by(BLOCK) {
                let bottom = (top + BLOCK).min(s.time);
                let n = bottom - top;
                let even = n.next_multiple_of(2);
                let Span { low, high: end } = seen.block(b, top, bottom, columns);
                let steps = (top..bottom)
                    .step_by(STEP)
                    .map(|from| from..(from + STEP).min(bottom));
                let end_of = |rows: &Range<usize>| {
                    if s.causal {
                        seen.block(b, rows.start, rows.end, columns / 2).high
                    } else {
                        end
                    }
                };
                let width_of =
                    |rows: &Range<usize>| (end_of(rows) - low).next_multiple_of(columns / 2);
                let query = q.as_ptr().add(s.query(b, top, head));
                let slope = dy.as_ptr().add(s.output(b, top, head));
                for (from, width, to) in [
                    (query, query_width, turned_queries),
                    (slope, slope_width, turned_slopes),
                ] {
                    turn_bf16(isa, from, width, d, n, to, by_keys.turned_stride, even);
                }
                for rows in steps.clone() {
                    let (from, to) = (rows.start, rows.end);
                    let (high, width) = (end_of(&rows), width_of(&rows));
                    let query = q.as_ptr().add(s.query(b, from, head));
                    let slope = dy.as_ptr().add(s.output(b, from, head));
                    let (query, query_stride) =
                        narrow_rows(isa, query, query_width, rows.len(), d, query_rows);
                    let (slope, slope_stride) =
                        narrow_rows(isa, slope, slope_width, rows.len(), d, slope_rows);
                    let (next, next_output) = s.following(b, head, to);
                    fetch_rows(isa, q.as_ptr().wrapping_add(next), query_width, STEP, d);
                    for x in [dy, y] {
                        let next = x.as_ptr().wrapping_add(next_output);
                        fetch_rows(isa, next, slope_width, STEP, d);
                    }
                    // scores = q kᵀ, slopes = dy vᵀ
                    for (a, a_stride, keys, c) in [
                        (query, query_stride, &*keys_turned, &mut *scores),
                        (slope, slope_stride, &*values_turned, &mut *slopes),
                    ] {
                        let tile = Tile {
                            depth,
                            a,
                            a_stride,
                            b: turned.from(keys, low),
                            b_panel_stride: turned.panel,
                            c: c.as_mut_ptr(),
                            c_stride: stride,
                            plus: std::ptr::null(),
                            rows: rows.len(),
                            columns: high - low,
                        };
                        pair_product(isa, tile);
                    }
                    // Keys beyond the last, and the row that an odd block lacks.
                    for row in 0..rows.len().next_multiple_of(2) {
                        let first = if row < rows.len() { high - low } else { 0 };
                        scores[row * stride..][first..width].fill(f32::NEG_INFINITY);
                        slopes[row * stride..][first..width].fill(0.0);
                    }
                    let mut seen_by_first = length - s.time + from + 1 - low;
                    if !s.causal || segments.is_some() {
                        for row in rows.clone() {
                            let line = (row - from) * stride;
                            let score = &mut scores[line..line + width];
                            seen.hide(b, row, score, low);
                            let span = seen.row(b, row);
                            for hidden in [0..span.low - low, span.high - low..width] {
                                score[hidden].fill(f32::NEG_INFINITY);
                            }
                        }
                        seen_by_first = width;
                    }
                    let own = s.output(b, from, head);
                    let pair = (from - top) / 2 * columns;
                    let step = SlopeRows {
                        scores: scores.as_ptr(),
                        slopes: slopes.as_mut_ptr(),
                        stride,
                        rows: rows.len(),
                        seen: seen_by_first,
                        width,
                        scale: s.scale(),
                        log_sum_exp: log_sum_exp.as_ptr().add(s.lse(b, from, head)),
                        y: y.as_ptr().add(own),
                        dy: dy.as_ptr().add(own),
                        output_width: s.heads * d,
                        d,
                        paired_scores: paired_scores.as_mut_ptr().add(pair),
                        paired_slopes: paired_slopes.as_mut_ptr().add(pair),
                        panel: pair_panel,
                    };
                    slopes_of_rows(isa, step);
                    // dq = slopes k
                    let c = dq.pointer().add(s.query(b, from, head));
                    let tile = Tile {
                        depth: (high - low).next_multiple_of(2),
                        a: slopes.as_ptr() as *const Bf16,
                        a_stride: 2 * stride,
                        b: straight.from(keys, low),
                        b_panel_stride: straight.panel,
                        c,
                        c_stride: query_width,
                        plus: if adds[0] { c } else { std::ptr::null() },
                        rows: rows.len(),
                        columns: d,
                    };
                    pair_product(isa, tile);
                }
                // dkᵀ += qᵀ slopes, dvᵀ += dyᵀ p: keys that a step is the first to see, from its rows on.
                let mut first = 0;
                for rows in steps {
                    let keys = first..width_of(&rows).max(first);
                    let after = rows.start - top..even;
                    first = keys.end;
                    for (a, pairs, c) in [
                        (turned_queries, &*paired_slopes, &mut *dkeys),
                        (turned_slopes, &*paired_scores, &mut *dvalues),
                    ] {
                        let c = c.as_mut_ptr().add(low);
                        by_keys.add(a, pairs, c, after.clone(), keys.clone());
                    }
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

/// Products for the gradients of keys and of values: rows of the left side turned, [d, rows of a block], times pairs of
/// these rows by panels of keys, summed up by keys.
struct ByKeys {
    isa: Isa,
    d: usize,
    /// Of a panel.
    columns: usize,
    turned_stride: usize,
    /// From a panel of pairs to the next.
    pair_panel: usize,
    sum_stride: usize,
}

impl ByKeys {
    /// c += aᵀ pairs for these keys, which begin with a panel or its second half.
    unsafe fn add(
        &self,
        a: *const Bf16,
        pairs: &[f32],
        c: *mut f32,
        rows: Range<usize>,
        keys: Range<usize>,
    ) {
        let half = keys.start % self.columns;
        let middle = (keys.start + half).min(keys.end);
        for keys in [keys.start..middle, middle..keys.end] {
            if keys.is_empty() {
                continue;
            }
            let panel = keys.start / self.columns * self.pair_panel;
            let pair = rows.start / 2 * self.columns + keys.start % self.columns;
            let c = c.add(keys.start);
            let tile = Tile {
                depth: rows.len(),
                a: a.add(rows.start),
                a_stride: self.turned_stride,
                b: pairs.as_ptr().add(panel + pair),
                b_panel_stride: self.pair_panel,
                c,
                c_stride: self.sum_stride,
                plus: c,
                rows: self.d,
                columns: keys.len(),
            };
            pair_product(self.isa, tile);
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
