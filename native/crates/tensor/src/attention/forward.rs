//! The task of every forward pass: some query heads over the keys and values of the head that they share.

use super::{Shape, float_blocks, floats, one_query, pairs};
use crate::context::{Context, Shared};
use crate::element::Element;
use crate::gemm::Inputs;
use std::ops::Range;

/// How the queries of a shape meet their keys.
pub enum Forward<'a> {
    OneQuery(Shape),
    Floats(float_blocks::Plan<'a>),
    Pairs(pairs::Plan<'a>),
}

/// Query heads of one row of the batch that share a key-value head.
pub struct Task<'a, Q, K> {
    /// Those of the whole batch.
    pub q: &'a [Q],
    /// Those of the head, from its first element of the row on.
    pub keys: &'a [K],
    pub values: &'a [K],
    /// Laid out as the whole batch, as is the log-sum-exp.
    pub y: Shared<'a, Q>,
    pub log_sum_exp: Shared<'a, f32>,
    pub b: usize,
    pub heads: Range<usize>,
}

impl<'a> Forward<'a> {
    pub fn new(context: &Context, s: Shape, segments: Option<&'a [i32]>) -> Self {
        if s.time == 1 && segments.is_none() {
            Self::OneQuery(s)
        } else if Inputs::of(context) == Inputs::Floats {
            Self::Floats(float_blocks::Plan::new(context.isa, s, segments))
        } else {
            Self::Pairs(pairs::Plan::new(context.isa, s, segments))
        }
    }

    /// Multiply-adds of all the heads that share one of keys and values, about, or what takes as long.
    pub fn cost(&self) -> usize {
        match self {
            Self::OneQuery(s) => 2 * s.cost(),
            Self::Floats(plan) => plan.s.cost(),
            Self::Pairs(plan) => plan.s.cost() / 2,
        }
    }

    /// # Safety
    /// As `Context::scratch`, and no other task writes the outputs of the same heads.
    pub unsafe fn run<Q: Element, K: Element>(
        &self,
        context: &Context,
        worker: usize,
        task: &Task<Q, K>,
    ) {
        match self {
            Self::OneQuery(s) => one_query::forward(context, worker, s, task),
            Self::Floats(plan) => floats::forward(context, worker, plan, task),
            Self::Pairs(plan) => pairs::forward(context, worker, plan, task),
        }
    }
}

/// Into how many tasks the query heads that share a head of keys and values are cut: one, which packs those once, or where
/// that leaves threads without work one for each.
pub fn cuts(group: usize, shared_heads: usize, threads: usize) -> usize {
    let idle = threads > 1 && shared_heads < 4 * threads;
    if idle { group } else { 1 }
}

/// One of so many equal parts.
pub fn part(heads: Range<usize>, cut: usize, cuts: usize) -> Range<usize> {
    let each = heads.len() / cuts;
    let from = heads.start + cut * each;
    from..from + each
}
