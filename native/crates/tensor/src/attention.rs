//! Causal attention with grouped queries. The matrix of probabilities exists for one block of query rows at a time;
//! the backward pass computes it again from the saved log-sum-exp (Dao et al. 2022).
//!
//! A task is one (row of the batch, key-value head): keys and values are packed once for all the query heads that
//! share them, and the gradients of keys and values are summed in one fixed order.

mod rows;
mod seen;

use crate::context::{Context, Purpose, Shared};
use crate::gemm::{Source, Tile, block_product, pack_panel, panel_columns};
use crate::isa::Isa;
use rows::{Turned, dot, dot_rows, exp_row, slope_row, turned_product, weighted_rows};
use seen::{Seen, Span};

#[derive(Clone, Copy)]
pub struct Shape {
    pub batch: usize,
    /// Queries in each row of the batch.
    pub time: usize,
    /// Keys that each row of the batch has room for.
    pub capacity: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    /// Keys that count: query i sees keys 0 .. key_length - time + i.
    pub key_length: usize,
}

impl Shape {
    fn query_width(&self) -> usize {
        self.heads * self.head_dim
    }
    fn key_width(&self) -> usize {
        self.kv_heads * self.head_dim
    }
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
    fn query_values(&self) -> usize {
        self.batch * self.time * self.query_width()
    }
    fn key_values(&self) -> usize {
        self.batch * self.capacity * self.key_width()
    }
    /// Query rows of a block: their scores over all keys stay in the second cache.
    fn block_rows(&self) -> usize {
        (49_152 / self.key_length.max(1)).clamp(12, 48)
    }
}

/// y = softmax(q kᵀ / sqrt(head_dim)) v, and the log-sum-exp of each row for `backward`.
pub fn forward(
    context: &Context,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    y: &mut [f32],
    log_sum_exp: &mut [f32],
    segments: Option<&[i32]>,
    s: Shape,
) {
    assert!(q.len() >= s.query_values() && k.len() >= s.key_values() && v.len() >= s.key_values());
    assert!(y.len() >= s.query_values() && log_sum_exp.len() >= s.batch * s.heads * s.time);
    if s.time == 1 && segments.is_none() {
        return one_query(context, q, k, v, y, log_sum_exp, s);
    }
    let isa = context.isa;
    let (d, length) = (s.head_dim, s.key_length);
    let seen = Seen::new(&s, segments);
    let (y, log_sum_exp) = (Shared::new(y), Shared::new(log_sum_exp));
    let columns = panel_columns(isa);
    let key_panels = length.div_ceil(columns) * columns;
    let stride = score_stride(length);
    let value_panels = d.div_ceil(columns) * columns;
    let block = s.block_rows().min(s.time.max(1));
    let cost = s.heads / s.kv_heads * s.time * length * d;
    context.run_sized(s.batch * s.kv_heads, cost, &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let at = b * s.capacity * s.key_width() + kv_head * d;
        let packed = context.scratch(
            worker,
            Purpose::PackedA,
            key_panels * d + value_panels * length,
        );
        let (keys, values) = packed.split_at_mut(key_panels * d);
        pack_turned(isa, &k[at..], s.key_width(), length, d, keys);
        pack_straight(isa, &v[at..], s.key_width(), length, d, values);
        let scores = context.scratch(worker, Purpose::Rows, block * stride);
        for head in kv_head * (s.heads / s.kv_heads)..(kv_head + 1) * (s.heads / s.kv_heads) {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let Span { low, high } = seen.block(b, from, to, columns);
                let query = (b * s.time + from) * s.query_width() + head * d;
                // scores = q kᵀ
                block_product(
                    isa,
                    Tile {
                        depth: d,
                        a: q.as_ptr().add(query),
                        a_stride: s.query_width(),
                        b: keys.as_ptr().add(low * d),
                        b_panel_stride: columns * d,
                        c: scores.as_mut_ptr(),
                        c_stride: stride,
                        rows: to - from,
                        columns: high - low,
                        plus: std::ptr::null(),
                    },
                );
                let sums = context.scratch(worker, Purpose::Sums, block);
                for row in from..to {
                    let line = &mut scores[(row - from) * stride..][..high - low];
                    let span = seen.row(b, row);
                    seen.hide(b, row, line, low);
                    let (sum, lse) = exp_row(isa, line, span.low - low, span.high - low, s.scale());
                    sums[row - from] = 1.0 / sum;
                    log_sum_exp.part(0, s.batch * s.heads * s.time)
                        [(b * s.heads + head) * s.time + row] = lse;
                }
                // y = p v
                let out = y.pointer().add(query);
                block_product(
                    isa,
                    Tile {
                        depth: high - low,
                        a: scores.as_ptr(),
                        a_stride: stride,
                        b: values.as_ptr().add(low * columns),
                        b_panel_stride: columns * length,
                        c: out,
                        c_stride: s.query_width(),
                        rows: to - from,
                        columns: d,
                        plus: std::ptr::null(),
                    },
                );
                for row in 0..to - from {
                    let line = std::slice::from_raw_parts_mut(out.add(row * s.query_width()), d);
                    line.iter_mut().for_each(|x| *x *= sums[row]);
                }
            }
        }
    });
}

