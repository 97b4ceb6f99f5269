//! Matrices in the order in which the product reads them: as f32, or as pairs of bf16 along K.

use super::{Matrix, gate_rows};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Element, Floats};
use crate::isa::Isa;
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels};

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
        assert!(b.holds(k, n));
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
        if b.up > 0 {
            return pack_gated(
                context,
                inputs,
                b,
                from,
                bottom - top,
                columns.min(n - start),
                to,
            );
        }
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

/// Packs a part of a gated matrix into one panel.
unsafe fn pack_gated(
    context: &Context,
    inputs: Inputs,
    b: Matrix,
    from: usize,
    rows: usize,
    columns: usize,
    to: &mut [f32],
) {
    let isa = context.isa;
    let source = Source {
        row_stride: MOST_COLUMNS,
        column_stride: 1,
        rows,
        columns,
        round: false,
    };
    if inputs == Inputs::Floats {
        let round = context.precision == Precision::Bf16;
        let mut block = [0.0f32; PACK_ROWS * MOST_COLUMNS];
        let to_block = block.as_mut_ptr();
        gate_rows(
            isa,
            b,
            from,
            rows,
            columns,
            to_block,
            MOST_COLUMNS,
            columns,
            round,
        );
        pack_panel(isa, block.as_ptr(), source, to);
    } else {
        let mut block = [Bf16(0); PACK_ROWS * MOST_COLUMNS];
        let to_block = block.as_mut_ptr();
        gate_rows(
            isa,
            b,
            from,
            rows,
            columns,
            to_block,
            MOST_COLUMNS,
            columns,
            false,
        );
        pack_pairs(isa, block.as_ptr(), source, to);
    }
}

/// Of a panel, on any instruction set.
const MOST_COLUMNS: usize = 32;

/// Columns of a panel of packed B.
pub fn panel_columns(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Neon | Isa::NeonBf16 => 8,
        Isa::Avx2 => 16,
        Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => 32,
        #[cfg(test)]
        Isa::Wide | Isa::WideTiles => 32,
    }
}

/// Rows of B that are packed together for all panels: a multiple of every depth step.
const PACK_ROWS: usize = 32;

/// What part of a matrix is packed.
#[derive(Clone, Copy)]
pub struct Source {
    pub row_stride: usize,
    pub column_stride: usize,
    pub rows: usize,
    pub columns: usize,
    /// Round f32 to bf16 on the way.
    pub round: bool,
}

/// Gate and up in rows: up lies `up` elements after its gate.
#[derive(Clone, Copy)]
pub struct Gates {
    pub up: usize,
    pub stride: usize,
    pub rows: usize,
    pub columns: usize,
    /// Round to bf16 on the way.
    pub round: bool,
}

kernels! {
    /// silu(gate) up, zeros after the columns up to `depth`.
    pub fn gated_rows<E, Out>(from: *const E, gates: Gates, to: *mut Out, to_stride: usize, depth: usize) = gated_rows_body;
    /// Packs columns of a matrix into one panel of f32, zeros after them.
    pub fn pack_panel<E>(from: *const E, source: Source, to: &mut [f32]) = pack_panel_body;
    /// Packs rows whose columns are contiguous into groups of TILE_ROWS: `[group][k][TILE_ROWS]`.
    pub fn pack_rows<E>(from: *const E, stride: usize, rows: usize, k: usize, to: &mut [f32], round: bool) = pack_rows_body;
    /// Rows of f32, `to_stride` apart.
    pub fn copy_rows<E>(from: *const E, stride: usize, rows: usize, k: usize, to: &mut [f32], to_stride: usize, round: bool) = copy_rows_body;
    /// Rows of bf16 with zeros up to `depth`, `to_stride` apart.
    pub fn copy_bf16<E>(from: *const E, stride: usize, rows: usize, k: usize, to: *mut Bf16, to_stride: usize, depth: usize) = copy_bf16_body;
}

