//! Matrix products: the three forms of training (x Wᵀ, dy W, dyᵀ x) are one product over strided matrices.
//!
//! B is packed once into panels of two vectors of columns (`[panel][k][columns]`), shared by all threads. A is read
//! where it lies when its rows are contiguous, else packed by the task that needs it. A task is a block of C; it
//! walks K in blocks that keep a panel of B in the first cache and its rows of A in the second, and keeps
//! TILE_ROWS x 2 vectors of C in registers (Goto and van de Geijn 2008). bf16 precision rounds while packing.
//! A kernel with its own inputs (AMX tiles, `vdpbf16ps`) replaces `block_body` and the packing for its `Isa`.

use crate::context::{Context, Precision, Purpose, Shared};
use crate::isa::Isa;
use crate::simd::{self, Simd};
use crate::{kernels, vectors};

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
/// Rows of B that are packed together for all panels.
const PACK_ROWS: usize = 32;
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

/// Up to here a product is bound by reading B once: packing would read and write it once more.
const FEW_ROWS: usize = 4;

/// A few rows of A against columns of B that are contiguous, as in generation, one token at a time.
fn few_rows(
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
    let round = context.precision == Precision::Bf16;
    let out = Shared::new(c);
    context.split(n, k, &|from, to| unsafe {
        let columns = b.data.as_ptr().add(from * b.column_stride);
        let rows = Dots {
            a: a.data.as_ptr(),
            a_stride: a.row_stride,
            b: columns,
            b_stride: b.column_stride,
            c: out.pointer().add(from),
            c_stride,
            depth: k,
            columns: to - from,
            add,
            round,
        };
        dots(context.isa, m, rows);
    });
}

#[derive(Clone, Copy)]
struct Dots {
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    b_stride: usize,
    c: *mut f32,
    c_stride: usize,
    depth: usize,
    columns: usize,
    add: bool,
    round: bool,
}

/// Columns of a panel of packed B.
pub fn panel_columns(isa: Isa) -> usize {
    match isa {
        Isa::Portable => 8,
        Isa::Avx2 => 16,
        Isa::Avx512 => 32,
    }
}

fn tile_rows(isa: Isa) -> usize {
    match isa {
        Isa::Portable | Isa::Avx2 => 6,
        Isa::Avx512 => 14,
    }
}

/// B packed whole, to be used by several products.
#[derive(Clone, Copy)]
pub struct Packed<'a> {
    data: &'a [f32],
    k: usize,
    n: usize,
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
    assert!(b.holds(k, n));
    let columns = panel_columns(context.isa);
    let panels = n.div_ceil(columns);
    let packed = unsafe { context.shared_scratch(purpose, panels * columns * k) };
    let out = Shared::new(packed);
    let round = context.precision == Precision::Bf16;
    // Rows lie together when columns are contiguous: then a task takes some rows of all panels, else whole panels.
    let by_rows = b.column_stride == 1;
    let parts = if by_rows {
        k.div_ceil(PACK_ROWS)
    } else {
        panels
    };
    let cost = if by_rows { PACK_ROWS * n } else { columns * k };
    let one = |panel: usize, top: usize, bottom: usize| unsafe {
        let start = panel * columns;
        let to = out.part(start * k + top * columns, start * k + bottom * columns);
        let from = b
            .data
            .as_ptr()
            .add(start * b.column_stride + top * b.row_stride);
        let width = columns.min(n - start);
        pack_panel(
            context.isa,
            from,
            b.row_stride,
            b.column_stride,
            bottom - top,
            width,
            to,
        );
        if round {
            round_bf16(context.isa, to);
        }
    };
    context.split(parts, cost, &|from, to| {
        for part in from..to {
            if by_rows {
                let (top, bottom) = (part * PACK_ROWS, ((part + 1) * PACK_ROWS).min(k));
                (0..panels).for_each(|panel| one(panel, top, bottom));
            } else {
                one(part, 0, k);
            }
        }
    });
    Packed { data: packed, k, n }
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
    let (row_block, panel_block) = block_sizes(context, m, panels, k);
    let row_tasks = m.div_ceil(row_block);
    let panel_tasks = panels.div_ceil(panel_block);
    let round = context.precision == Precision::Bf16;
    let direct = a.column_stride == 1 && !round;
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
fn block_sizes(context: &Context, m: usize, panels: usize, k: usize) -> (usize, usize) {
    let rows = tile_rows(context.isa);
    let cached = (65_536 / k.min(K_BLOCK)).max(rows);
    let mut row_block = cached
        .min(m.div_ceil(context.threads * 2))
        .next_multiple_of(rows);
    if context.threads == 1 {
        row_block = cached.next_multiple_of(rows);
    }
    let row_tasks = m.div_ceil(row_block);
    let wanted = (context.threads * 4).div_ceil(row_tasks);
    let panel_block = if context.threads == 1 {
        panels
    } else {
        panels.div_ceil(wanted).max(1)
    };
    (row_block, panel_block)
}

