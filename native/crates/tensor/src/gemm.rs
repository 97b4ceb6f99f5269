//! Matrix products: the three forms of training (x Wᵀ, dy W, dyᵀ x) are one product over strided matrices.
//!
//! B is packed once into panels of two vectors of columns, shared by all threads. A is read where it lies when its
//! rows are contiguous and of the type that is multiplied, else packed by the task that needs it. A task is a block of
//! C; it walks K in blocks that keep a panel of B in the first caches and its rows of A in the second, and keeps
//! TILE_ROWS x 2 vectors of C in registers (Goto and van de Geijn 2008). `packing::Inputs` says what is multiplied:
//! f32, or bf16 where the machine has products of them (`tile.rs`: pairs, `amx.rs`: tiles); both sums are f32.

mod amx;
mod copying;
mod few_rows;
mod left;
mod narrow;
mod packing;
mod tile;

#[cfg(target_arch = "x86_64")]
pub use amx::available as tiles_available;
pub use amx::{LOOP_PRODUCTS, tile_loop};
pub use copying::{Source, copy_bf16, copy_rows, pack_pairs, pack_panel, turn_bf16};
pub use few_rows::FEW_ROWS;
pub use narrow::{NarrowRows, narrow_product};
pub use packing::{Inputs, Packed, pack, pack_beside, pack_stacked, panel_columns};
pub use tile::{Tile, block_product, pair_product, turned_block};

use amx::{SIDE, tile_product};
use few_rows::few_rows;
use left::{Part, float_rows, pair_rows, whole_pairs};

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Element, Floats, FloatsMut};
use crate::isa::Isa;

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
    fn pointer<E: Element>(self, c: &[E]) -> *const E {
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

/// Longest stretch of K between two visits of C: a panel of B of this depth stays in the first cache.
const K_BLOCK: usize = 384;
/// The same for bf16, of which the panel comes from the second cache as fast as it is needed.
const PAIR_K_BLOCK: usize = 1024;
/// And for tiles, where C is costlier to visit.
const TILE_K_BLOCK: usize = 2048;
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

fn tile_rows(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Avx2 => 6,
        Isa::Neon | Isa::NeonBf16 => 12,
        Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => 14,
        #[cfg(test)]
        Isa::Wide | Isa::WideTiles => 14,
    }
}

fn multiply(context: &Context, m: usize, a: Matrix, b: Packed, out: &mut Output, from: usize) {
    let (plus, stride) = (out.plus, out.stride);
    match &mut out.c {
        FloatsMut::F32(c) => {
            let plus = plus.pointer(c);
            multiply_into(context, m, a, b, Shared::new(c), plus, stride, from);
        }
        FloatsMut::Bf16(c) => {
            let plus = plus.pointer(c);
            multiply_into(context, m, a, b, Shared::new(c), plus, stride, from);
        }
    }
}

/// Where A and C of a product lie.
struct Blocks<E> {
    m: usize,
    c: *mut E,
    plus: *const E,
}

unsafe impl<E> Sync for Blocks<E> {}

