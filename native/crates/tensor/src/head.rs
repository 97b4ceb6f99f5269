//! The vocabulary head with cross-entropy: logits exist for a chunk of rows at a time, and become their own gradient
//! in place, from which the gradients of input and weight are made before the next chunk.

use crate::context::{Context, Purpose, Shared};
use crate::gemm::{Matrix, gemm};
use crate::normalise::largest_and_sum_body;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

/// Logits of a chunk: 8 MB, which stay in the last cache of most machines.
const CHUNK_ELEMENTS: usize = 2 << 20;

pub struct Gradients<'a> {
    /// What each row's nll is multiplied by in the loss.
    pub scales: &'a [f32],
    pub dx: Option<&'a mut [f32]>,
    pub dweight: Option<&'a mut [f32]>,
    pub add_x: bool,
    pub add_weight: bool,
}

/// nll[i] = -log softmax(x[i] weightᵀ)[targets[i]], 0 for a target that is not in the vocabulary; and on request
/// the gradients of sum(scales[i] nll[i]).
pub fn head(
    context: &Context,
    x: &[f32],
    weight: &[f32],
    targets: &[i32],
    nll: &mut [f32],
    hidden: usize,
    mut gradients: Option<Gradients>,
) {
    let rows = targets.len();
    assert!(
        hidden > 0
            && x.len() == rows * hidden
            && nll.len() == rows
            && weight.len().is_multiple_of(hidden)
    );
    let vocab = weight.len() / hidden;
    let chunk = (CHUNK_ELEMENTS / vocab.max(1))
        .clamp(64, 1024)
        .min(rows.max(1));
    let logits = unsafe { context.shared_scratch(Purpose::Rows, chunk * vocab) };
    let nll = Shared::new(nll);
    for from in (0..rows).step_by(chunk) {
        let n = chunk.min(rows - from);
        let logits = &mut logits[..n * vocab];
        let input = &x[from * hidden..(from + n) * hidden];
        gemm(
            context,
            n,
            vocab,
            hidden,
            Matrix::rows(input, hidden),
            Matrix::columns(weight, hidden),
            logits,
            vocab,
            false,
        );
        let scales = gradients
            .as_ref()
            .map(|gradients| &gradients.scales[from..from + n]);
        let shared = Shared::new(logits);
        context.split(n, 4 * vocab, &|first, last| unsafe {
            for row in first..last {
                let line = shared.part(row * vocab, (row + 1) * vocab);
                let target = usize::try_from(targets[from + row])
                    .ok()
                    .filter(|&target| target < vocab);
                let scale = scales.map(|scales| scales[row]);
                nll.part(from + row, from + row + 1)[0] =
                    loss_row(context.isa, line, target, scale);
            }
        });
        let Some(gradients) = &mut gradients else {
            continue;
        };
        let logits = unsafe { shared.part(0, n * vocab) };
        if let Some(dx) = &mut gradients.dx {
            let dx = &mut dx[from * hidden..(from + n) * hidden];
            let (left, right) = (Matrix::rows(logits, vocab), Matrix::rows(weight, hidden));
            gemm(
                context,
                n,
                hidden,
                vocab,
                left,
                right,
                dx,
                hidden,
                gradients.add_x,
            );
        }
        if let Some(dweight) = &mut gradients.dweight {
            let (left, right) = (Matrix::columns(logits, vocab), Matrix::rows(input, hidden));
            gemm(
                context,
                vocab,
                hidden,
                n,
                left,
                right,
                dweight,
                hidden,
                gradients.add_weight || from > 0,
            );
        }
    }
    if rows == 0
        && let Some(gradients) = gradients
        && let Some(dweight) = gradients.dweight
        && !gradients.add_weight
    {
        dweight.fill(0.0);
    }
}

kernels! {
    /// The negative log-probability of the target; with a scale, the logits become scale * (softmax - one-hot).
    fn loss_row(logits: &mut [f32], target: Option<usize>, scale: Option<f32>) -> f32 = loss_body;
}

#[inline(always)]
unsafe fn loss_body<S: Simd>(logits: &mut [f32], target: Option<usize>, scale: Option<f32>) -> f32 {
    let Some(target) = target else {
        if scale.is_some() {
            logits.fill(0.0);
        }
        return 0.0;
    };
    let own = logits[target];
    let (largest, sum) = largest_and_sum_body::<S>(logits);
    if let Some(scale) = scale {
        let (shift, factor) = (S::splat(largest), S::splat(scale / sum));
        let (p, n) = (logits.as_mut_ptr(), logits.len());
        vectors!(S, n, |i, left| {
            let e = simd::exp::<S>(S::sub(simd::get::<S>(p.add(i), left), shift));
            simd::put::<S>(p.add(i), left, S::mul(e, factor));
        });
        logits[target] -= scale;
    }
    largest + sum.ln() - own
}
