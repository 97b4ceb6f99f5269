//! Matrices in the order in which the product reads them: as f32, or as pairs of bf16 along K.

use super::Matrix;
use super::copying::{Source, pack_pairs, pack_panel};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::Floats;
use crate::isa::Isa;

/// What the inner loop of a product multiplies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Inputs {
    /// f32, rounded to bf16 before where that is the precision.
    Floats,
    /// Pairs of bf16, one product instruction for both.
    Pairs,
    /// Tiles of bf16, 32 deep (AMX).
    Tiles,
}

impl Inputs {
    pub fn of(context: &Context) -> Self {
        match (context.precision, context.isa) {
            (Precision::F32, _) => Inputs::Floats,
            (Precision::Bf16, isa) if isa.has_tiles() => Inputs::Tiles,
            (Precision::Bf16, isa) if isa.has_pairs() => Inputs::Pairs,
            _ => Inputs::Floats,
        }
    }

    /// K is filled up with zeros to a multiple of this.
    pub fn depth_step(self) -> usize {
        match self {
            Inputs::Floats => 1,
            Inputs::Pairs => 2,
            Inputs::Tiles => 32,
        }
    }

    /// f32 of scratch memory that `depth` rows of one column take.
    pub fn words(self, depth: usize) -> usize {
        let depth = depth.next_multiple_of(self.depth_step());
        if self == Inputs::Floats {
            depth
        } else {
            depth / 2
        }
    }
}

/// B packed whole, to be used by several products: panels of `panel_columns`, `[panel][k][column]` of f32, or
/// `[panel][k / 2][column][2]` of bf16.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    pub(super) data: &'a [f32],
    pub(super) k: usize,
    pub(super) n: usize,
}

impl Packed<'_> {
    /// Its first `n` columns.
    pub fn first(self, n: usize) -> Self {
        assert!(n <= self.n);
        Self { n, ..self }
    }
}

/// Packs b[k, n] into the scratch of this purpose, which the result borrows in effect: it is good until the next
/// `pack` for the same purpose.
pub fn pack<'c>(
    context: &'c Context,
    k: usize,
    n: usize,
    b: Matrix,
    purpose: Purpose,
) -> Packed<'c> {
    pack_stacked(context, n, &[(b, k)], purpose)
}

/// As `pack`, for matrices one below the other; all but the last have a number of rows that `depth_step` divides.
pub fn pack_stacked<'c>(
    context: &'c Context,
    n: usize,
    parts: &[(Matrix, usize)],
    purpose: Purpose,
) -> Packed<'c> {
    let inputs = Inputs::of(context);
    let mut k = 0usize;
    let mut jobs = Vec::with_capacity(parts.len());
    for &(b, rows) in parts {
        assert!(k.is_multiple_of(inputs.depth_step()));
        jobs.push(Job::new(context, b, rows, n, 0, inputs.words(k)));
        k += rows;
    }
    pack_jobs(context, k, n, &jobs, purpose)
}

/// As `pack`, for matrices side by side; all but the last have a number of columns that `panel_columns` divides.
pub fn pack_beside<'c>(
    context: &'c Context,
    k: usize,
    parts: &[(Matrix, usize)],
    purpose: Purpose,
) -> Packed<'c> {
    let columns = panel_columns(context.isa);
    let mut n = 0usize;
    let mut jobs = Vec::with_capacity(parts.len());
    for &(b, width) in parts {
        assert!(n.is_multiple_of(columns));
        jobs.push(Job::new(context, b, k, width, n / columns, 0));
        n += width;
    }
    pack_jobs(context, k, n, &jobs, purpose)
}

/// A matrix and where it goes: from a panel on, from a row of words of each panel on.
struct Job<'a> {
    b: Matrix<'a>,
    k: usize,
    n: usize,
    panel: usize,
    word: usize,
    /// Pieces of work: some rows of all panels where those lie together, else whole panels.
    pieces: usize,
}

impl<'a> Job<'a> {
    fn new(
        context: &Context,
        b: Matrix<'a>,
        k: usize,
        n: usize,
        panel: usize,
        word: usize,
    ) -> Self {
        assert!(b.holds(k, n) && b.up == 0);
        let pieces = if b.column_stride == 1 {
            k.div_ceil(PACK_ROWS)
        } else {
            n.div_ceil(panel_columns(context.isa))
        };
        Self {
            b,
            k,
            n,
            panel,
            word,
            pieces,
        }
    }
}

fn pack_jobs<'c>(
    context: &'c Context,
    k: usize,
    n: usize,
    jobs: &[Job],
    purpose: Purpose,
) -> Packed<'c> {
    let inputs = Inputs::of(context);
    let columns = panel_columns(context.isa);
    let words = inputs.words(k);
    let length = n.div_ceil(columns) * columns * words;
    let packed = unsafe { context.shared_scratch(purpose, length) };
    let out = Shared::new(packed);
    let pieces: usize = jobs.iter().map(|job| job.pieces).sum();
    // One fork for all: most matrices are small.
    context.split(pieces, k * n / pieces.max(1), &|from, to| {
        let mut first = 0;
        for job in jobs {
            let own = from.clamp(first, first + job.pieces)..to.clamp(first, first + job.pieces);
            for piece in own {
                pack_piece(context, inputs, job, piece - first, out, words);
            }
            first += job.pieces;
        }
    });
    Packed { data: packed, k, n }
}

fn pack_piece(
    context: &Context,
    inputs: Inputs,
    job: &Job,
    piece: usize,
    out: Shared,
    words: usize,
) {
    let &Job { b, k, n, .. } = job;
    let columns = panel_columns(context.isa);
    let panels = n.div_ceil(columns);
    let one = |panel: usize, top: usize, bottom: usize| unsafe {
        let start = panel * columns;
        let first = (job.panel + panel) * words + job.word;
        let to = out.part(
            (first + inputs.words(top)) * columns,
            (first + inputs.words(bottom)) * columns,
        );
        let from = start * b.column_stride + top * b.row_stride;
        let source = Source {
            row_stride: b.row_stride,
            column_stride: b.column_stride,
            rows: bottom - top,
            columns: columns.min(n - start),
            round: context.precision == Precision::Bf16,
        };
        match (inputs, b.data) {
            (Inputs::Floats, Floats::F32(x)) => {
                pack_panel(context.isa, x.as_ptr().add(from), source, to)
            }
            (Inputs::Floats, Floats::Bf16(x)) => {
                pack_panel(context.isa, x.as_ptr().add(from), source, to)
            }
            (_, Floats::F32(x)) => pack_pairs(context.isa, x.as_ptr().add(from), source, to),
            (_, Floats::Bf16(x)) => pack_pairs(context.isa, x.as_ptr().add(from), source, to),
        }
    };
    if b.column_stride == 1 {
        let (top, bottom) = (piece * PACK_ROWS, ((piece + 1) * PACK_ROWS).min(k));
        (0..panels).for_each(|panel| one(panel, top, bottom));
    } else {
        one(piece, 0, k);
    }
}

/// Columns of a panel of packed B: two vectors.
pub fn panel_columns(isa: Isa) -> usize {
    2 * isa.lanes()
}

/// Rows of B that are packed together for all panels: a multiple of every depth step.
const PACK_ROWS: usize = 32;
