//! Log-probabilities without gradients: logits exist for a group of columns at a time, few enough for the last cache, and
//! each row keeps the largest so far and the sum of exponentials below it (Milakov and Gimelshein 2018).

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Floats};
use crate::elementwise::narrow;
use crate::gemm::Output;
use crate::kernels;
use crate::normalise::largest_and_sum_body;
use crate::simd::Simd;
use std::ops::Range;

/// f32 of logits at a time, 16 MB.
const LOGITS: usize = 4 << 20;
/// Columns whose exponentials are summed before they meet the others: the sum of a row does not depend on how many rows
/// there are beside it.
const STRETCH: usize = 512;
/// Rows that have logits at a time.
const MOST_ROWS: usize = LOGITS / STRETCH;

/// Makes some columns of x Wᵀ: of which outputs, of which x, how many rows of it, and to where.
pub type Logits<'a> = &'a dyn Fn(Range<usize>, Floats, usize, Output);

/// What a row has of the columns that have been.
#[derive(Clone, Copy)]
struct Seen {
    largest: f32,
    /// Of exp(logit - largest).
    sum: f32,
    target: f32,
}

/// nll[i] = -log softmax(x[i] Wᵀ)[targets[i]], 0 where the target is negative.
pub fn log_probs(
    context: &Context,
    x: &[f32],
    targets: &[i32],
    nll: &mut [f32],
    hidden: usize,
    vocab: usize,
    logits: Logits,
) {
    let chunks = targets.chunks(MOST_ROWS).zip(nll.chunks_mut(MOST_ROWS));
    for ((targets, nll), x) in chunks.zip(x.chunks((MOST_ROWS * hidden).max(1))) {
        some_rows(context, x, targets, nll, vocab, logits);
    }
}

fn some_rows(
    context: &Context,
    x: &[f32],
    targets: &[i32],
    nll: &mut [f32],
    vocab: usize,
    logits: Logits,
) {
    let rows = targets.len();
    let group = (LOGITS / rows / STRETCH).max(1) * STRETCH;
    // SAFETY: products use other scratch.
    let values = unsafe { context.shared_scratch(Purpose::Logits, rows * group.min(vocab)) };
    // Rounded once for all groups.
    let x: Floats = if context.precision == Precision::Bf16 {
        let to = unsafe {
            let halves = context.shared_scratch(Purpose::Matrix, x.len() / 2 + 1);
            std::slice::from_raw_parts_mut(halves.as_mut_ptr() as *mut Bf16, x.len())
        };
        narrow(context, x, to);
        (&*to).into()
    } else {
        x.into()
    };
    let nothing = Seen {
        largest: f32::NEG_INFINITY,
        sum: 0.0,
        target: 0.0,
    };
    let mut seen = vec![nothing; rows];
    for from in (0..vocab).step_by(group) {
        let to = vocab.min(from + group);
        let width = to - from;
        logits(
            from..to,
            x,
            rows,
            Output::new(&mut values[..rows * width], width, false),
        );
        let (values, seen) = (&*values, Shared::new(&mut seen));
        context.split(rows, 4 * width, &|first, last| unsafe {
            for row in first..last {
                let line = &values[row * width..(row + 1) * width];
                let own = &mut seen.part(row, row + 1)[0];
                for stretch in line.chunks(STRETCH) {
                    see(context.isa, stretch, own);
                }
                if let Ok(target) = usize::try_from(targets[row])
                    && (from..to).contains(&target)
                {
                    own.target = line[target - from];
                }
            }
        });
    }
    for ((nll, seen), &target) in nll.iter_mut().zip(seen).zip(targets) {
        *nll = if target < 0 {
            0.0
        } else {
            seen.largest + seen.sum.ln() - seen.target
        };
    }
}

kernels! {
    fn see(logits: &[f32], seen: &mut Seen) = see_body;
}

#[inline(always)]
unsafe fn see_body<S: Simd>(logits: &[f32], seen: &mut Seen) {
    let (largest, sum) = largest_and_sum_body::<S>(logits);
    if largest > seen.largest {
        seen.sum = seen.sum * (seen.largest - largest).exp() + sum;
        seen.largest = largest;
    } else {
        seen.sum += sum * (largest - seen.largest).exp();
    }
}
