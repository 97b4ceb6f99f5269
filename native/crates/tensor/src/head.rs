//! The vocabulary head with cross-entropy: logits exist for a chunk of rows at a time, and become their own gradient
//! in place, from which the gradients of input and weight are made before the next chunk. With gradients and a weight
//! that is not too large, `fused.rs` (where bf16 is multiplied) and `floats.rs` do with a panel of them at a time.

mod floats;
mod fused;
mod log_probs;
mod rows;
#[cfg(test)]
mod tests;
mod walk;

use crate::context::{Context, Purpose, Shared};
use crate::element::{Bf16, Element, Floats};
use crate::elementwise::{scale, scale_in_place};
use crate::gemm::{Inputs, Matrix, Output, Packed, gemm, gemm_packed, pack};
use crate::kernels;
use crate::normalise::largest_body;
use crate::simd::{self, Simd};
use std::f32::consts::LOG2_E;
use std::ops::Range;

pub use log_probs::{Logits, log_probs};

/// Logits of a chunk: 8 MB, which stay in the last cache of most machines.
const CHUNK_ELEMENTS: usize = 2 << 20;
/// Weights are kept packed up to 64 MB.
const PACKED_WORDS: usize = 16 << 20;

/// What the loss is made of: x[rows, hidden], weight[vocab, hidden], and the target of each row.
#[derive(Clone, Copy)]
pub struct CrossEntropy<'a> {
    pub x: &'a [f32],
    pub weight: &'a [f32],
    pub targets: &'a [i32],
    pub hidden: usize,
}

impl<'a> CrossEntropy<'a> {
    fn rows(&self) -> usize {
        self.targets.len()
    }

    fn vocab(&self) -> usize {
        self.weight.len() / self.hidden
    }

    /// These rows of x.
    fn inputs(&self, rows: Range<usize>) -> &'a [f32] {
        &self.x[rows.start * self.hidden..rows.end * self.hidden]
    }

    /// The row of the weight that makes the logit of this row's target.
    fn weight_of(&self, row: usize) -> &'a [f32] {
        &self.weight[self.targets[row] as usize * self.hidden..][..self.hidden]
    }
}

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
pub fn head(context: &Context, of: CrossEntropy, nll: &mut [f32], gradients: Option<Gradients>) {
    let rows = of.rows();
    assert!(
        of.hidden > 0
            && of.x.len() == rows * of.hidden
            && nll.len() == rows
            && of.weight.len().is_multiple_of(of.hidden)
    );
    let vocab = of.vocab();
    let counts = |target: i32| usize::try_from(target).is_ok_and(|target| target < vocab);
    let wanted: Vec<usize> = (0..rows).filter(|&row| counts(of.targets[row])).collect();
    if wanted.len() == rows {
        all_rows(context, of, nll, gradients);
    } else {
        some_rows(context, of, nll, gradients, &wanted);
    }
}

/// The head for the rows that have a target, put together: answers are often a small part of a conversation.
fn some_rows(
    context: &Context,
    of: CrossEntropy,
    nll: &mut [f32],
    gradients: Option<Gradients>,
    wanted: &[usize],
) {
    let (n, hidden) = (wanted.len(), of.hidden);
    let work = unsafe { context.shared_scratch(Purpose::Inputs, 2 * n * hidden) };
    let (inputs, slopes) = work.split_at_mut(n * hidden);
    for (to, &row) in inputs.chunks_mut(hidden).zip(wanted) {
        to.copy_from_slice(of.inputs(row..row + 1));
    }
    let targets: Vec<i32> = wanted.iter().map(|&row| of.targets[row]).collect();
    let few = CrossEntropy {
        x: inputs,
        targets: &targets,
        ..of
    };
    let mut few_nll = vec![0.0; n];
    let Some(Gradients {
        scales,
        dx,
        dweight,
        add_x,
        add_weight,
    }) = gradients
    else {
        all_rows(context, few, &mut few_nll, None);
        return scatter(nll, &few_nll, wanted);
    };
    let scales: Vec<f32> = wanted.iter().map(|&row| scales[row]).collect();
    let inner = Gradients {
        scales: &scales,
        dx: dx.is_some().then_some(&mut *slopes),
        dweight,
        add_x: false,
        add_weight,
    };
    all_rows(context, few, &mut few_nll, Some(inner));
    scatter(nll, &few_nll, wanted);
    let Some(dx) = dx else { return };
    if !add_x {
        dx.fill(0.0);
    }
    for (from, &row) in slopes.chunks(hidden).zip(wanted) {
        let to = &mut dx[row * hidden..(row + 1) * hidden];
        to.iter_mut().zip(from).for_each(|(to, slope)| *to += slope);
    }
}

fn scatter(nll: &mut [f32], few: &[f32], wanted: &[usize]) {
    nll.fill(0.0);
    for (&value, &row) in few.iter().zip(wanted) {
        nll[row] = value;
    }
}