/// A block of C and what it is made of.
#[derive(Clone, Copy)]
pub struct Tile {
    pub depth: usize,
    /// Row-major rows `a_stride` apart; or, with stride 0, packed by `pack_rows`.
    pub a: *const f32,
    pub a_stride: usize,
    /// Panels of packed B, `b_panel_stride` apart.
    pub b: *const f32,
    pub b_panel_stride: usize,
    pub c: *mut f32,
    pub c_stride: usize,
    pub rows: usize,
    pub columns: usize,
    pub add: bool,
}

kernels! {
    /// One block of C on the calling thread.
    pub fn block_product(tile: Tile) = block_body;
    /// Packs `width` columns of a matrix into one panel, zeros after them.
    pub fn pack_panel(from: *const f32, row_stride: usize, column_stride: usize, k: usize, width: usize, to: &mut [f32]) = pack_panel_body;
    /// Packs rows whose columns are contiguous into groups of TILE_ROWS: `[group][k][TILE_ROWS]`.
    fn pack_rows(from: *const f32, stride: usize, rows: usize, k: usize, to: &mut [f32]) = pack_rows_body;
    fn copy_rounded(from: *const f32, stride: usize, rows: usize, k: usize, to: &mut [f32], to_stride: usize) = copy_rounded_body;
    fn round_bf16(values: &mut [f32]) = round_body;
    fn dots(rows: usize, dots: Dots) = dots_body;
}

#[inline(always)]
unsafe fn block_body<S: Simd>(tile: Tile) {
    match S::TILE_ROWS {
        14 => block_rows::<S, 14>(tile),
        _ => block_rows::<S, 6>(tile),
    }
}

#[inline(always)]
unsafe fn block_rows<S: Simd, const ROWS: usize>(t: Tile) {
    let width = 2 * S::LANES;
    for panel in 0..t.columns.div_ceil(width) {
        let b = t.b.add(panel * t.b_panel_stride);
        let columns = width.min(t.columns - panel * width);
        let mut row = 0;
        while row < t.rows {
            let rows = ROWS.min(t.rows - row);
            let c = t.c.add(row * t.c_stride + panel * width);
            if t.a_stride == 0 {
                let a = t.a.add(row * t.depth);
                if rows == ROWS {
                    registers::<S, ROWS, false>(t.depth, a, ROWS, b, c, t.c_stride, columns, t.add);
                } else {
                    edge::<S, ROWS, false>(
                        rows, t.depth, a, ROWS, b, c, t.c_stride, columns, t.add,
                    );
                }
            } else {
                let a = t.a.add(row * t.a_stride);
                if rows == ROWS {
                    registers::<S, ROWS, true>(
                        t.depth, a, t.a_stride, b, c, t.c_stride, columns, t.add,
                    );
                } else {
                    edge::<S, ROWS, true>(
                        rows, t.depth, a, t.a_stride, b, c, t.c_stride, columns, t.add,
                    );
                }
            }
            row += rows;
        }
    }
}

