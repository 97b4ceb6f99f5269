//! Matrix products: the three forms of training (x Wᵀ, dy W, dyᵀ x) are one product over strided matrices.
//!
//! B is packed once into panels of two vectors of columns, shared by all threads. A is read where it lies when its
//! rows are contiguous and of the type that is multiplied, else packed by the task that needs it. A task is a block of
//! C; it walks K in blocks that keep a panel of B in the first caches and its rows of A in the second, and keeps
//! TILE_ROWS x 2 vectors of C in registers (Goto and van de Geijn 2008). `packing::Inputs` says what is multiplied:
//! f32, or bf16 where the machine has products of them (`tile.rs`: pairs, `amx.rs`: tiles); both sums are f32.

mod amx;
mod few_rows;
mod packing;
mod tile;

#[cfg(target_arch = "x86_64")]
pub use amx::available as tiles_available;
pub use amx::{LOOP_PRODUCTS, tile_loop};
pub use few_rows::FEW_ROWS;
pub use packing::{
    Inputs, Packed, Source, copy_bf16, copy_rows, pack, pack_beside, pack_pairs, pack_panel,
    pack_stacked, panel_columns, turn_bf16,
};
pub use tile::{Tile, block_product, pair_product, turned_block};

use amx::{SIDE, tile_product};
use few_rows::few_rows;
use packing::{Gates, gated_rows, pack_rows};

use crate::context::{Context, Precision, Purpose, Shared};
use crate::element::{Bf16, Element, Floats, FloatsMut};
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
    match &mut out.c {
        FloatsMut::F32(c) => {
            let plus = match out.plus {
                Plus::Nothing => std::ptr::null(),
                Plus::Itself => c.as_ptr(),
                Plus::Rows(Floats::F32(plus)) => plus.as_ptr(),
                Plus::Rows(Floats::Bf16(_)) => unreachable!("checked by holds"),
            };
            let c = Shared::new(c);
            multiply_into(context, m, a, b, c, plus, out.stride, from);
        }
        FloatsMut::Bf16(c) => {
            let plus = match out.plus {
                Plus::Nothing => std::ptr::null(),
                Plus::Itself => c.as_ptr(),
                Plus::Rows(Floats::Bf16(plus)) => plus.as_ptr(),
                Plus::Rows(Floats::F32(_)) => unreachable!("checked by holds"),
            };
            let c = Shared::new(c);
            multiply_into(context, m, a, b, c, plus, out.stride, from);
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
                    let (a, a_stride) =
                        float_rows(context, worker, a, top, rows, begin, depth, direct);
                    block_product(context.isa, tile.with_rows(a, a_stride));
                } else {
                    let (a, a_stride) =
                        pair_rows(context, worker, a, top, rows, begin, depth, step, direct);
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

/// Rows of A as f32: where they lie, or packed into this worker's scratch; with their stride (0: in groups).
unsafe fn float_rows(
    context: &Context,
    worker: usize,
    a: Matrix,
    top: usize,
    rows: usize,
    begin: usize,
    depth: usize,
    direct: bool,
) -> (*const f32, usize) {
    let round = context.precision == Precision::Bf16;
    let at = top * a.row_stride + begin * a.column_stride;
    let isa = context.isa;
    if let (true, Floats::F32(x)) = (direct, a.data) {
        return (x.as_ptr().add(at), a.row_stride);
    }
    if a.column_stride == 1 {
        // Read directly; an odd number of lines apart for the first cache's sake.
        let stride = depth.next_multiple_of(32) + 16;
        let to = context.scratch(worker, Purpose::PackedA, rows * stride);
        match a.data {
            _ if a.up > 0 => gate_rows(
                isa,
                a,
                at,
                rows,
                depth,
                to.as_mut_ptr(),
                stride,
                depth,
                round,
            ),
            Floats::F32(x) => copy_rows(
                isa,
                x.as_ptr().add(at),
                a.row_stride,
                rows,
                depth,
                to,
                stride,
                round,
            ),
            Floats::Bf16(x) => copy_rows(
                isa,
                x.as_ptr().add(at),
                a.row_stride,
                rows,
                depth,
                to,
                stride,
                round,
            ),
        }
        return (to.as_ptr(), stride);
    }
    let group = tile_rows(isa);
    let to = context.scratch(
        worker,
        Purpose::PackedA,
        rows.next_multiple_of(group) * depth,
    );
    match a.data {
        Floats::F32(x) => pack_rows(
            isa,
            x.as_ptr().add(at),
            a.column_stride,
            rows,
            depth,
            to,
            round,
        ),
        Floats::Bf16(x) => pack_rows(
            isa,
            x.as_ptr().add(at),
            a.column_stride,
            rows,
            depth,
            to,
            round,
        ),
    }
    (to.as_ptr(), 0)
}

/// Rows of a gated matrix from element `at` on, zeros after them up to `whole`.
unsafe fn gate_rows<Out: Element>(
    isa: Isa,
    a: Matrix,
    at: usize,
    rows: usize,
    depth: usize,
    to: *mut Out,
    stride: usize,
    whole: usize,
    round: bool,
) {
    let gates = Gates {
        up: a.up,
        stride: a.row_stride,
        rows,
        columns: depth,
        round,
    };
    match a.data {
        Floats::F32(x) => gated_rows(isa, x.as_ptr().add(at), gates, to, stride, whole),
        Floats::Bf16(x) => gated_rows(isa, x.as_ptr().add(at), gates, to, stride, whole),
    }
}

/// Rows of A as bf16: where they lie, or in this worker's scratch; with their stride.
unsafe fn pair_rows(
    context: &Context,
    worker: usize,
    a: Matrix,
    top: usize,
    rows: usize,
    begin: usize,
    depth: usize,
    step: usize,
    direct: bool,
) -> (*const Bf16, usize) {
    let at = top * a.row_stride + begin * a.column_stride;
    let isa = context.isa;
    if let (true, Floats::Bf16(x)) = (direct, a.data) {
        return (x.as_ptr().add(at), a.row_stride);
    }
    let stride = pair_stride(depth);
    let words = context.scratch(worker, Purpose::PackedA, rows * stride / 2);
    let to = words.as_mut_ptr() as *mut Bf16;
    let whole = depth.next_multiple_of(step);
    pack_pair_rows(isa, a, at, rows, depth, to, stride, whole);
    (to, stride)
}

/// Between rows of packed pairs: an odd number of cache lines.
fn pair_stride(depth: usize) -> usize {
    depth.next_multiple_of(64) + 32
}

/// All of A packed by all threads, for products that read each row of it in several tasks.
unsafe fn whole_pairs<'a>(
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
        let to = out.part(top * stride, bottom * stride).as_mut_ptr();
        let whole = k.next_multiple_of(step);
        let at = top * a.row_stride;
        pack_pair_rows(context.isa, a, at, bottom - top, k, to, stride, whole);
    });
    Matrix::rows(&*pairs, stride)
}

