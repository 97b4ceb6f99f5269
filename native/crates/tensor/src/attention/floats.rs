//! Attention by products of f32.

use super::float_rows::{Lines, Scores, dot_block, exp_block, slope_block};
use super::rows::{Turned, exp_row, fetch_rows, slope_row, store_row, store_rows};
use super::seen::{Seen, Span};
use super::stairs::Stairs;
use super::{Saved, Shape, score_stride};
use crate::context::{Context, Purpose, Shared};
use crate::element::Element;
use crate::gemm::{Source, Tile, copy_rows, pack_panel, panel_columns};
use crate::isa::Isa;

/// Query rows of a block: their scores over all keys stay in the second cache.
fn block_rows(s: &Shape) -> usize {
    (49_152 / s.key_length.max(1))
        .clamp(12, 48)
        .min(s.time.max(1))
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
    let key_panels = length.div_ceil(columns) * columns;
    let stride = score_stride(length);
    let value_panels = d.div_ceil(columns) * columns;
    let block = block_rows(&s);
    context.run_sized(s.batch * s.kv_heads, s.cost(), &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let packed = context.scratch(
            worker,
            Purpose::PackedA,
            key_panels * d + value_panels * length,
        );
        let (keys, values) = packed.split_at_mut(key_panels * d);
        pack_turned(isa, &k[s.key(b, kv_head)..], s.keys.width, length, d, keys);
        let value_rows = &v[s.value(b, kv_head)..];
        pack_straight(isa, value_rows, s.values.width, length, d, values);
        let scores = context.scratch(worker, Purpose::Rows, block * stride);
        let sums = context.scratch(worker, Purpose::Sums, block);
        let queries = context.scratch(worker, Purpose::Inputs, block * d);
        let mixed = context.scratch(worker, Purpose::Matrix, block * d);
        let mut spans = Vec::with_capacity(block);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let rows = to - from;
                let Span { low, high } = seen.block(b, from, to, columns);
                let stairs = Stairs::new(isa, &s, from, low);
                let query = q.as_ptr().add(s.query(b, from, head));
                copy_rows(isa, query, s.queries.width, rows, d, queries, d, false);
                // What is written and read next arrives while this is multiplied.
                let out = y.pointer().add(s.output(b, from, head));
                let (next, _) = s.following(b, head, to);
                let next = q.as_ptr().wrapping_add(next);
                fetch_rows(isa, out, s.heads * d, rows, d);
                fetch_rows(isa, next, s.queries.width, block, d);
                // scores = q kᵀ
                let tile = Tile {
                    depth: d,
                    a: queries.as_ptr(),
                    a_stride: d,
                    b: keys.as_ptr().add(low * d),
                    b_panel_stride: columns * d,
                    c: scores.as_mut_ptr(),
                    c_stride: stride,
                    plus: std::ptr::null(),
                    rows,
                    columns: high - low,
                };
                stairs.scores(tile);
                let first = s.lse(b, from, head);
                let log_sums = log_sum_exp.part(first, first + rows);
                let lines = Scores {
                    at: scores.as_mut_ptr(),
                    stride,
                    width: high - low,
                    spans: seen.spans(b, from, to, low, &mut spans),
                    read: stairs.read(),
                    scale: s.scale(),
                };
                if (from..to).all(|row| seen.whole(b, row)) {
                    exp_block(isa, lines, sums, log_sums);
                } else {
                    for (i, span) in lines.spans.iter().enumerate() {
                        let line = &mut scores[i * stride..][..high - low];
                        seen.hide(b, from + i, line, low);
                        let (sum, lse) = exp_row(isa, line, span.low, span.high, s.scale());
                        (sums[i], log_sums[i]) = (1.0 / sum, lse);
                    }
                }
                // y = p v
                let tile = Tile {
                    depth: high - low,
                    a: scores.as_ptr(),
                    a_stride: stride,
                    b: values.as_ptr().add(low * columns),
                    b_panel_stride: columns * length,
                    c: mixed.as_mut_ptr(),
                    c_stride: d,
                    plus: std::ptr::null(),
                    rows,
                    columns: d,
                };
                stairs.by_rows(tile);
                store_rows(isa, mixed.as_ptr(), &sums[..rows], d, out, s.heads * d);
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
    let key_panels = length.div_ceil(columns) * columns;
    let stride = score_stride(length);
    let dim_panels = d.div_ceil(columns) * columns;
    let block = block_rows(&s);
    context.run_sized(s.batch * s.kv_heads, s.cost(), &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let packed = context.scratch(
            worker,
            Purpose::PackedA,
            2 * key_panels * d + dim_panels * (length + 2 * block),
        );
        let (keys_turned, rest) = packed.split_at_mut(key_panels * d);
        let (values_turned, rest) = rest.split_at_mut(key_panels * d);
        let (keys, rest) = rest.split_at_mut(dim_panels * length);
        let (queries, outputs) = rest.split_at_mut(dim_panels * block);
        let key_rows = &k[s.key(b, kv_head)..];
        pack_turned(isa, key_rows, s.keys.width, length, d, keys_turned);
        let value_rows = &v[s.value(b, kv_head)..];
        pack_turned(isa, value_rows, s.values.width, length, d, values_turned);
        pack_straight(isa, key_rows, s.keys.width, length, d, keys);
        let rows = context.scratch(worker, Purpose::Rows, 2 * block * stride);
        let (scores, slopes) = rows.split_at_mut(block * stride);
        let copies = context.scratch(worker, Purpose::Inputs, 2 * block * d);
        let (query_rows, slope_rows) = copies.split_at_mut(block * d);
        let dots = context.scratch(worker, Purpose::Sums, block);
        let sums = context.scratch(worker, Purpose::Matrix, 2 * length * d);
        sums.fill(0.0);
        let (dkeys, dvalues) = sums.split_at_mut(length * d);
        let mut spans = Vec::with_capacity(block);
        for head in kv_head * s.group()..(kv_head + 1) * s.group() {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let n = to - from;
                let Span { low, high } = seen.block(b, from, to, columns);
                let stairs = Stairs::new(isa, &s, from, low);
                let query = q.as_ptr().add(s.query(b, from, head));
                copy_rows(isa, query, s.queries.width, n, d, query_rows, d, false);
                let output = s.output(b, from, head);
                let [slope, output] =
                    [dy, y].map(|x| Lines::new(x[output..].as_ptr(), s.heads * d));
                copy_rows(isa, slope.at, slope.stride, n, d, slope_rows, d, false);
                // What is written and read next arrives while this is multiplied.
                let c = dq.pointer().add(s.query(b, from, head));
                fetch_rows(isa, c, s.queries.width, n, d);
                let (next, next_output) = s.following(b, head, to);
                let next = q.as_ptr().wrapping_add(next);
                fetch_rows(isa, next, s.queries.width, block, d);
                for x in [dy, y] {
                    let next = x.as_ptr().wrapping_add(next_output);
                    fetch_rows(isa, next, s.heads * d, block, d);
                }
                // scores = q kᵀ, slopes = dy vᵀ
                for (a, turned, c) in [
                    (&*query_rows, &*keys_turned, &mut *scores),
                    (&*slope_rows, &*values_turned, &mut *slopes),
                ] {
                    let tile = Tile {
                        depth: d,
                        a: a.as_ptr(),
                        a_stride: d,
                        b: turned.as_ptr().add(low * d),
                        b_panel_stride: columns * d,
                        c: c.as_mut_ptr(),
                        c_stride: stride,
                        plus: std::ptr::null(),
                        rows: n,
                        columns: high - low,
                    };
                    stairs.scores(tile);
                }
                dot_block(isa, slope, output, d, &mut dots[..n]);
                let first = s.lse(b, from, head);
                let log_sums = &log_sum_exp[first..first + n];
                let lines = Scores {
                    at: scores.as_mut_ptr(),
                    stride,
                    width: high - low,
                    spans: seen.spans(b, from, to, low, &mut spans),
                    read: stairs.read(),
                    scale: s.scale(),
                };
                if (from..to).all(|row| seen.whole(b, row)) {
                    slope_block(isa, lines, slopes.as_mut_ptr(), log_sums, dots);
                } else {
                    for (i, span) in lines.spans.iter().enumerate() {
                        let score = &mut scores[i * stride..][..high - low];
                        let slope = &mut slopes[i * stride..][..high - low];
                        seen.hide(b, from + i, score, low);
                        let (lse, dot) = (log_sums[i], dots[i]);
                        slope_row(isa, score, slope, span.low, span.high, s.scale(), lse, dot);
                    }
                }
                // dq = slopes k
                let tile = Tile {
                    depth: high - low,
                    a: slopes.as_ptr(),
                    a_stride: stride,
                    b: keys.as_ptr().add(low * columns),
                    b_panel_stride: columns * length,
                    c,
                    c_stride: s.queries.width,
                    plus: if adds[0] { c } else { std::ptr::null() },
                    rows: n,
                    columns: d,
                };
                stairs.by_rows(tile);
                // dk += slopesᵀ q, dv += pᵀ dy
                pack_straight(isa, query_rows, d, n, d, queries);
                pack_straight(isa, slope_rows, d, n, d, outputs);
                for (left, right, out) in [
                    (&*slopes, &*queries, &mut *dkeys),
                    (&*scores, &*outputs, &mut *dvalues),
                ] {
                    let turned = Turned {
                        depth: n,
                        a: left.as_ptr(),
                        a_stride: stride,
                        b: right.as_ptr(),
                        c: out.as_mut_ptr().add(low * d),
                        c_stride: d,
                        rows: high - low,
                        columns: d,
                    };
                    stairs.by_keys(turned);
                }
            }
        }
        let outputs = [
            (&*dkeys, dk, s.key(b, kv_head), s.keys.width, adds[1]),
            (&*dvalues, dv, s.value(b, kv_head), s.values.width, adds[2]),
        ];
        for (sums, out, at, width, add) in outputs {
            for key in 0..length {
                let to = out.part(at + key * width, at + key * width + d);
                store_row(isa, &sums[key * d..(key + 1) * d], 1.0, to, add);
            }
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

/// Panels of the transpose of `rows` rows of width d: `[panel of rows][d][rows of the panel]`.
unsafe fn pack_turned<E: Element>(
    isa: Isa,
    from: &[E],
    stride: usize,
    rows: usize,
    d: usize,
    to: &mut [f32],
) {
    let columns = panel_columns(isa);
    for first in (0..rows).step_by(columns) {
        let panel = &mut to[first * d..(first + columns) * d];
        let source = Source {
            row_stride: 1,
            column_stride: stride,
            rows: d,
            columns: columns.min(rows - first),
            round: false,
        };
        pack_panel(isa, from.as_ptr().add(first * stride), source, panel);
    }
}

/// Panels of `rows` rows of width d: `[panel of d][row][columns of the panel]`.
unsafe fn pack_straight<E: Element>(
    isa: Isa,
    from: &[E],
    stride: usize,
    rows: usize,
    d: usize,
    to: &mut [f32],
) {
    let columns = panel_columns(isa);
    for first in (0..d).step_by(columns) {
        let panel = &mut to[first * rows..(first + columns) * rows];
        let source = Source {
            row_stride: stride,
            column_stride: 1,
            rows,
            columns: columns.min(d - first),
            round: false,
        };
        pack_panel(isa, from.as_ptr().add(first), source, panel);
    }
}