/// c += aᵀ b on the calling thread, element (row, p) of the left side at a[p * a_stride + row]; b is packed.
#[inline(always)]
pub unsafe fn turned_block<S: Simd>(
    depth: usize,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    rows: usize,
    columns: usize,
) {
    match S::TILE_ROWS {
        14 => turned_rows::<S, 14>(depth, a, a_stride, b, c, c_stride, rows, columns),
        _ => turned_rows::<S, 6>(depth, a, a_stride, b, c, c_stride, rows, columns),
    }
}

#[inline(always)]
unsafe fn turned_rows<S: Simd, const ROWS: usize>(
    depth: usize,
    a: *const f32,
    a_stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    rows: usize,
    columns: usize,
) {
    let width = 2 * S::LANES;
    for first in (0..columns).step_by(width) {
        let (b, n) = (b.add(first * depth), width.min(columns - first));
        for row in (0..rows).step_by(ROWS) {
            let (a, c) = (a.add(row), c.add(row * c_stride + first));
            if rows - row >= ROWS {
                registers::<S, ROWS, false>(depth, a, a_stride, b, c, c_stride, n, true);
            } else {
                edge::<S, ROWS, false>(rows - row, depth, a, a_stride, b, c, c_stride, n, true);
            }
        }
    }
}

/// Fewer rows than a whole tile: in parts of 4, 2 and 1.
#[inline(always)]
unsafe fn edge<S: Simd, const ROWS: usize, const DIRECT: bool>(
    rows: usize,
    depth: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    columns: usize,
    add: bool,
) {
    let mut row = 0;
    let at = |row: usize| a.add(if DIRECT { row * stride } else { row });
    while row + 4 <= rows {
        registers::<S, 4, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
        row += 4;
    }
    if row + 2 <= rows {
        registers::<S, 2, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
        row += 2;
    }
    if row < rows {
        registers::<S, 1, DIRECT>(
            depth,
            at(row),
            stride,
            b,
            c.add(row * c_stride),
            c_stride,
            columns,
            add,
        );
    }
}

/// ROWS x two vectors of C in registers. DIRECT: a[row * stride + p], else a[p * stride + row].
#[inline(always)]
unsafe fn registers<S: Simd, const ROWS: usize, const DIRECT: bool>(
    depth: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
    c: *mut f32,
    c_stride: usize,
    columns: usize,
    add: bool,
) {
    let mut sums = [[S::splat(0.0); 2]; ROWS];
    for p in 0..depth {
        let b0 = S::load(b.add(p * 2 * S::LANES));
        let b1 = S::load(b.add(p * 2 * S::LANES + S::LANES));
        for i in 0..ROWS {
            let x = S::splat(*a.add(if DIRECT {
                i * stride + p
            } else {
                p * stride + i
            }));
            sums[i][0] = S::fma(x, b0, sums[i][0]);
            sums[i][1] = S::fma(x, b1, sums[i][1]);
        }
    }
    for i in 0..ROWS {
        for half in 0..2 {
            let to = c.add(i * c_stride + half * S::LANES);
            let left = columns.saturating_sub(half * S::LANES);
            if left >= S::LANES {
                let sum = if add {
                    S::add(S::load(to), sums[i][half])
                } else {
                    sums[i][half]
                };
                S::store(to, sum);
            } else if left > 0 {
                let sum = if add {
                    S::add(S::load_n(to, left), sums[i][half])
                } else {
                    sums[i][half]
                };
                S::store_n(to, left, sum);
            }
        }
    }
}

#[inline(always)]
unsafe fn pack_panel_body<S: Simd>(
    from: *const f32,
    row_stride: usize,
    column_stride: usize,
    k: usize,
    width: usize,
    to: &mut [f32],
) {
    let columns = 2 * S::LANES;
    let to = to.as_mut_ptr();
    if width == columns && column_stride == 1 {
        for p in 0..k {
            S::store(to.add(p * columns), S::load(from.add(p * row_stride)));
            S::store(
                to.add(p * columns + S::LANES),
                S::load(from.add(p * row_stride + S::LANES)),
            );
        }
        return;
    }
    let mut done = 0;
    if width == columns && row_stride == 1 {
        while done + S::LANES <= k {
            for half in 0..2 {
                let block = from.add(half * S::LANES * column_stride + done);
                S::transpose(
                    block,
                    column_stride,
                    to.add(done * columns + half * S::LANES),
                    columns,
                );
            }
            done += S::LANES;
        }
    }
    for p in done..k {
        for j in 0..columns {
            *to.add(p * columns + j) = if j < width {
                *from.add(p * row_stride + j * column_stride)
            } else {
                0.0
            };
        }
    }
}