/// The head when every row has a target.
fn all_rows(context: &Context, of: CrossEntropy, nll: &mut [f32], gradients: Option<Gradients>) {
    let CrossEntropy {
        x,
        weight,
        targets,
        hidden,
    } = of;
    let (rows, vocab) = (of.rows(), of.vocab());
    let Some(mut gradients) = gradients else {
        let part = |outputs: Range<usize>| &weight[outputs.start * hidden..outputs.end * hidden];
        let logits: Logits = &|outputs, x, rows, out| {
            let (n, left) = (outputs.len(), Matrix::rows(x, hidden));
            let right = Matrix::columns(part(outputs), hidden);
            gemm(context, rows, n, hidden, left, right, out);
        };
        return log_probs(context, x, targets, nll, hidden, vocab, logits);
    };
    if rows > 0 && fused::pays(context, vocab, hidden) {
        return fused::head(context, of, nll, gradients);
    }
    if rows > 0 && floats::pays(context, vocab, hidden) {
        return floats::head(context, of, nll, gradients);
    }
    let chunk = (CHUNK_ELEMENTS / vocab.max(1))
        .clamp(256, 1024)
        .min(rows.max(1));
    // Rows of logits lie an odd number of cache lines apart, or columns would all fall into the same few sets.
    let stride = vocab.next_multiple_of(32) + 16;
    let logits = unsafe { context.shared_scratch(Purpose::Rows, chunk * stride) };
    let heads = Heads::new(
        context,
        weight,
        hidden,
        rows > chunk,
        gradients.dx.is_some(),
    );
    let nll = Shared::new(nll);
    let mut sums = vec![0.0; chunk];
    // Where bf16 is multiplied, the gradients of the logits are stored as it: half to read, and nothing to pack.
    let narrow = Inputs::of(context) != Inputs::Floats;
    for from in (0..rows).step_by(chunk) {
        let n = chunk.min(rows - from);
        let input = of.inputs(from..from + n);
        heads.logits(n, input, logits, stride);
        let shared = Shared::new(logits);
        let sums = Shared::new(&mut sums[..n]);
        context.split(n, 4 * vocab, &|first, last| unsafe {
            for row in first..last {
                let line = shared.part(row * stride, row * stride + vocab);
                let target = targets[from + row] as usize;
                let loss = if narrow {
                    narrow_loss_row(context.isa, line, target)
                } else {
                    loss_row(context.isa, line, target)
                };
                nll.part(from + row, from + row + 1)[0] = loss.nll;
                sums.part(row, row + 1)[0] = loss.sum;
            }
        });
        let scales = &gradients.scales[from..from + n];
        let factors = unsafe { sums.part(0, n) };
        for (factor, scale) in factors.iter_mut().zip(scales) {
            *factor = scale / *factor;
        }
        let factors = &*factors;
        let (slopes, stride) = slopes(logits, stride, narrow);
        if let Some(dx) = &mut gradients.dx {
            let dx = &mut dx[from * hidden..(from + n) * hidden];
            if gradients.add_x {
                let own = unsafe { context.shared_scratch(Purpose::Matrix, n * hidden) };
                heads.input_gradient(n, slopes, stride, own);
                scale_rows(context, own, factors, dx, hidden, true);
            } else {
                heads.input_gradient(n, slopes, stride, dx);
                for (row, &factor) in dx.chunks_mut(hidden).zip(factors) {
                    scale_in_place(context, row, factor);
                }
            }
        }
        if let Some(dweight) = &mut gradients.dweight {
            let scaled = unsafe { context.shared_scratch(Purpose::Matrix, n * hidden) };
            scale_rows(context, input, factors, scaled, hidden, false);
            let (left, right) = (
                Matrix::columns(slopes, stride),
                Matrix::rows(&*scaled, hidden),
            );
            gemm(
                context,
                vocab,
                hidden,
                n,
                left,
                right,
                Output::new(&mut **dweight, hidden, gradients.add_weight || from > 0),
            );
        }
    }
    if rows == 0
        && let Some(dweight) = gradients.dweight
        && !gradients.add_weight
    {
        dweight.fill(0.0);
    }
}

/// y[row] = factors[row] x[row], or y += with `add`.
fn scale_rows(
    context: &Context,
    x: &[f32],
    factors: &[f32],
    y: &mut [f32],
    width: usize,
    add: bool,
) {
    let rows = x.chunks(width).zip(y.chunks_mut(width));
    for ((x, y), &factor) in rows.zip(factors) {
        scale(context, x, factor, y, add);
    }
}