/// One query a row, as in generation: keys and values are read once where they lie.
fn one_query(
    context: &Context,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    y: &mut [f32],
    log_sum_exp: &mut [f32],
    s: Shape,
) {
    let (isa, d, length) = (context.isa, s.head_dim, s.key_length);
    let (y, log_sum_exp) = (Shared::new(y), Shared::new(log_sum_exp));
    context.run_sized(s.batch * s.heads, 2 * length * d, &|task, worker| unsafe {
        let (b, head) = (task / s.heads, task % s.heads);
        let at = b * s.capacity * s.key_width() + head / (s.heads / s.kv_heads) * d;
        let query = task * d;
        let scores = context.scratch(worker, Purpose::Rows, length);
        dot_rows(isa, &q[query..query + d], &k[at..], s.key_width(), scores);
        let (sum, lse) = exp_row(isa, scores, 0, length, s.scale());
        log_sum_exp.part(task, task + 1)[0] = lse;
        weighted_rows(
            isa,
            scores,
            1.0 / sum,
            &v[at..],
            s.key_width(),
            y.part(query, query + d),
        );
    });
}

/// The gradients by q, k and v; `adds` says for each whether to add to what is there.
pub fn backward(
    context: &Context,
    q: &[f32],
    k: &[f32],
    v: &[f32],
    y: &[f32],
    log_sum_exp: &[f32],
    dy: &[f32],
    dq: &mut [f32],
    dk: &mut [f32],
    dv: &mut [f32],
    segments: Option<&[i32]>,
    s: Shape,
    adds: [bool; 3],
) {
    assert!(q.len() >= s.query_values() && k.len() >= s.key_values() && v.len() >= s.key_values());
    assert!(
        y.len() >= s.query_values() && dy.len() >= s.query_values() && dq.len() >= s.query_values()
    );
    assert!(dk.len() >= s.key_values() && dv.len() >= s.key_values());
    assert!(log_sum_exp.len() >= s.batch * s.heads * s.time);
    if !adds[1] {
        dk.fill(0.0);
    }
    if !adds[2] {
        dv.fill(0.0);
    }
    let isa = context.isa;
    let (d, length) = (s.head_dim, s.key_length);
    let seen = Seen::new(&s, segments);
    let (dq, dk, dv) = (Shared::new(dq), Shared::new(dk), Shared::new(dv));
    let columns = panel_columns(isa);
    let key_panels = length.div_ceil(columns) * columns;
    let stride = score_stride(length);
    let dim_panels = d.div_ceil(columns) * columns;
    let block = s.block_rows().min(s.time.max(1));
    let cost = s.heads / s.kv_heads * s.time * length * d;
    context.run_sized(s.batch * s.kv_heads, cost, &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let at = b * s.capacity * s.key_width() + kv_head * d;
        let packed = context.scratch(
            worker,
            Purpose::PackedA,
            2 * key_panels * d + dim_panels * (length + 2 * block),
        );
        let (keys_turned, rest) = packed.split_at_mut(key_panels * d);
        let (values_turned, rest) = rest.split_at_mut(key_panels * d);
        let (keys, rest) = rest.split_at_mut(dim_panels * length);
        let (queries, outputs) = rest.split_at_mut(dim_panels * block);
        pack_turned(isa, &k[at..], s.key_width(), length, d, keys_turned);
        pack_turned(isa, &v[at..], s.key_width(), length, d, values_turned);
        pack_straight(isa, &k[at..], s.key_width(), length, d, keys);
        let rows = context.scratch(worker, Purpose::Rows, 2 * block * stride);
        let (scores, slopes) = rows.split_at_mut(block * stride);
        for head in kv_head * (s.heads / s.kv_heads)..(kv_head + 1) * (s.heads / s.kv_heads) {
            for from in (0..s.time).step_by(block) {
                let to = (from + block).min(s.time);
                let Span { low, high } = seen.block(b, from, to, columns);
                let query = (b * s.time + from) * s.query_width() + head * d;
                let against_keys = |a: *const f32, turned: &[f32], c: &mut [f32]| {
                    block_product(
                        isa,
                        Tile {
                            depth: d,
                            a,
                            a_stride: s.query_width(),
                            b: turned.as_ptr().add(low * d),
                            b_panel_stride: columns * d,
                            c: c.as_mut_ptr(),
                            c_stride: stride,
                            rows: to - from,
                            columns: high - low,
                            plus: std::ptr::null(),
                        },
                    );
                };
                // scores = q kᵀ, slopes = dy vᵀ
                against_keys(q.as_ptr().add(query), keys_turned, scores);
                against_keys(dy.as_ptr().add(query), values_turned, slopes);
                for row in from..to {
                    let line = (row - from) * stride;
                    let own = query + (row - from) * s.query_width();
                    let dot: f32 = dot(isa, &dy[own..own + d], &y[own..own + d]);
                    let span = seen.row(b, row);
                    let score = &mut scores[line..line + high - low];
                    seen.hide(b, row, score, low);
                    let lse = log_sum_exp[(b * s.heads + head) * s.time + row];
                    let slope = &mut slopes[line..line + high - low];
                    slope_row(
                        isa,
                        score,
                        slope,
                        span.low - low,
                        span.high - low,
                        s.scale(),
                        lse,
                        dot,
                    );
                }
                // dq = slopes k
                block_product(
                    isa,
                    Tile {
                        depth: high - low,
                        a: slopes.as_ptr(),
                        a_stride: stride,
                        b: keys.as_ptr().add(low * columns),
                        b_panel_stride: columns * length,
                        c: dq.pointer().add(query),
                        c_stride: s.query_width(),
                        rows: to - from,
                        columns: d,
                        plus: if adds[0] {
                            dq.pointer().add(query)
                        } else {
                            std::ptr::null()
                        },
                    },
                );
                // dk += slopesᵀ q, dv += pᵀ dy
                pack_straight(isa, &q[query..], s.query_width(), to - from, d, queries);
                pack_straight(isa, &dy[query..], s.query_width(), to - from, d, outputs);
                for (left, right, out) in [(&*slopes, &*queries, dk), (&*scores, &*outputs, dv)] {
                    turned_product(
                        isa,
                        Turned {
                            depth: to - from,
                            a: left.as_ptr(),
                            a_stride: stride,
                            b: right.as_ptr(),
                            c: out.pointer().add(at + low * s.key_width()),
                            c_stride: s.key_width(),
                            rows: high.min(length) - low,
                            columns: d,
                        },
                    );
                }
            }
        }
    });
}

