//! The vocabulary head with a weight that stays in its blocks.

use super::Blocks;
use super::product::linear;
use crate::context::Context;
use crate::head;

/// nll[i] = -log softmax(x[i] Wᵀ)[targets[i]], 0 where the target is negative.
pub fn log_probs(context: &Context, x: &[f32], weight: Blocks, targets: &[i32], nll: &mut [f32]) {
    let (vocab, hidden) = (weight.outputs(), weight.inputs());
    assert!(x.len() >= targets.len() * hidden && nll.len() == targets.len() && vocab > 0);
    assert!(targets.iter().all(|&target| target < vocab as i32));
    let x = &x[..targets.len() * hidden];
    head::log_probs(
        context,
        x,
        targets,
        nll,
        hidden,
        vocab,
        &|outputs, x, rows, out| {
            linear(
                context,
                x,
                rows,
                weight.rows(outputs.start, outputs.end),
                out,
            );
        },
    );
}
