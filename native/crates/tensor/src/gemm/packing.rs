//! Matrices in the order in which the product reads them: as f32, or as pairs of bf16 along K.

use super::copying::{Source, pack_pairs, pack_panel};
use super::{Ahead, Matrix, Tile};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::Floats;
use crate::isa::Isa;
use crate::simd::Simd;
use std::ops::Range;

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

impl<'a> Packed<'a> {
    /// What lies in panels already, as `pack` packs it.
    pub fn panels(data: &'a [f32], k: usize, n: usize) -> Self {
        Self { data, k, n }
    }

    /// Its rows.
    pub fn k(&self) -> usize {
        self.k
    }

    /// Its first `n` columns.
    pub fn first(self, n: usize) -> Self {
        assert!(n <= self.n);
        Self { n, ..self }
    }

    /// The block of C that `rows` of A, which `Tile::with_rows` names, make with the rows `depth` and these panels.
    pub(super) fn tile<Out>(
        self,
        context: &Context,
        rows: usize,
        depth: Range<usize>,
        panels: Range<usize>,
        (c, c_stride): (*mut Out, usize),
        plus: *const Out,
    ) -> Tile<f32, Out> {
        let inputs = Inputs::of(context);
        let columns = panel_columns(context.isa);
        let words = inputs.words(self.k);
        let at = (panels.start * words + inputs.words(depth.start)) * columns;
        Tile {
            depth: depth.len().next_multiple_of(inputs.depth_step()),
            a: std::ptr::null(),
            a_stride: 0,
            b: self.data[at..].as_ptr(),
            b_panel_stride: columns * words,
            c,
            c_stride,
            c_panel_stride: columns,
            plus,
            rows,
            columns: self.n.min(panels.end * columns) - panels.start * columns,
        }
    }
}

/// A matrix [k, n] that tasks make, packed, a part each; or none, where it is not wanted.
#[derive(Clone, Copy)]
pub struct PackedOutput<'a> {
    context: &'a Context,
    data: Option<Shared<'a>>,
    k: usize,
    n: usize,
}

impl<'a> PackedOutput<'a> {
    /// In scratch of the call (`Purpose::Activations`).
    ///
    /// # Safety
    /// Nobody else uses that until the product with the matrix is made.
    pub unsafe fn new(context: &'a Context, k: usize, n: usize, wanted: bool) -> Self {
        let length = n.next_multiple_of(panel_columns(context.isa)) * Inputs::of(context).words(k);
        let data = wanted.then(|| context.shared_scratch(Purpose::Activations, length));
        Self {
            context,
            data: data.map(Shared::new),
            k,
            n,
        }
    }

    /// The place of these rows, their start a multiple of the depth step, from this panel on.
    ///
    /// # Safety
    /// Parts that are in use at the same time must not overlap.
    pub unsafe fn part(&self, rows: Range<usize>, panel: usize) -> Panels {
        let (columns, inputs) = (panel_columns(self.context.isa), Inputs::of(self.context));
        let (all, top) = (inputs.words(self.k), inputs.words(rows.start));
        let data = match self.data {
            Some(data) => data.rest((panel * all + top) * columns).pointer(),
            None => std::ptr::null_mut(),
        };
        Panels {
            data,
            apart: all * columns,
            words: inputs.words(rows.end) - top,
        }
    }

    /// The whole, once all parts are there.
    ///
    /// # Safety
    /// No part is in use any more.
    pub unsafe fn packed(self) -> Option<Packed<'a>> {
        let data = self.data.map(|data| &*data.part(0, data.len()));
        data.map(|data| Packed::panels(data, self.k, self.n))
    }
}

/// Where some rows of a packed matrix go, or nowhere.
#[derive(Clone, Copy)]
pub struct Panels {
    data: *mut f32,
    /// f32 from a panel to the next.
    apart: usize,
    /// Of a column of these rows: those at the end are filled up with zeros.
    pub words: usize,
}

impl Panels {
    pub fn wanted(self) -> bool {
        !self.data.is_null()
    }

    /// So many panels, which are written soon.
    pub fn ahead(self, context: &Context, panels: usize) -> Ahead {
        Ahead {
            at: self.data as *const u8,
            stride: self.apart * size_of::<f32>(),
            pieces: if self.wanted() { panels } else { 0 },
            bytes: self.words * panel_columns(context.isa) * size_of::<f32>(),
            beside: 0,
        }
    }

    /// Stores a vector of columns, from `column` on, of a row of words.
    #[inline(always)]
    pub unsafe fn store<S: Simd>(self, word: usize, column: usize, v: S::V) {
        let columns = 2 * S::LANES;
        let panel = self.data.add(column / columns * self.apart);
        S::store(panel.add(word * columns + column % columns), v);
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
