//! Attention with grouped queries, causal or not. The matrix of probabilities exists for one block of query rows at a time;
//! the backward pass computes it again from the saved log-sum-exp (Dao et al. 2022).
//!
//! A task is one (row of the batch, key-value head): keys and values are packed once for all the query heads that
//! share them, and the gradients of keys and values are summed in f32 in one fixed order. `floats.rs` multiplies f32,
//! `pairs.rs` pairs of bf16 where the precision and the machine allow it, `one_query.rs` a single query with keys where
//! they lie; queries, keys and values are stored as either, alone or as columns of one matrix. `sequences.rs` is all of
//! attention for inference, over sequences of any lengths.

mod float_blocks;
mod float_rows;
mod floats;
mod forward;
mod one_query;
mod packed;
mod pairs;
pub(crate) mod rows;
mod seen;
pub mod sequences;
mod stairs;

use crate::context::{Context, Shared};
use crate::element::{Bf16, Element, Floats, FloatsMut};
use crate::gemm::Inputs;
use forward::{Forward, Task, cuts, part};
use std::ops::Range;

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
    /// Keys that count: query i sees keys 0 .. key_length - time + i, or all of them where it is not causal.
    pub key_length: usize,
    pub causal: bool,
    pub queries: Lines,
    pub keys: Lines,
    pub values: Lines,
}

/// Where the heads of a position lie: from element `offset` on in rows of `width`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lines {
    pub width: usize,
    pub offset: usize,
}

impl Lines {
    /// Nothing beside the heads.
    pub fn alone(heads: usize, head_dim: usize) -> Self {
        Self {
            width: heads * head_dim,
            offset: 0,
        }
    }
}

impl Shape {
    fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
    /// Query heads that share a key-value head.
    fn group(&self) -> usize {
        self.heads / self.kv_heads
    }
    /// The query heads that share this one.
    fn sharing(&self, kv_head: usize) -> Range<usize> {
        kv_head * self.group()..(kv_head + 1) * self.group()
    }
    fn query(&self, b: usize, row: usize, head: usize) -> usize {
        (b * self.time + row) * self.queries.width + self.queries.offset + head * self.head_dim
    }
    /// Of the output and its gradient, which lie alone.
    fn output(&self, b: usize, row: usize, head: usize) -> usize {
        ((b * self.time + row) * self.heads + head) * self.head_dim
    }
    fn key(&self, b: usize, kv_head: usize) -> usize {
        b * self.capacity * self.keys.width + self.keys.offset + kv_head * self.head_dim
    }
    fn value(&self, b: usize, kv_head: usize) -> usize {
        b * self.capacity * self.values.width + self.values.offset + kv_head * self.head_dim
    }
    fn lse(&self, b: usize, row: usize, head: usize) -> usize {
        (b * self.heads + head) * self.time + row
    }
    /// Where the block of queries lies that comes after query `to` of this head, and its outputs: in the next head after
    /// the last.
    fn following(&self, b: usize, head: usize, to: usize) -> (usize, usize) {
        let (head, row) = if to < self.time {
            (head, to)
        } else {
            (head + 1, 0)
        };
        (self.query(b, row, head), self.output(b, row, head))
    }
    fn outputs(&self) -> usize {
        self.batch * self.time * self.heads * self.head_dim
    }
    /// Multiply-adds of one task, about.
    fn cost(&self) -> usize {
        self.group() * self.time * self.key_length * self.head_dim
    }

    fn check(&self, q: usize, k: usize, v: usize, y: usize, log_sum_exp: usize) {
        let fits = |lines: Lines, heads: usize, positions: usize, length: usize| {
            lines.offset + heads * self.head_dim <= lines.width
                && self.batch * positions * lines.width <= length
        };
        assert!(fits(self.queries, self.heads, self.time, q));
        assert!(fits(self.keys, self.kv_heads, self.capacity, k));
        assert!(fits(self.values, self.kv_heads, self.capacity, v));
        assert!(y >= self.outputs() && log_sum_exp >= self.batch * self.heads * self.time);
        assert!(self.time <= self.key_length && self.key_length <= self.capacity);
        assert!(self.kv_heads > 0 && self.heads.is_multiple_of(self.kv_heads));
    }
}

/// y = softmax(q kᵀ / sqrt(head_dim)) v, and the log-sum-exp of each row for `backward`. y is stored as q, v as k.
pub fn forward(
    context: &Context,
    q: Floats,
    k: Floats,
    v: Floats,
    y: FloatsMut,
    log_sum_exp: &mut [f32],
    segments: Option<&[i32]>,
    s: Shape,
) {
    s.check(q.len(), k.len(), v.len(), y.len(), log_sum_exp.len());
    match (q, k, v, y) {
        (Floats::F32(q), Floats::F32(k), Floats::F32(v), FloatsMut::F32(y)) => {
            forward_of(context, q, k, v, y, log_sum_exp, segments, s)
        }
        (Floats::F32(q), Floats::Bf16(k), Floats::Bf16(v), FloatsMut::F32(y)) => {
            forward_of(context, q, k, v, y, log_sum_exp, segments, s)
        }
        (Floats::Bf16(q), Floats::F32(k), Floats::F32(v), FloatsMut::Bf16(y)) => {
            forward_of(context, q, k, v, y, log_sum_exp, segments, s)
        }
        (Floats::Bf16(q), Floats::Bf16(k), Floats::Bf16(v), FloatsMut::Bf16(y)) => {
            forward_of(context, q, k, v, y, log_sum_exp, segments, s)
        }
        _ => panic!("values must be stored as keys, and the output as queries"),
    }
}

