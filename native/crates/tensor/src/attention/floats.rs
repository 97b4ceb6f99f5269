//! Attention by products of f32.

use super::float_blocks::Plan;
use super::float_rows::{Lines, dot_block, exp_block, slope_block};
use super::forward::Task;
use super::rows::{exp_row, fetch_rows, slope_row, store_row, store_rows};
use super::{Saved, Shape, clear_unseen};
use crate::context::{Context, Purpose, Shared};
use crate::element::Element;
use crate::gemm::{Turned, copy_rows};

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
    let (isa, s) = (context.isa, plan.s);
    let Task { q, y, b, .. } = *task;
    let (d, length) = (s.head_dim, s.key_length);
    let (turned, most) = (plan.turned(length), plan.rows);
    let words = turned + plan.straight(length);
    let packed = context.scratch(worker, Purpose::PackedA, words);
    let (keys, values) = packed.split_at_mut(turned);
    plan.pack_turned(task.keys, s.keys.width, length, keys);
    plan.pack_straight(task.values, s.values.width, length, values);
    let scores = context.scratch(worker, Purpose::Rows, most * plan.stride);
    let sums = context.scratch(worker, Purpose::Sums, most);
    let queries = context.scratch(worker, Purpose::Inputs, most * d);
    let mixed = context.scratch(worker, Purpose::Matrix, most * d);
    let mut spans = Vec::with_capacity(most);
    for head in task.heads.clone() {
        for from in (0..s.time).step_by(most) {
            let block = plan.block(b, from);
            let rows = block.rows.len();
            let query = q.as_ptr().add(s.query(b, from, head));
            copy_rows(isa, query, s.queries.width, rows, d, queries, d, false);
            // What is written and read next arrives while this is multiplied.
            let out = y.pointer().add(s.output(b, from, head));
            let (next, _) = s.following(b, head, block.rows.end);
            let next = q.as_ptr().wrapping_add(next);
            fetch_rows(isa, out, s.heads * d, rows, d);
            fetch_rows(isa, next, s.queries.width, most, d);
            // scores = q kᵀ
            plan.by_queries(&block, queries, keys, scores);
            let first = s.lse(b, from, head);
            let log_sums = task.log_sum_exp.part(first, first + rows);
            let lines = plan.scores(&block, scores.as_mut_ptr(), &mut spans);
            if plan.whole(&block) {
                exp_block(isa, lines, sums, log_sums);
            } else {
                for (i, span) in lines.spans.iter().enumerate() {
                    let line = &mut scores[i * plan.stride..][..block.keys()];
                    plan.seen.hide(b, from + i, line, block.keys.low);
                    let (sum, lse) = exp_row(isa, line, span.low, span.high, s.scale());
                    (sums[i], log_sums[i]) = (1.0 / sum, lse);
                }
            }
            // y = p v
            plan.by_scores(&block, scores, values, mixed.as_mut_ptr(), d, false);
            store_rows(isa, mixed.as_ptr(), &sums[..rows], d, out, s.heads * d);
        }
    }
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
    let plan = Plan::new(isa, s, segments);
    let (turned, most) = (plan.turned(length), plan.rows);
    context.run_sized(s.batch * s.kv_heads, s.cost(), &|task, worker| unsafe {
        let (b, kv_head) = (task / s.kv_heads, task % s.kv_heads);
        let words = 2 * turned + plan.straight(length + 2 * most);
        let packed = context.scratch(worker, Purpose::PackedA, words);
        let (keys_turned, rest) = packed.split_at_mut(turned);
        let (values_turned, rest) = rest.split_at_mut(turned);
        let (keys, rest) = rest.split_at_mut(plan.straight(length));
        let (queries, outputs) = rest.split_at_mut(plan.straight(most));
        let key_rows = &k[s.key(b, kv_head)..];
        plan.pack_turned(key_rows, s.keys.width, length, keys_turned);
        let value_rows = &v[s.value(b, kv_head)..];
        plan.pack_turned(value_rows, s.values.width, length, values_turned);
        plan.pack_straight(key_rows, s.keys.width, length, keys);
        let rows = context.scratch(worker, Purpose::Rows, 2 * most * plan.stride);
        let (scores, slopes) = rows.split_at_mut(most * plan.stride);
        let copies = context.scratch(worker, Purpose::Inputs, 2 * most * d);
        let (query_rows, slope_rows) = copies.split_at_mut(most * d);
        let dots = context.scratch(worker, Purpose::Sums, most);
        let sums = context.scratch(worker, Purpose::Matrix, 2 * length * d);
        sums.fill(0.0);
        let (dkeys, dvalues) = sums.split_at_mut(length * d);
        let mut spans = Vec::with_capacity(most);
        for head in s.sharing(kv_head) {
            for from in (0..s.time).step_by(most) {
                let block = plan.block(b, from);
                let n = block.rows.len();
                let query = q.as_ptr().add(s.query(b, from, head));
                copy_rows(isa, query, s.queries.width, n, d, query_rows, d, false);
                let output = s.output(b, from, head);
                let [slope, output] =
                    [dy, y].map(|x| Lines::new(x[output..].as_ptr(), s.heads * d));
                copy_rows(isa, slope.at, slope.stride, n, d, slope_rows, d, false);
                // What is written and read next arrives while this is multiplied.
                let c = dq.pointer().add(s.query(b, from, head));
                fetch_rows(isa, c, s.queries.width, n, d);
                let (next, next_output) = s.following(b, head, block.rows.end);
                let next = q.as_ptr().wrapping_add(next);
                fetch_rows(isa, next, s.queries.width, most, d);
                for x in [dy, y] {
                    let next = x.as_ptr().wrapping_add(next_output);
                    fetch_rows(isa, next, s.heads * d, most, d);
                }
                // scores = q kᵀ, slopes = dy vᵀ
                plan.by_queries(&block, query_rows, keys_turned, scores);
                plan.by_queries(&block, slope_rows, values_turned, slopes);
                dot_block(isa, slope, output, d, &mut dots[..n]);
                let first = s.lse(b, from, head);
                let log_sums = &log_sum_exp[first..first + n];
                let lines = plan.scores(&block, scores.as_mut_ptr(), &mut spans);
                if plan.whole(&block) {
                    slope_block(isa, lines, slopes.as_mut_ptr(), log_sums, dots);
                } else {
                    for (i, span) in lines.spans.iter().enumerate() {
                        let score = &mut scores[i * plan.stride..][..block.keys()];
                        let slope = &mut slopes[i * plan.stride..][..block.keys()];
                        plan.seen.hide(b, from + i, score, block.keys.low);
                        let (lse, dot) = (log_sums[i], dots[i]);
                        slope_row(isa, score, slope, span.low, span.high, s.scale(), lse, dot);
                    }
                }
                // dq = slopes k
                plan.by_scores(&block, slopes, keys, c, s.queries.width, adds[0]);
                // dk += slopesᵀ q, dv += pᵀ dy
                plan.pack_straight(query_rows, d, n, queries);
                plan.pack_straight(slope_rows, d, n, outputs);
                for (left, right, out) in [
                    (&*slopes, &*queries, &mut *dkeys),
                    (&*scores, &*outputs, &mut *dvalues),
                ] {
                    let turned = Turned {
                        depth: n,
                        a: left.as_ptr(),
                        a_stride: plan.stride,
                        b: right.as_ptr(),
                        c: out.as_mut_ptr().add(block.keys.low * d),
                        c_stride: d,
                        rows: block.keys(),
                        columns: d,
                    };
                    block.stairs.by_keys(turned);
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
            clear_unseen(&s, out, at, width, add);
        }
    });
}