pair_kernels! {
    /// Packs columns of a matrix into one panel of pairs, zeros after them to the right and below.
    pub fn pack_pairs<E>(from: *const E, source: Source, to: &mut [f32]) = pack_pairs_body;
    /// As `copy_bf16` for the transpose: row i, element p of the result is from[p * stride + i].
    pub fn turn_bf16<E>(from: *const E, stride: usize, rows: usize, k: usize, to: *mut Bf16, to_stride: usize, depth: usize) = turn_bf16_body;
}

#[inline(always)]
unsafe fn gated_rows_body<S: Simd, E: Element, Out: Element>(
    from: *const E,
    gates: Gates,
    to: *mut Out,
    to_stride: usize,
    depth: usize,
) {
    let n = gates.columns;
    for row in 0..gates.rows {
        let line = from.add(row * gates.stride);
        let out = to.add(row * to_stride);
        crate::vectors!(S, n, |i, left| {
            let gate = simd::get::<S>(line.add(i), left);
            let up = simd::get::<S>(line.add(gates.up + i), left);
            let v = S::mul(S::mul(gate, simd::sigmoid::<S>(gate)), up);
            simd::put::<S>(out.add(i), left, rounded::<S>(v, gates.round));
        });
        for i in n..depth {
            *out.add(i) = Out::of(0.0);
        }
    }
}

#[inline(always)]
unsafe fn rounded<S: Simd>(v: S::V, round: bool) -> S::V {
    if round { S::bf16(v) } else { v }
}

/// A block of LANES x LANES, turned: `to` gets column after column.
#[inline(always)]
unsafe fn turn_block<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    to: *mut f32,
    to_stride: usize,
    round: bool,
) {
    let mut block = [[0.0f32; 16]; 16];
    for i in 0..S::LANES {
        let line = rounded::<S>(E::get::<S>(from.add(i * stride), S::LANES), round);
        S::store(block[i].as_mut_ptr(), line);
    }
    S::transpose(block[0].as_ptr(), 16, to, to_stride);
}

#[inline(always)]
unsafe fn pack_panel_body<S: Simd, E: Element>(from: *const E, source: Source, to: &mut [f32]) {
    let Source {
        row_stride,
        column_stride,
        rows: k,
        columns: width,
        round,
    } = source;
    let columns = 2 * S::LANES;
    let to = to.as_mut_ptr();
    if width == columns && column_stride == 1 {
        for p in 0..k {
            for half in [0, S::LANES] {
                let v = E::get::<S>(from.add(p * row_stride + half), S::LANES);
                S::store(to.add(p * columns + half), rounded::<S>(v, round));
            }
        }
        return;
    }
    let mut done = 0;
    if width == columns && row_stride == 1 {
        while done + S::LANES <= k {
            for half in [0, S::LANES] {
                let block = from.add(half * column_stride + done);
                turn_block::<S, E>(
                    block,
                    column_stride,
                    to.add(done * columns + half),
                    columns,
                    round,
                );
            }
            done += S::LANES;
        }
    }
    for p in done..k {
        for j in 0..columns {
            let value = if j < width {
                (*from.add(p * row_stride + j * column_stride)).value()
            } else {
                0.0
            };
            *to.add(p * columns + j) = if round {
                Bf16::new(value).value()
            } else {
                value
            };
        }
    }
}

#[inline(always)]
unsafe fn pack_rows_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    round: bool,
) {
    let group = S::TILE_ROWS;
    let to = to.as_mut_ptr();
    // Whole groups that fit the buffer in which a stretch of a row is made f32.
    let mut line = [0.0f32; 224];
    let stretch = line.len() / group * group;
    for first in (0..rows).step_by(stretch) {
        let n = stretch.min(rows - first);
        for p in 0..k {
            let from = from.add(p * stride + first);
            crate::vectors!(S, n, |i, left| {
                let v = E::get::<S>(from.add(i), left);
                simd::put::<S>(line.as_mut_ptr().add(i), left, rounded::<S>(v, round));
            });
            for i in (0..n).step_by(group) {
                let out = to.add((first + i) * k + p * group);
                std::ptr::copy_nonoverlapping(line.as_ptr().add(i), out, group);
            }
        }
    }
}

