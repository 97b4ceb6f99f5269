//! Matrix products: the three forms of training (x Wᵀ, dy W, dyᵀ x) are one product over strided matrices.
//!
//! B is packed once into panels of two vectors of columns (`[panel][k][columns]`), shared by all threads. A is read
//! where it lies when its rows are contiguous, else packed by the task that needs it. A task is a block of C; it
//! walks K in blocks that keep a panel of B in the first cache and its rows of A in the second, and keeps
//! TILE_ROWS x 2 vectors of C in registers (Goto and van de Geijn 2008). bf16 precision rounds while packing.
//! A kernel with its own inputs (AMX tiles, `vdpbf16ps`) replaces `block_body` and the packing for its `Isa`.

mod few_rows;
mod packing;
mod tile;

pub use packing::{Packed, pack, pack_panel, panel_columns};
pub use tile::{Tile, block_product, turned_block};

use few_rows::{FEW_ROWS, few_rows};
use packing::{copy_rounded, pack_rows, round_bf16};

use crate::context::{Context, Precision, Purpose, Shared};
use crate::isa::Isa;

/// A matrix in memory: element (row, column) at row * row_stride + column * column_stride; one stride is 1.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Stored row by row, `width` apart.
    pub fn rows(data: &'a [f32], width: usize) -> Self {
        Self {
            data,
            row_stride: width,
            column_stride: 1,
        }
    }

    /// Stored column by column: the transpose of what lies there row by row.
    pub fn columns(data: &'a [f32], width: usize) -> Self {
        Self {
            data,
            row_stride: 1,
            column_stride: width,
        }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len()
    }
}

/// Longest stretch of K between two visits of C: a panel of B of this depth stays in the first cache.
const K_BLOCK: usize = 384;
/// Elements of B packed at once, 16 MB.
const PACKED_LIMIT: usize = 4 << 20;

/// c[m, n] = a[m, k] b[k, n], or c += with `add`; rows of C are `c_stride` apart.
pub fn gemm(
    context: &Context,
    m: usize,
    n: usize,
    k: usize,
    a: Matrix,
    b: Matrix,
    c: &mut [f32],
    c_stride: usize,
    add: bool,
) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(a.holds(m, k) && b.holds(k, n) && (m - 1) * c_stride + n <= c.len() && n <= c_stride);
    if k == 0 {
        if !add {
            c.chunks_mut(c_stride)
                .take(m)
                .for_each(|row| row[..n].fill(0.0));
        }
        return;
    }
    if m <= FEW_ROWS && a.column_stride == 1 && b.row_stride == 1 {
        return few_rows(context, m, n, k, a, b, c, c_stride, add);
    }
    let columns = panel_columns(context.isa);
    let at_once = (PACKED_LIMIT / k).max(columns) / columns * columns;
    let c = Shared::new(c);
    for from in (0..n).step_by(at_once) {
        let width = at_once.min(n - from);
        let b = Matrix {
            data: &b.data[from * b.column_stride..],
            ..b
        };
        let packed = pack(context, k, width, b, Purpose::PackedB);
        multiply(context, m, a, packed, c, from, c_stride, add);
    }
}

fn tile_rows(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Avx2 => 6,
        Isa::Avx512 => 14,
        #[cfg(test)]
        Isa::Wide => 14,
    }
}

/// As `gemm`, with B packed before.
pub fn gemm_packed(
    context: &Context,
    m: usize,
    a: Matrix,
    b: Packed,
    c: &mut [f32],
    c_stride: usize,
    add: bool,
) {
    if m == 0 || b.n == 0 {
        return;
    }
    assert!(a.holds(m, b.k) && (m - 1) * c_stride + b.n <= c.len() && b.n <= c_stride);
    multiply(context, m, a, b, Shared::new(c), 0, c_stride, add);
}

