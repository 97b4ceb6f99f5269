//! What `fused.rs` and `floats.rs` share: both take a block of rows through the whole vocabulary, and know the sum of its
//! exponentials only at its end.

use super::rows::{Rows, finish_row};
use super::{CrossEntropy, PACKED_WORDS};
use crate::context::{Context, Purpose, Shared};
use crate::gemm::{Inputs, Matrix, Packed, pack};

/// Whether the weight is small enough to be packed twice.
pub fn fits(context: &Context, vocab: usize, hidden: usize) -> bool {
    Inputs::of(context).words(hidden) * vocab <= PACKED_WORDS
}

/// What a walk reads, and where losses and the gradient of x go.
pub struct Walk<'a> {
    pub context: &'a Context,
    pub of: CrossEntropy<'a>,
    scales: &'a [f32],
    /// The weight for logits, and for the gradient of x where it is wanted.
    pub forward: Packed<'a>,
    pub backward: Option<Packed<'a>>,
    nll: Shared<'a>,
    dx: Option<Shared<'a>>,
    add_x: bool,
}

impl<'a> Walk<'a> {
    pub fn new(
        context: &'a Context,
        of: CrossEntropy<'a>,
        nll: &'a mut [f32],
        scales: &'a [f32],
        dx: Option<&'a mut [f32]>,
        add_x: bool,
    ) -> Self {
        let (hidden, vocab) = (of.hidden, of.vocab());
        let turned = Matrix::columns(of.weight, hidden);
        let straight = Matrix::rows(of.weight, hidden);
        Self {
            context,
            of,
            scales,
            forward: pack(context, hidden, vocab, turned, Purpose::HeadForward),
            backward: (dx.is_some())
                .then(|| pack(context, vocab, hidden, straight, Purpose::HeadBackward)),
            nll: Shared::new(nll),
            dx: dx.map(Shared::new),
            add_x,
        }
    }

    /// Stores the loss of row `first + row`, which is `row` of its block, and its gradient of x, of which `dx` lacks the
    /// part of the target. Gives the slope of the target and what all slopes of the row are still to be multiplied by.
    pub unsafe fn finish(&self, first: usize, row: usize, rows: &Rows, dx: &[f32]) -> (f32, f32) {
        let (own, shift, sum) = (rows.own[row], rows.shifts[row], rows.sums[row]);
        let at = first + row;
        let factor = self.scales[at] / sum;
        let slope = (own - shift).exp() - sum;
        self.nll.part(at, at + 1)[0] = shift + sum.ln() - own;
        if let Some(out) = self.dx {
            let (isa, hidden) = (self.context.isa, self.of.hidden);
            let to = out.part(at * hidden, (at + 1) * hidden);
            let dx = &dx[row * hidden..(row + 1) * hidden];
            finish_row(
                isa,
                dx,
                self.of.weight_of(at),
                slope,
                factor,
                to,
                self.add_x,
            );
        }
        (slope, factor)
    }
}