/// The product with packed B, cut into blocks of C.
fn multiply_into<E: Element>(
    context: &Context,
    m: usize,
    a: Matrix,
    b: Packed,
    c: Shared<E>,
    plus: *const E,
    stride: usize,
    from: usize,
) {
    let inputs = Inputs::of(context);
    let Packed { k, n, .. } = b;
    let columns = panel_columns(context.isa);
    let panels = n.div_ceil(columns);
    let step = inputs.depth_step();
    let mut direct = a.column_stride == 1
        && a.up == 0
        && match a.data {
            Floats::F32(_) => inputs == Inputs::Floats && context.precision == Precision::F32,
            // Rows a multiple of 4 KB apart fall into one set of the first cache, a tile takes 16 of them.
            Floats::Bf16(_) if inputs == Inputs::Tiles => {
                k.is_multiple_of(step) && !a.row_stride.is_multiple_of(2048)
            }
            Floats::Bf16(_) => inputs != Inputs::Floats && k.is_multiple_of(step),
        };
    let (row_block, panel_block) = block_sizes(context, m, n, k, direct);
    let row_tasks = m.div_ceil(row_block);
    let panel_tasks = panels.div_ceil(panel_block);
    let mut a = a;
    if inputs == Inputs::Tiles && !direct && panel_tasks > 1 && m * k <= 2 * PACKED_LIMIT {
        a = unsafe { whole_pairs(context, m, k, a, step) };
        direct = true;
    }
    // bf16 is stored once: half sums in it would be rounded twice.
    let longest = match inputs {
        _ if std::mem::size_of::<E>() == 2 => usize::MAX,
        Inputs::Floats => K_BLOCK,
        Inputs::Pairs => PAIR_K_BLOCK,
        Inputs::Tiles => TILE_K_BLOCK,
    };
    let k_block = k
        .div_ceil(k.div_ceil(longest).max(1))
        .next_multiple_of(step)
        .max(step);
    let out = Blocks {
        m,
        c: c.pointer(),
        plus,
    };
    let work = |task: usize, worker: usize| {
        let out = &out;
        let (row_task, panel_task) = (task % row_tasks, task / row_tasks);
        let (top, bottom) = (
            row_task * row_block,
            ((row_task + 1) * row_block).min(out.m),
        );
        let (first, last) = (
            panel_task * panel_block,
            ((panel_task + 1) * panel_block).min(panels),
        );
        let at = top * stride + from + first * columns;
        // An empty K gives one block of depth 0, which stores zeros.
        for begin in (0..k.max(1)).step_by(k_block) {
            let depth = k_block.min(k - begin);
            let rows = bottom - top;
            let part = Part {
                top,
                rows,
                begin,
                depth,
            };
            unsafe {
                let c = out.c.add(at);
                let plus = if begin > 0 {
                    c as *const E
                } else if out.plus.is_null() {
                    out.plus
                } else {
                    out.plus.add(at)
                };
                let tile = Tile {
                    depth: depth.next_multiple_of(step),
                    a: std::ptr::null::<f32>(),
                    a_stride: 0,
                    b: b.data
                        .as_ptr()
                        .add((first * inputs.words(k) + inputs.words(begin)) * columns),
                    b_panel_stride: columns * inputs.words(k),
                    c,
                    c_stride: stride,
                    plus,
                    rows,
                    columns: (n - first * columns).min((last - first) * columns),
                };
                if inputs == Inputs::Floats {
                    let (a, a_stride) = float_rows(context, worker, a, part, direct);
                    block_product(context.isa, tile.with_rows(a, a_stride));
                } else {
                    let (a, a_stride) = pair_rows(context, worker, a, part, step, direct);
                    if inputs == Inputs::Tiles {
                        tile_product(context.isa, tile.with_rows(a, a_stride));
                    } else {
                        pair_product(context.isa, tile.with_rows(a, a_stride));
                    }
                }
            }
        }
    };
    context.run_sized(
        row_tasks * panel_tasks,
        row_block * panel_block * columns * k,
        &work,
    );
}

/// Rows and panels of the block of C that a task takes: its rows of A fit the second cache, and there are enough
/// tasks for the threads.
fn block_sizes(context: &Context, m: usize, n: usize, k: usize, direct: bool) -> (usize, usize) {
    let rows = tile_rows(context.isa);
    let panels = n.div_ceil(panel_columns(context.isa));
    if Inputs::of(context) == Inputs::Tiles {
        return tile_block_sizes(context.threads, m, panels, k);
    }
    let cached = match Inputs::of(context) {
        Inputs::Floats => 65_536 / k.clamp(1, K_BLOCK),
        _ => 131_072 / k.clamp(1, PAIR_K_BLOCK),
    };
    let cached = cached.max(rows);
    if context.threads == 1 {
        return (cached.next_multiple_of(rows), panels);
    }
    // Rows that have to be packed are packed by one task only, unless that makes many tasks read a large B.
    let whole_rows = !direct && m > n;
    let row_parts = context.threads * if whole_rows { 4 } else { 2 };
    let row_block = match Inputs::of(context) {
        Inputs::Floats => cached.min(m.div_ceil(row_parts)).next_multiple_of(rows),
        // Its tiles may be of any height: tasks of one size keep the threads together.
        _ => m.div_ceil(
            m.div_ceil(cached)
                .next_multiple_of(row_parts)
                .min(m.div_ceil(rows)),
        ),
    };
    let wanted = (context.threads * 4).div_ceil(m.div_ceil(row_block));
    let panel_block = if whole_rows {
        panels
    } else {
        panels.div_ceil(wanted).max(1)
    };
    (row_block, panel_block)
}

/// As `block_sizes`, for tiles; `amx.rs` says why.
fn tile_block_sizes(threads: usize, m: usize, panels: usize, k: usize) -> (usize, usize) {
    const CACHED: usize = 262_144;
    const FEWEST_ROWS: usize = 128;
    let cached = (CACHED / k.clamp(1, TILE_K_BLOCK) / SIDE * SIDE).max(SIDE);
    if threads == 1 {
        return (cached, panels);
    }
    let tasks = 4 * threads;
    let most = cached.min(m.div_ceil(tasks).max(FEWEST_ROWS));
    let row_block = m.div_ceil(m.div_ceil(most)).next_multiple_of(SIDE);
    let panel_tasks = tasks.div_ceil(m.div_ceil(row_block)).min(panels);
    (row_block, panels.div_ceil(panel_tasks))
}

#[cfg(test)]
mod tests;