/// Rows of scores lie an odd number of cache lines apart, or their columns would all fall into the same few sets.
fn score_stride(keys: usize) -> usize {
    keys.next_multiple_of(32) + 16
}

/// Panels of the transpose of `rows` rows of width d: `[panel of rows][d][rows of the panel]`.
unsafe fn pack_turned(
    isa: Isa,
    from: &[f32],
    stride: usize,
    rows: usize,
    d: usize,
    to: &mut [f32],
) {
    let columns = panel_columns(isa);
    for first in (0..rows).step_by(columns) {
        let panel = &mut to[first * d..(first + columns) * d];
        pack_panel(
            isa,
            from.as_ptr().add(first * stride),
            Source {
                row_stride: 1,
                column_stride: stride,
                rows: d,
                columns: columns.min(rows - first),
                round: false,
            },
            panel,
        );
    }
}

/// Panels of `rows` rows of width d: `[panel of d][row][columns of the panel]`.
unsafe fn pack_straight(
    isa: Isa,
    from: &[f32],
    stride: usize,
    rows: usize,
    d: usize,
    to: &mut [f32],
) {
    let columns = panel_columns(isa);
    for first in (0..d).step_by(columns) {
        let panel = &mut to[first * rows..(first + columns) * rows];
        pack_panel(
            isa,
            from.as_ptr().add(first),
            Source {
                row_stride: stride,
                column_stride: 1,
                rows,
                columns: columns.min(d - first),
                round: false,
            },
            panel,
        );
    }
}