fn forward_of<Q: Element, K: Element>(
    context: &Context,
    q: &[Q],
    k: &[K],
    v: &[K],
    y: &mut [Q],
    log_sum_exp: &mut [f32],
    segments: Option<&[i32]>,
    s: Shape,
) {
    let forward = Forward::new(context, s, segments);
    let cuts = cuts(s.group(), s.batch * s.kv_heads, context.threads);
    let (y, log_sum_exp) = (Shared::new(y), Shared::new(log_sum_exp));
    let tasks = s.batch * s.kv_heads * cuts;
    context.run_sized(tasks, forward.cost() / cuts, &|task, worker| unsafe {
        let (b, kv_head, cut) = (
            task / cuts / s.kv_heads,
            task / cuts % s.kv_heads,
            task % cuts,
        );
        let task = Task {
            q,
            keys: &k[s.key(b, kv_head)..],
            values: &v[s.value(b, kv_head)..],
            y,
            log_sum_exp,
            b,
            heads: part(s.sharing(kv_head), cut, cuts),
        };
        forward.run(context, worker, &task);
    });
}

/// Where the gradients by q, k and v go, laid out as they are, and whether they are added to what is there.
pub struct Gradients<'a> {
    pub q: Joint<'a>,
    pub k: Joint<'a>,
    pub v: Joint<'a>,
    pub adds: [bool; 3],
}

/// An output of which other columns may be outputs of the same call.
#[derive(Clone, Copy)]
pub enum Joint<'a> {
    F32(Shared<'a, f32>),
    Bf16(Shared<'a, Bf16>),
}

impl<'a> From<FloatsMut<'a>> for Joint<'a> {
    fn from(x: FloatsMut<'a>) -> Self {
        match x {
            FloatsMut::F32(x) => Joint::F32(Shared::new(x)),
            FloatsMut::Bf16(x) => Joint::Bf16(Shared::new(x)),
        }
    }
}

/// The gradients by q, k and v; all of them and dy are stored as q.
pub fn backward(
    context: &Context,
    q: Floats,
    k: Floats,
    v: Floats,
    y: Floats,
    log_sum_exp: &[f32],
    dy: Floats,
    gradients: Gradients,
    segments: Option<&[i32]>,
    s: Shape,
) {
    s.check(
        q.len(),
        k.len(),
        v.len(),
        y.len().min(dy.len()),
        log_sum_exp.len(),
    );
    let stored = [q, k, v, y, dy];
    let Gradients { q, k, v, adds } = gradients;
    match [q, k, v] {
        [Joint::F32(q), Joint::F32(k), Joint::F32(v)] => {
            let saved = Saved::new(stored, log_sum_exp);
            backward_of(context, saved, [q, k, v], adds, segments, s)
        }
        [Joint::Bf16(q), Joint::Bf16(k), Joint::Bf16(v)] => {
            let saved = Saved::new(stored, log_sum_exp);
            backward_of(context, saved, [q, k, v], adds, segments, s)
        }
        _ => panic!("{ALIKE}"),
    }
}

const ALIKE: &str = "queries, keys, values, output and gradients must be stored alike";

/// What the backward pass reads.
#[derive(Clone, Copy)]
struct Saved<'a, E> {
    q: &'a [E],
    k: &'a [E],
    v: &'a [E],
    y: &'a [E],
    dy: &'a [E],
    log_sum_exp: &'a [f32],
}

impl<'a, E: Element> Saved<'a, E> {
    fn new(stored: [Floats<'a>; 5], log_sum_exp: &'a [f32]) -> Self {
        let [q, k, v, y, dy] = stored.map(|x| E::stored(x).expect(ALIKE));
        Self {
            q,
            k,
            v,
            y,
            dy,
            log_sum_exp,
        }
    }
}

fn backward_of<E: Element>(
    context: &Context,
    saved: Saved<E>,
    [dq, dk, dv]: [Shared<E>; 3],
    adds: [bool; 3],
    segments: Option<&[i32]>,
    s: Shape,
) {
    let sizes = [
        (dq.len(), s.time, s.queries),
        (dk.len(), s.capacity, s.keys),
        (dv.len(), s.capacity, s.values),
    ];
    for (length, positions, lines) in sizes {
        assert!(length >= s.batch * positions * lines.width);
    }
    if Inputs::of(context) == Inputs::Floats {
        floats::backward(context, saved, [dq, dk, dv], adds, segments, s)
    } else {
        pairs::backward(context, saved, [dq, dk, dv], adds, segments, s)
    }
}

/// Keys that no query sees have no gradient: zeros behind those that are seen, whose gradients begin at `at` in rows of
/// `width`.
unsafe fn clear_unseen<E: Element>(s: &Shape, to: Shared<E>, at: usize, width: usize, add: bool) {
    if add {
        return;
    }
    for key in s.key_length..s.capacity {
        let line = at + key * width;
        to.part(line, line + s.head_dim).fill(E::of(0.0));
    }
}

/// Rows of scores lie an odd number of cache lines apart, or their columns would all fall into the same few sets.
fn score_stride(keys: usize) -> usize {
    keys.next_multiple_of(32) + 16
}

#[cfg(test)]
mod tests;