/// Rows of A from element `at` on, with zeros up to `whole`.
unsafe fn pack_pair_rows(
    isa: Isa,
    a: Matrix,
    at: usize,
    rows: usize,
    depth: usize,
    to: *mut Bf16,
    stride: usize,
    whole: usize,
) {
    if a.column_stride == 1 {
        match a.data {
            _ if a.up > 0 => gate_rows(isa, a, at, rows, depth, to, stride, whole, false),
            Floats::F32(x) => copy_bf16(
                isa,
                x.as_ptr().add(at),
                a.row_stride,
                rows,
                depth,
                to,
                stride,
                whole,
            ),
            Floats::Bf16(x) => copy_bf16(
                isa,
                x.as_ptr().add(at),
                a.row_stride,
                rows,
                depth,
                to,
                stride,
                whole,
            ),
        }
    } else {
        match a.data {
            Floats::F32(x) => turn_bf16(
                isa,
                x.as_ptr().add(at),
                a.column_stride,
                rows,
                depth,
                to,
                stride,
                whole,
            ),
            Floats::Bf16(x) => turn_bf16(
                isa,
                x.as_ptr().add(at),
                a.column_stride,
                rows,
                depth,
                to,
                stride,
                whole,
            ),
        }
    }
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
mod tests {
    use super::{Matrix, Output, Plus, gemm};
    use crate::context::{Context, Precision};
    use crate::element::{Bf16, Floats};
    use crate::isa::TESTED;

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
        // The last ones fill tiles, are longer than a block of K, and have rows of whole pages.
        let shapes = [
            (1, 1, 1),
            (7, 17, 5),
            (13, 33, 400),
            (61, 8, 31),
            (2, 130, 1),
            (97, 50, 70),
            (40, 64, 64),
            (17, 33, 2112),
            (5, 7, 2048),
        ];
        let mut contexts = Vec::new();
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            for precision in [Precision::F32, Precision::Bf16] {
                for threads in [1, 2] {
                    contexts.push(Context::new(isa, threads, precision));
                }
            }
        }
        for (m, n, k) in shapes {
            for form in 0..4 {
                let case = Case::new(m, n, k, form & 1 > 0, form & 2 > 0);
                contexts.iter().for_each(|context| case.check(context));
            }
        }
    }

    /// A product in one form.
    struct Case {
        m: usize,
        n: usize,
        k: usize,
        turned: [bool; 2],
        a: Stored,
        b: Stored,
        start: Stored,
        /// Of A rounded to bf16 before or not, and B.
        products: [[Vec<f64>; 2]; 2],
    }

    struct Stored {
        full: Vec<f32>,
        half: Vec<Bf16>,
    }

    impl Stored {
        fn new(full: Vec<f32>) -> Self {
            let half = full.iter().map(|&x| Bf16::new(x)).collect();
            Self { full, half }
        }

        fn data(&self, half: bool) -> Floats<'_> {
            if half {
                (&self.half[..]).into()
            } else {
                (&self.full[..]).into()
            }
        }

        fn value(&self, at: usize, half: bool) -> f64 {
            if half {
                self.half[at].value() as f64
            } else {
                self.full[at] as f64
            }
        }
    }

    impl Case {
        fn new(m: usize, n: usize, k: usize, turned_a: bool, turned_b: bool) -> Self {
            let (a, b) = (Stored::new(noise(m * k, 1)), Stored::new(noise(k * n, 2)));
            let product = |half_a: bool, half_b: bool| {
                let mut sums = vec![0.0; m * n];
                for i in 0..m {
                    for p in 0..k {
                        let x = a.value(if turned_a { p * m + i } else { i * k + p }, half_a);
                        for j in 0..n {
                            let at = if turned_b { j * k + p } else { p * n + j };
                            sums[i * n + j] += x * b.value(at, half_b);
                        }
                    }
                }
                sums
            };
            let products = [false, true].map(|a| [false, true].map(|b| product(a, b)));
            Self {
                m,
                n,
                k,
                turned: [turned_a, turned_b],
                a,
                b,
                start: Stored::new(noise(m * (n + 3), 3)),
                products,
            }
        }

        /// With and without adding, inputs and output stored as f32 or bf16.
        fn check(&self, context: &Context) {
            let &Case { m, n, k, .. } = self;
            let rounded = context.precision == Precision::Bf16;
            for stored in 0..8 {
                let [half_a, half_b, half_c] = [1, 2, 4].map(|bit| stored & bit > 0);
                let (a, b) = (self.a.data(half_a), self.b.data(half_b));
                let a = match self.turned[0] {
                    true => Matrix::columns(a, m),
                    false => Matrix::rows(a, k),
                };
                let b = match self.turned[1] {
                    true => Matrix::columns(b, k),
                    false => Matrix::rows(b, n),
                };
                let sums =
                    &self.products[(half_a || rounded) as usize][(half_b || rounded) as usize];
                for add in [false, true] {
                    let mut c = Stored {
                        full: self.start.full.clone(),
                        half: self.start.half.clone(),
                    };
                    let out = if half_c {
                        Output::new(&mut c.half[..], n + 3, add)
                    } else {
                        Output::new(&mut c.full[..], n + 3, add)
                    };
                    gemm(context, m, n, k, a, b, out);
                    for i in 0..m {
                        for j in 0..n + 3 {
                            let at = i * (n + 3) + j;
                            let before = self.start.value(at, half_c);
                            let wanted = if j >= n {
                                before
                            } else {
                                sums[i * n + j] + if add { before } else { 0.0 }
                            };
                            let got = c.value(at, half_c);
                            // bf16 keeps 8 bits of what it stores.
                            let lost = if half_c { wanted.abs() / 256.0 } else { 0.0 };
                            let close =
                                (got - wanted).abs() < 4e-5 * (k as f64).sqrt().max(1.0) + lost;
                            assert!(
                                close,
                                "{} {:?} {m} {n} {k} ({i}, {j}): {got} not {wanted}",
                                context.isa.name(),
                                context.precision,
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_product_is_added_to_rows_of_another_matrix() {
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            for precision in [Precision::F32, Precision::Bf16] {
                let context = Context::new(isa, 2, precision);
                let (m, n, k) = (45, 70, 1100);
                let (a, b, residual) = (noise(m * k, 1), noise(k * n, 2), noise(m * n, 3));
                let mut plain = vec![0.0; m * n];
                let (am, bm) = (Matrix::rows(&a[..], k), Matrix::columns(&b[..], k));
                gemm(
                    &context,
                    m,
                    n,
                    k,
                    am,
                    bm,
                    Output::new(&mut plain[..], n, false),
                );
                let mut sum = vec![f32::NAN; m * n];
                let mut out = Output::new(&mut sum[..], n, false);
                out.plus = Plus::Rows((&residual[..]).into());
                gemm(&context, m, n, k, am, bm, out);
                for i in 0..m * n {
                    assert!(
                        (sum[i] - plain[i] - residual[i]).abs() < 1e-4,
                        "{}",
                        isa.name()
                    );
                }
            }
        }
    }
}