/// The gradients of the logits, which took their place, and the stride of their rows.
fn slopes(logits: &[f32], stride: usize, narrow: bool) -> (Floats<'_>, usize) {
    if !narrow {
        return (logits.into(), stride);
    }
    let halves =
        unsafe { std::slice::from_raw_parts(logits.as_ptr() as *const Bf16, 2 * logits.len()) };
    (halves.into(), 2 * stride)
}

/// The weight, packed once for all chunks where it is not too large to keep twice.
struct Heads<'a> {
    context: &'a Context,
    weight: &'a [f32],
    hidden: usize,
    vocab: usize,
    forward: Option<Packed<'a>>,
    backward: Option<Packed<'a>>,
}

impl<'a> Heads<'a> {
    fn new(
        context: &'a Context,
        weight: &'a [f32],
        hidden: usize,
        chunks: bool,
        backward: bool,
    ) -> Self {
        let vocab = weight.len() / hidden;
        let words = Inputs::of(context).words(hidden) * vocab;
        let keep = chunks && words <= PACKED_WORDS;
        let turned = Matrix::columns(weight, hidden);
        let straight = Matrix::rows(weight, hidden);
        let forward = keep.then(|| pack(context, hidden, vocab, turned, Purpose::HeadForward));
        let backward = (keep && backward)
            .then(|| pack(context, vocab, hidden, straight, Purpose::HeadBackward));
        Self {
            context,
            weight,
            hidden,
            vocab,
            forward,
            backward,
        }
    }

    /// logits = x weightᵀ
    fn logits(&self, n: usize, x: &[f32], logits: &mut [f32], stride: usize) {
        let (x, turned) = (
            Matrix::rows(x, self.hidden),
            Matrix::columns(self.weight, self.hidden),
        );
        match self.forward {
            Some(packed) => gemm_packed(
                self.context,
                n,
                x,
                packed,
                Output::new(logits, stride, false),
            ),
            None => gemm(
                self.context,
                n,
                self.vocab,
                self.hidden,
                x,
                turned,
                Output::new(logits, stride, false),
            ),
        }
    }

    /// dx = dlogits weight
    fn input_gradient(&self, n: usize, dlogits: Floats, stride: usize, dx: &mut [f32]) {
        let (left, right) = (
            Matrix::rows(dlogits, stride),
            Matrix::rows(self.weight, self.hidden),
        );
        match self.backward {
            Some(packed) => gemm_packed(
                self.context,
                n,
                left,
                packed,
                Output::new(dx, self.hidden, false),
            ),
            None => gemm(
                self.context,
                n,
                self.hidden,
                self.vocab,
                left,
                right,
                Output::new(dx, self.hidden, false),
            ),
        }
    }
}

/// Of one row of logits.
#[derive(Clone, Copy)]
struct Loss {
    nll: f32,
    /// What the row of slopes is still to be divided by.
    sum: f32,
}

kernels! {
    /// The negative log-probability of the target; the logits become sum * (softmax - one-hot). To scale
    /// the few columns that are made of them afterwards is less work than another walk over the vocabulary.
    fn loss_row(logits: &mut [f32], target: usize) -> Loss = wide_loss_body;
    /// The same with the slopes as bf16, in the first half of the row's memory.
    fn narrow_loss_row(logits: &mut [f32], target: usize) -> Loss = narrow_loss_body;
}

#[inline(always)]
unsafe fn wide_loss_body<S: Simd>(logits: &mut [f32], target: usize) -> Loss {
    loss_body::<S, f32>(logits, target)
}

#[inline(always)]
unsafe fn narrow_loss_body<S: Simd>(logits: &mut [f32], target: usize) -> Loss {
    loss_body::<S, Bf16>(logits, target)
}

#[inline(always)]
unsafe fn loss_body<S: Simd, E: Element>(logits: &mut [f32], target: usize) -> Loss {
    let own = logits[target];
    let largest = largest_body::<S>(logits);
    let (p, n) = (logits.as_ptr(), logits.len());
    // What is stored lies behind what is read, or at the same place.
    let to = logits.as_mut_ptr() as *mut E;
    let unit = if E::NARROW { LOG2_E } else { 1.0 };
    let (factor, shift) = (S::splat(unit), S::splat(-largest * unit));
    let whole = n / S::LANES * S::LANES;
    let mut sums = S::splat(0.0);
    for i in (0..whole).step_by(S::LANES) {
        let x = S::fma(S::load(p.add(i)), factor, shift);
        let e = if E::NARROW {
            simd::exp2_near::<S>(x)
        } else {
            simd::exp::<S>(x)
        };
        simd::put::<S>(to.add(i), S::LANES, e);
        sums = S::add(sums, e);
    }
    let mut sum = S::sum(sums);
    for i in whole..n {
        let e = (*p.add(i) - largest).exp();
        *to.add(i) = E::of(e);
        sum += e;
    }
    *to.add(target) = E::of((own - largest).exp() - sum);
    Loss {
        nll: largest + sum.ln() - own,
        sum,
    }
}
