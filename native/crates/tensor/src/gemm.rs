//! Matrix products: the three forms of training (x Wᵀ, dy W, dyᵀ x) are one product over strided matrices.
//!
//! B is packed once into panels of two vectors of columns, shared by all threads. A is read where it lies when its
//! rows are contiguous and of the type that is multiplied, else packed by the task that needs it. A task is a block of
//! C; it walks K in blocks and, for each tile of its rows, the panels of B that the second cache holds, and keeps
//! TILE_ROWS x 2 vectors of C in registers (after Goto and van de Geijn 2008). `packing::Inputs` says what is multiplied:
//! f32 (`float_tile.rs`), or bf16 where the machine has products of them (`pair_tile.rs`, `amx.rs`); sums are f32.

mod amx;
mod copying;
mod few_rows;
mod float_tile;
mod left;
mod narrow;
mod packing;
mod pair_tile;
mod product;
mod strip;
mod tile;
mod wide;

#[cfg(target_arch = "x86_64")]
pub use amx::available as tiles_available;
pub use amx::{LOOP_PRODUCTS, tile_loop};
pub use copying::{Source, copy_bf16, copy_rows, pack_pairs, pack_panel, pack_rows, turn_bf16};
pub use few_rows::FEW_ROWS;
pub use float_tile::{Turned, block_product, turned_product};
pub use narrow::{NarrowRows, narrow_product};
pub use packing::{
    Inputs, Packed, PackedOutput, Panels, pack, pack_beside, pack_stacked, panel_columns,
};
pub use pair_tile::pair_product;
pub use strip::{Strip, strip_rows};
pub use tile::{Ahead, Layout, Tile, plus_at};
pub use wide::{WideOutput, WideRows, wide_product};

use few_rows::few_rows;
use product::{Product, run_all};

use crate::context::{Context, Purpose, Shared};
use crate::element::{Element, Floats, FloatsMut};

/// A matrix in memory: element (row, column) at row * row_stride + column * column_stride; one stride is 1.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: Floats<'a>,
    row_stride: usize,
    column_stride: usize,
    /// Above 0, an element is silu(x) times what lies so many elements after x: gate and up of SwiGLU in one row.
    up: usize,
}

impl<'a> Matrix<'a> {
    /// Stored row by row, `width` apart.
    pub fn rows(data: impl Into<Floats<'a>>, width: usize) -> Self {
        Self {
            data: data.into(),
            row_stride: width,
            column_stride: 1,
            up: 0,
        }
    }

    /// Stored column by column: the transpose of what lies there row by row.
    pub fn columns(data: impl Into<Floats<'a>>, width: usize) -> Self {
        Self {
            data: data.into(),
            row_stride: 1,
            column_stride: width,
            up: 0,
        }
    }

    /// silu(gate) up of rows of gate and up side by side, `width` each: computed while it is packed, stored nowhere.
    pub fn gated(gate_up: impl Into<Floats<'a>>, width: usize) -> Self {
        Self {
            up: width,
            ..Self::rows(gate_up, 2 * width)
        }
    }

    /// The matrix from this column on.
    fn at_column(&self, column: usize) -> Self {
        Self {
            data: self.data.from(column * self.column_stride),
            ..*self
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride + self.up
                < self.data.len()
    }
}

/// C, its rows `stride` apart, and what the product is added to.
pub struct Output<'a> {
    pub c: FloatsMut<'a>,
    pub stride: usize,
    pub plus: Plus<'a>,
}

/// What a product is added to before it is stored.
#[derive(Clone, Copy)]
pub enum Plus<'a> {
    Nothing,
    Itself,
    /// Laid out and stored as C.
    Rows(Floats<'a>),
}

impl Plus<'_> {
    /// What is added to C, laid out as it is; null for nothing. `Output::holds` has seen that it is stored alike.
    pub(crate) fn pointer<E: Element>(self, c: &[E]) -> *const E {
        match self {
            Plus::Nothing => std::ptr::null(),
            Plus::Itself => c.as_ptr(),
            Plus::Rows(rows) => E::stored(rows).expect("stored as C").as_ptr(),
        }
    }
}