#[inline(always)]
unsafe fn pack_rows_body<S: Simd>(
    from: *const f32,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
) {
    let group = S::TILE_ROWS;
    let whole = rows / group * group;
    let to = to.as_mut_ptr();
    for p in 0..k {
        let line = from.add(p * stride);
        for first in (0..whole).step_by(group) {
            std::ptr::copy_nonoverlapping(line.add(first), to.add(first * k + p * group), group);
        }
        if whole < rows {
            std::ptr::copy_nonoverlapping(
                line.add(whole),
                to.add(whole * k + p * group),
                rows - whole,
            );
        }
    }
}

#[inline(always)]
unsafe fn copy_rounded_body<S: Simd>(
    from: *const f32,
    stride: usize,
    rows: usize,
    k: usize,
    to: &mut [f32],
    to_stride: usize,
) {
    for row in 0..rows {
        let (line, out) = (from.add(row * stride), to.as_mut_ptr().add(row * to_stride));
        let mut p = 0;
        while p + S::LANES <= k {
            S::store(out.add(p), S::bf16(S::load(line.add(p))));
            p += S::LANES;
        }
        if p < k {
            S::store_n(out.add(p), k - p, S::bf16(S::load_n(line.add(p), k - p)));
        }
    }
}

#[inline(always)]
unsafe fn dots_body<S: Simd>(rows: usize, d: Dots) {
    match rows {
        1 => dot_rows::<S, 1, 4>(d),
        2 => dot_rows::<S, 2, 4>(d),
        3 => dot_rows::<S, 3, 2>(d),
        _ => dot_rows::<S, 4, 2>(d),
    }
}

/// ROWS x COLUMNS dot products at a time.
#[inline(always)]
unsafe fn dot_rows<S: Simd, const ROWS: usize, const COLUMNS: usize>(d: Dots) {
    let whole = d.columns / COLUMNS * COLUMNS;
    for column in (0..whole).step_by(COLUMNS) {
        dot_block::<S, ROWS, COLUMNS>(d, column);
    }
    for column in whole..d.columns {
        dot_block::<S, ROWS, 1>(d, column);
    }
}

#[inline(always)]
unsafe fn dot_block<S: Simd, const ROWS: usize, const COLUMNS: usize>(d: Dots, column: usize) {
    let mut sums = [[S::splat(0.0); COLUMNS]; ROWS];
    vectors!(S, d.depth, |p, left| {
        for j in 0..COLUMNS {
            let mut y = simd::get::<S>(d.b.add((column + j) * d.b_stride + p), left);
            if d.round {
                y = S::bf16(y);
            }
            for i in 0..ROWS {
                let mut x = simd::get::<S>(d.a.add(i * d.a_stride + p), left);
                if d.round {
                    x = S::bf16(x);
                }
                sums[i][j] = S::fma(x, y, sums[i][j]);
            }
        }
    });
    for i in 0..ROWS {
        for j in 0..COLUMNS {
            let to = d.c.add(i * d.c_stride + column + j);
            let sum = S::sum(sums[i][j]);
            *to = if d.add { *to + sum } else { sum };
        }
    }
}

#[inline(always)]
unsafe fn round_body<S: Simd>(values: &mut [f32]) {
    let (mut i, n, p) = (0, values.len(), values.as_mut_ptr());
    while i + S::LANES <= n {
        S::store(p.add(i), S::bf16(S::load(p.add(i))));
        i += S::LANES;
    }
    if i < n {
        S::store_n(p.add(i), n - i, S::bf16(S::load_n(p.add(i), n - i)));
    }
}

#[cfg(test)]
mod tests {
    use super::{Matrix, gemm};
    use crate::context::{Context, Precision};
    use crate::isa::ALL;
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
        for isa in ALL.into_iter().filter(|isa| isa.available()) {
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
