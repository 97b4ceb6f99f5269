//! The vocabulary head with a weight that stays in its blocks.

use super::Blocks;
use super::product::linear;
use crate::context::{Context, Purpose, Shared};
use crate::element::Floats;
use crate::gemm::Output;
use crate::kernels;
use crate::normalise::largest_and_sum_body;
use crate::simd::Simd;

/// f32 of logits at a time, 32 MB.
const LOGITS: usize = 8 << 20;

/// nll[i] = -log softmax(x[i] Wᵀ)[targets[i]], 0 where the target is negative; a chunk of rows at a time.
pub fn log_probs(context: &Context, x: &[f32], weight: Blocks, targets: &[i32], nll: &mut [f32]) {
    let (vocab, hidden) = (weight.outputs(), weight.inputs());
    assert!(x.len() >= targets.len() * hidden && nll.len() == targets.len() && vocab > 0);
    assert!(targets.iter().all(|&target| target < vocab as i32));
    let chunk = (LOGITS / vocab).max(1);
    for from in (0..targets.len()).step_by(chunk) {
        let rows = chunk.min(targets.len() - from);
        // SAFETY: `linear` uses other scratch.
        let logits = unsafe { context.shared_scratch(Purpose::Logits, rows * vocab) };
        let out = Output::new(&mut logits[..], vocab, false);
        linear(context, Floats::F32(&x[from * hidden..]), rows, weight, out);
        let (logits, nll) = (&*logits, Shared::new(&mut nll[from..from + rows]));
        context.run(rows, &|row, _| {
            let target = targets[from + row];
            let line = &logits[row * vocab..(row + 1) * vocab];
            let value = if target < 0 {
                0.0
            } else {
                unsafe { log_sum_exp(context.isa, line) - line[target as usize] }
            };
            unsafe { nll.part(row, row + 1)[0] = value };
        });
    }
}

kernels! {
    fn log_sum_exp(x: &[f32]) -> f32 = log_sum_exp_body;
}

#[inline(always)]
unsafe fn log_sum_exp_body<S: Simd>(x: &[f32]) -> f32 {
    let (largest, sum) = largest_and_sum_body::<S>(x);
    largest + sum.ln()
}