impl<'a> Output<'a> {
    pub fn new(c: impl Into<FloatsMut<'a>>, stride: usize, add: bool) -> Self {
        let plus = if add { Plus::Itself } else { Plus::Nothing };
        Self {
            c: c.into(),
            stride,
            plus,
        }
    }

    fn holds(&self, m: usize, n: usize) -> bool {
        let last = (m - 1) * self.stride + n;
        let fits = match (&self.plus, &self.c) {
            (Plus::Rows(Floats::F32(plus)), FloatsMut::F32(_)) => last <= plus.len(),
            (Plus::Rows(Floats::Bf16(plus)), FloatsMut::Bf16(_)) => last <= plus.len(),
            (Plus::Rows(_), _) => false,
            _ => true,
        };
        fits && last <= self.c.len() && n <= self.stride
    }
}

/// f32 of scratch for B packed at once, 32 MB.
const PACKED_LIMIT: usize = 8 << 20;

/// c[m, n] = a[m, k] b[k, n] (+ what `out` says).
pub fn gemm(
    context: &Context,
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
    mut out: Output,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n) && out.holds(m, n));
    if m <= FEW_ROWS && a.up == 0 && a.column_stride == 1 && b.row_stride == 1 && k > 0 {
        return few_rows(context, m, n, k, a, b, out);
    }
    let columns = panel_columns(context.isa);
    let at_once =
        (PACKED_LIMIT / Inputs::of(context).words(k).max(1)).max(columns) / columns * columns;
    for from in (0..n).step_by(at_once) {
        let width = at_once.min(n - from);
        let packed = pack(context, k, width, b.at_column(from), Purpose::PackedB);
        multiply(context, m, a, packed, &mut out, from);
    }
}

/// As `gemm`, with B packed before.
pub fn gemm_packed(context: &Context, m: usize, a: Matrix, b: Packed, mut out: Output) {
    if m == 0 || b.n == 0 {
        return;
    }
    assert!(a.holds(m, b.k) && out.holds(m, b.n));
    multiply(context, m, a, b, &mut out, 0);
}

/// A left side, and where its product goes: without gaps, added to what is there or not.
pub struct Left<'a> {
    pub rows: usize,
    pub a: Matrix<'a>,
    pub to: &'a mut [f32],
    pub add: bool,
}

/// As `gemm_packed` for several left sides, in one fork.
pub fn gemm_packed_each(context: &Context, lefts: Vec<Left>, b: Packed) {
    if Inputs::of(context) == Inputs::Tiles {
        // A is packed as a whole there, into one place.
        for Left { rows, a, to, add } in lefts {
            gemm_packed(context, rows, a, b, Output::new(to, b.n, add));
        }
        return;
    }
    let all = lefts.iter().map(|left| left.rows).sum();
    let products: Vec<Product<f32>> = lefts
        .into_iter()
        .filter(|left| left.rows > 0 && b.n > 0)
        .map(|Left { rows, a, to, add }| {
            assert!(a.holds(rows, b.k) && to.len() >= rows * b.n);
            let c = Shared::new(to);
            let plus = if add {
                c.pointer()
            } else {
                std::ptr::null_mut()
            };
            Product::new(context, [rows, all], a, b, c, plus, b.n, 0)
        })
        .collect();
    run_all(context, &products);
}

fn multiply(context: &Context, m: usize, a: Matrix, b: Packed, out: &mut Output, from: usize) {
    let (plus, stride) = (out.plus, out.stride);
    match &mut out.c {
        FloatsMut::F32(c) => {
            let plus = plus.pointer(c);
            let c = Shared::new(c);
            run_all(
                context,
                &[Product::new(context, [m, m], a, b, c, plus, stride, from)],
            );
        }
        FloatsMut::Bf16(c) => {
            let plus = plus.pointer(c);
            let c = Shared::new(c);
            run_all(
                context,
                &[Product::new(context, [m, m], a, b, c, plus, stride, from)],
            );
        }
    }
}

#[cfg(test)]
mod tests;
