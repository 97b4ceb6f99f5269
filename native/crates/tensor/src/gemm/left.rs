//! Rows of A as a product reads them: where they lie, or packed into scratch memory.

use super::Matrix;
use super::amx::SIDE;
use super::copying::{Gates, copy_bf16, copy_rows, gated_rows, pack_rows, turn_bf16};
use super::tile::{Ahead, Layout};
use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Element, Floats};
use crate::isa::Isa;

/// The rows and columns of A that one block of C takes.
#[derive(Clone, Copy)]
pub struct Part {
    pub top: usize,
    pub rows: usize,
    pub begin: usize,
    pub depth: usize,
}

impl Part {
    /// Its first element in the memory of the matrix.
    fn at(&self, a: &Matrix) -> usize {
        self.top * a.row_stride + self.begin * a.column_stride
    }

    /// What this part of A will be read from: rows or columns of a few lines each, too far apart for the machine to ask
    /// for them by itself.
    pub fn ahead(self, a: &Matrix) -> Ahead {
        if self.depth == 0 || self.rows == 0 {
            return Ahead::NOTHING;
        }
        let at = self.at(a);
        let (at, size) = match a.data {
            Floats::F32(x) => (x[at..].as_ptr() as *const u8, 4),
            Floats::Bf16(x) => (x[at..].as_ptr() as *const u8, 2),
        };
        let (stride, pieces, length) = if a.column_stride == 1 {
            (a.row_stride, self.rows, self.depth)
        } else {
            (a.column_stride, self.depth, self.rows)
        };
        Ahead {
            at,
            stride: stride * size,
            pieces,
            bytes: length * size,
            beside: a.up * size,
        }
    }
}

/// Rows of A as f32: where they lie, or packed into this worker's scratch; with their stride.
pub unsafe fn float_rows(
    context: &Context,
    worker: usize,
    a: Matrix,
    part: Part,
    direct: bool,
) -> (*const f32, usize, Layout) {
    let at = part.at(&a);
    match a.data {
        Floats::F32(x) if direct && a.column_stride == 1 => {
            (x.as_ptr().add(at), a.row_stride, Layout::Rows)
        }
        Floats::F32(x) if direct => (x.as_ptr().add(at), a.column_stride, Layout::Columns),
        Floats::F32(x) => pack_floats(context, worker, a, x.as_ptr().add(at), part),
        Floats::Bf16(x) => pack_floats(context, worker, a, x.as_ptr().add(at), part),
    }
}

unsafe fn pack_floats<E: Element>(
    context: &Context,
    worker: usize,
    a: Matrix,
    from: *const E,
    Part { rows, depth, .. }: Part,
) -> (*const f32, usize, Layout) {
    let isa = context.isa;
    let round = context.precision == Precision::Bf16;
    if a.column_stride != 1 {
        let length = rows.next_multiple_of(isa.tile_rows()) * depth;
        let to = context.scratch(worker, Purpose::PackedA, length);
        pack_rows(isa, from, a.column_stride, rows, depth, to, round);
        return (to.as_ptr(), 0, Layout::Groups);
    }
    // Read directly; an odd number of lines apart for the first cache's sake.
    let stride = depth.next_multiple_of(32) + 16;
    let to = context.scratch(worker, Purpose::PackedA, rows * stride);
    if a.up > 0 {
        let gates = gates(a, rows, depth, round);
        gated_rows(isa, from, gates, to.as_mut_ptr(), stride, depth);
    } else {
        copy_rows(isa, from, a.row_stride, rows, depth, to, stride, round);
    }
    (to.as_ptr(), stride, Layout::Rows)
}

/// Rows of A as bf16: where they lie, or in this worker's scratch; with their stride. `step` divides the depth of what
/// is packed.
pub unsafe fn pair_rows(
    context: &Context,
    worker: usize,
    a: Matrix,
    part: Part,
    step: usize,
    direct: bool,
) -> (*const Bf16, usize) {
    if let (true, Floats::Bf16(x)) = (direct, a.data) {
        return (x.as_ptr().add(part.at(&a)), a.row_stride);
    }
    let stride = pair_stride(part.depth);
    let words = context.scratch(worker, Purpose::PackedA, part.rows * stride / 2);
    let to = words.as_mut_ptr() as *mut Bf16;
    pack_pair_rows(context.isa, a, part, to, stride, step);
    (to, stride)
}

/// All of A packed by all threads, for products that read each row of it in several tasks.
pub unsafe fn whole_pairs<'a>(
    context: &'a Context,
    m: usize,
    k: usize,
    a: Matrix,
    step: usize,
) -> Matrix<'a> {
    let stride = pair_stride(k);
    let words = context.shared_scratch(Purpose::PackedA, m * stride / 2);
    let pairs = std::slice::from_raw_parts_mut(words.as_mut_ptr() as *mut Bf16, m * stride);
    let out = Shared::new(pairs);
    context.run_sized(m.div_ceil(SIDE), SIDE * k, &|task, _| {
        let (top, bottom) = (task * SIDE, ((task + 1) * SIDE).min(m));
        let part = Part {
            top,
            rows: bottom - top,
            begin: 0,
            depth: k,
        };
        let to = out.part(top * stride, bottom * stride).as_mut_ptr();
        pack_pair_rows(context.isa, a, part, to, stride, step);
    });
    Matrix::rows(&*pairs, stride)
}

/// Between rows of packed pairs: an odd number of cache lines.
fn pair_stride(depth: usize) -> usize {
    depth.next_multiple_of(64) + 32
}

unsafe fn pack_pair_rows(
    isa: Isa,
    a: Matrix,
    part: Part,
    to: *mut Bf16,
    stride: usize,
    step: usize,
) {
    let at = part.at(&a);
    match a.data {
        Floats::F32(x) => pack_pairs_of(isa, a, x.as_ptr().add(at), part, to, stride, step),
        Floats::Bf16(x) => pack_pairs_of(isa, a, x.as_ptr().add(at), part, to, stride, step),
    }
}

unsafe fn pack_pairs_of<E: Element>(
    isa: Isa,
    a: Matrix,
    from: *const E,
    Part { rows, depth, .. }: Part,
    to: *mut Bf16,
    stride: usize,
    step: usize,
) {
    let whole = depth.next_multiple_of(step);
    if a.column_stride != 1 {
        turn_bf16(isa, from, a.column_stride, rows, depth, to, stride, whole)
    } else if a.up > 0 {
        gated_rows(isa, from, gates(a, rows, depth, false), to, stride, whole)
    } else {
        copy_bf16(isa, from, a.row_stride, rows, depth, to, stride, whole)
    }
}

fn gates(a: Matrix, rows: usize, columns: usize, round: bool) -> Gates {
    Gates {
        up: a.up,
        stride: a.row_stride,
        rows,
        columns,
        round,
    }
}