/// The product with packed B, cut into blocks of C.
fn multiply(
    context: &Context,
    m: usize,
    a: Matrix,
    Packed { data: packed, k, n }: Packed,
    c: Shared,
    c_from: usize,
    c_stride: usize,
    add: bool,
) {
    let rows = tile_rows(context.isa);
    let columns = panel_columns(context.isa);
    let panels = n.div_ceil(columns);
    let round = context.precision == Precision::Bf16;
    let direct = a.column_stride == 1 && !round;
    let (row_block, panel_block) = block_sizes(context, m, n, k, direct);
    let row_tasks = m.div_ceil(row_block);
    let panel_tasks = panels.div_ceil(panel_block);
    let k_blocks = k.div_ceil(K_BLOCK);
    let k_block = k.div_ceil(k_blocks);
    let work = |task: usize, worker: usize| {
        let (row_task, panel_task) = (task % row_tasks, task / row_tasks);
        let (top, bottom) = (row_task * row_block, ((row_task + 1) * row_block).min(m));
        let (first, last) = (
            panel_task * panel_block,
            ((panel_task + 1) * panel_block).min(panels),
        );
        for from in (0..k).step_by(k_block) {
            let depth = k_block.min(k - from);
            let block = unsafe {
                a.data
                    .as_ptr()
                    .add(top * a.row_stride + from * a.column_stride)
            };
            unsafe {
                let (a_block, a_stride) = if direct {
                    (block, a.row_stride)
                } else if a.column_stride == 1 {
                    // Rounded rows, read directly; an odd number of lines apart for the first cache's sake.
                    let stride = depth.next_multiple_of(32) + 16;
                    let to = context.scratch(worker, Purpose::PackedA, row_block * stride);
                    copy_rounded(
                        context.isa,
                        block,
                        a.row_stride,
                        bottom - top,
                        depth,
                        to,
                        stride,
                    );
                    (to.as_ptr(), stride)
                } else {
                    let to = context.scratch(
                        worker,
                        Purpose::PackedA,
                        row_block.next_multiple_of(rows) * depth,
                    );
                    pack_rows(context.isa, block, a.column_stride, bottom - top, depth, to);
                    if round {
                        round_bf16(context.isa, to);
                    }
                    (to.as_ptr(), 0)
                };
                let tile = Tile {
                    depth,
                    a: a_block,
                    a_stride,
                    b: packed.as_ptr().add(first * columns * k + from * columns),
                    b_panel_stride: columns * k,
                    c: c.pointer().add(top * c_stride + c_from + first * columns),
                    c_stride,
                    rows: bottom - top,
                    columns: (n - first * columns).min((last - first) * columns),
                    add: add || from > 0,
                };
                block_product(context.isa, tile);
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
    let cached = (65_536 / k.min(K_BLOCK)).max(rows);
    if context.threads == 1 {
        return (cached.next_multiple_of(rows), panels);
    }
    // Rows that have to be packed are packed by one task only, unless that makes many tasks read a large B.
    let whole_rows = !direct && m > n;
    let row_parts = context.threads * if whole_rows { 4 } else { 2 };
    let row_block = cached.min(m.div_ceil(row_parts)).next_multiple_of(rows);
    let wanted = (context.threads * 4).div_ceil(m.div_ceil(row_block));
    let panel_block = if whole_rows {
        panels
    } else {
        panels.div_ceil(wanted).max(1)
    };
    (row_block, panel_block)
}

#[cfg(test)]
mod tests {
    use super::{Matrix, gemm};
    use crate::context::{Context, Precision};
    use crate::isa::TESTED;
    use crate::simd::bf16;

    fn noise(n: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn every_form_at_odd_shapes_equals_the_plain_triple_loop() {
        let shapes = [
            (1, 1, 1),
            (7, 17, 5),
            (13, 33, 400),
            (61, 8, 31),
            (2, 130, 1),
            (97, 50, 801),
        ];
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            for precision in [Precision::F32, Precision::Bf16] {
                for threads in [1, 2] {
                    let context = Context::new(isa, threads, precision);
                    for (m, n, k) in shapes {
                        for form in 0..4 {
                            check(&context, m, n, k, form & 1 > 0, form & 2 > 0);
                        }
                    }
                }
            }
        }
    }

    fn check(context: &Context, m: usize, n: usize, k: usize, turned_a: bool, turned_b: bool) {
        let (a, b) = (noise(m * k, 1), noise(k * n, 2));
        let start = noise(m * (n + 3), 3);
        for add in [false, true] {
            let mut c = start.clone();
            let am = if turned_a {
                Matrix::columns(&a, m)
            } else {
                Matrix::rows(&a, k)
            };
            let bm = if turned_b {
                Matrix::columns(&b, k)
            } else {
                Matrix::rows(&b, n)
            };
            gemm(context, m, n, k, am, bm, &mut c, n + 3, add);
            let rounded = context.precision == Precision::Bf16;
            let read = |x: f32| if rounded { bf16(x) as f64 } else { x as f64 };
            for i in 0..m {
                for j in 0..n + 3 {
                    let before = start[i * (n + 3) + j] as f64;
                    let mut sum = if add { before } else { 0.0 };
                    for p in 0..if j < n { k } else { 0 } {
                        let x = if turned_a { a[p * m + i] } else { a[i * k + p] };
                        let y = if turned_b { b[j * k + p] } else { b[p * n + j] };
                        sum += read(x) * read(y);
                    }
                    let wanted = if j < n { sum } else { before };
                    let got = c[i * (n + 3) + j] as f64;
                    let close = (got - wanted).abs() < 1e-5 * (k as f64).sqrt().max(1.0) * 4.0;
                    assert!(
                        close,
                        "{} {m} {n} {k} ({i}, {j}): {got} not {wanted}",
                        context.isa.name()
                    );
                }
            }
        }
    }
}