#[inline(always)]
unsafe fn copy_rows_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    to_stride: usize,
    round: bool,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.as_mut_ptr().add(row * to_stride));
        crate::vectors!(S, k, |p, left| {
            let v = E::get::<S>(line.add(p), left);
            simd::put::<S>(out.add(p), left, rounded::<S>(v, round));
        });
    }
}

#[inline(always)]
unsafe fn copy_bf16_body<S: Simd, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: *mut Bf16,
    to_stride: usize,
    depth: usize,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.add(row * to_stride));
        crate::vectors!(S, k, |p, left| {
            simd::put::<S>(out.add(p), left, E::get::<S>(line.add(p), left));
        });
        for p in k..depth {
            *out.add(p) = Bf16(0);
        }
    }
}

#[inline(always)]
unsafe fn pack_pairs_body<S: Pairs, E: Element>(from: *const E, source: Source, to: &mut [f32]) {
    let Source {
        row_stride,
        column_stride,
        rows: k,
        columns: width,
        ..
    } = source;
    let columns = 2 * S::LANES;
    let pairs = to.len() / columns;
    let to = to.as_mut_ptr();
    let mut done = 0;
    if column_stride == 1 {
        while done < k / 2 {
            let line = from.add(2 * done * row_stride);
            for half in [0, S::LANES] {
                let n = width.saturating_sub(half).min(S::LANES);
                let v = if n == S::LANES {
                    E::pair::<S>(line.add(half), line.add(half + row_stride))
                } else if n == 0 {
                    S::splat(0.0)
                } else {
                    let low = E::get::<S>(line.add(half), n);
                    S::pair(low, E::get::<S>(line.add(half + row_stride), n))
                };
                S::store(to.add(done * columns + half), v);
            }
            done += 1;
        }
    } else if row_stride == 1 && width == columns {
        let mut block = [[0.0f32; 16]; 16];
        while 2 * (done + S::LANES) <= k {
            for half in [0, S::LANES] {
                for j in 0..S::LANES {
                    let line = from.add((half + j) * column_stride + 2 * done);
                    S::store(block[j].as_mut_ptr(), E::join::<S>(line));
                }
                S::transpose(
                    block[0].as_ptr(),
                    16,
                    to.add(done * columns + half),
                    columns,
                );
            }
            done += S::LANES;
        }
    }
    let at = |p: usize, j: usize| {
        if p < k && j < width {
            Bf16::new((*from.add(p * row_stride + j * column_stride)).value())
        } else {
            Bf16(0)
        }
    };
    for q in done..pairs {
        for j in 0..columns {
            let out = to.add(q * columns + j) as *mut [Bf16; 2];
            *out = [at(2 * q, j), at(2 * q + 1, j)];
        }
    }
}

#[inline(always)]
unsafe fn turn_bf16_body<S: Pairs, E: Element>(
    from: *const E,
    stride: usize,
    rows: usize,
    k: usize,
    to: *mut Bf16,
    to_stride: usize,
    depth: usize,
) {
    let mut block = [[0.0f32; 16]; 16];
    let whole = rows / S::LANES * S::LANES;
    let mut done = 0;
    while done + 2 * S::LANES <= k {
        for i in (0..whole).step_by(S::LANES) {
            for q in 0..S::LANES {
                let line = from.add((done + 2 * q) * stride + i);
                let pairs = E::pair::<S>(line, line.add(stride));
                S::store(block[q].as_mut_ptr(), pairs);
            }
            let out = to.add(i * to_stride + done) as *mut f32;
            S::transpose(block[0].as_ptr(), 16, out, to_stride / 2);
        }
        for i in whole..rows {
            for p in done..done + 2 * S::LANES {
                *to.add(i * to_stride + p) = Bf16::new((*from.add(p * stride + i)).value());
            }
        }
        done += 2 * S::LANES;
    }
    for i in 0..rows {
        for p in done..depth {
            *to.add(i * to_stride + p) = if p < k {
                Bf16::new((*from.add(p * stride + i)).value())
            } else {
                Bf16(0)
            };
        }
    }
}
