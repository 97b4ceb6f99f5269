//! A product with packed B, cut into blocks of C.

use super::amx::{SIDE, tile_product};
use super::left::{Part, float_rows, pair_rows, whole_pairs};
use super::pair_tile::pair_product_far;
use super::tile::plus_at;
use super::{Inputs, Matrix, PACKED_LIMIT, Packed, block_product, panel_columns};
use crate::context::{Context, Precision, Shared};
use crate::element::{Element, Floats};

/// Longest stretch of K between two visits of C: a panel of B of this depth stays in the first cache.
pub const K_BLOCK: usize = 384;
/// The same for bf16, of which the panel comes from the second cache as fast as it is needed.
pub const PAIR_K_BLOCK: usize = 1024;
/// And for tiles, where C is costlier to visit.
const TILE_K_BLOCK: usize = 2048;

/// f32 between columns of A of which a few rows are read where they lie: the first cache has place for a block of K of
/// them. Those that are further apart fall into few of its sets.
const CLOSE_COLUMNS: usize = 256;

/// Blocks of C, a task each.
pub struct Product<'a, E> {
    m: usize,
    a: Matrix<'a>,
    /// Whether A is read where it lies.
    direct: bool,
    b: Packed<'a>,
    c: *mut E,
    plus: *const E,
    stride: usize,
    row_block: usize,
    panel_block: usize,
    k_block: usize,
}

unsafe impl<E> Sync for Product<'_, E> {}

/// All of these in one fork.
pub fn run_all<E: Element>(context: &Context, products: &[Product<E>]) {
    let tasks = products.iter().map(|product| product.tasks(context)).sum();
    let cost = products.iter().map(|product| product.cost(context)).max();
    context.run_sized(tasks, cost.unwrap_or(0), &|task, worker| {
        let mut task = task;
        for product in products {
            let own = product.tasks(context);
            if task < own {
                return product.run(context, task, worker);
            }
            task -= own;
        }
    });
}

impl<'a, E: Element> Product<'a, E> {
    /// Of `m` rows of A, and as many in all the products that run together; C begins at column `from`. `plus` is laid
    /// out as C, null for nothing.
    pub fn new(
        context: &'a Context,
        [m, all]: [usize; 2],
        a: Matrix<'a>,
        b: Packed<'a>,
        c: Shared<E>,
        plus: *const E,
        stride: usize,
        from: usize,
    ) -> Self {
        let inputs = Inputs::of(context);
        let Packed { k, n, .. } = b;
        let step = inputs.depth_step();
        let mut direct = a.up == 0
            && match a.data {
                Floats::F32(_) => {
                    inputs == Inputs::Floats
                        && context.precision == Precision::F32
                        && a.column_stride <= CLOSE_COLUMNS
                }
                _ if a.column_stride != 1 => false,
                // Rows a multiple of 4 KB apart fall into one set of the first cache, a tile takes 16 of them.
                Floats::Bf16(_) if inputs == Inputs::Tiles => {
                    k.is_multiple_of(step) && !a.row_stride.is_multiple_of(2048)
                }
                Floats::Bf16(_) => inputs != Inputs::Floats && k.is_multiple_of(step),
            };
        let (row_block, panel_block) = block_sizes(context, all, n, k, direct);
        let panels = n.div_ceil(panel_columns(context.isa));
        let mut a = a;
        if inputs == Inputs::Tiles && !direct && panel_block < panels && m * k <= 2 * PACKED_LIMIT {
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
        Self {
            m,
            a,
            direct,
            b,
            c: c.pointer().wrapping_add(from),
            plus: unsafe { plus_at(plus, from) },
            stride,
            row_block,
            panel_block,
            k_block,
        }
    }

    fn row_tasks(&self) -> usize {
        self.m.div_ceil(self.row_block)
    }

    fn panels(&self, context: &Context) -> usize {
        self.b.n.div_ceil(panel_columns(context.isa))
    }

    fn tasks(&self, context: &Context) -> usize {
        self.row_tasks() * self.panels(context).div_ceil(self.panel_block)
    }

    /// Multiply-adds of a task.
    fn cost(&self, context: &Context) -> usize {
        self.row_block * self.panel_block * panel_columns(context.isa) * self.b.k
    }

    /// What this thread probably multiplies after a part of a task: the next block of K, or the first of the task that
    /// it will take when all take turns.
    fn after(&self, context: &Context, task: usize, part: Part) -> Part {
        let begin = part.begin + part.depth;
        if begin < self.b.k {
            return Part {
                begin,
                depth: self.k_block.min(self.b.k - begin),
                ..part
            };
        }
        let task = task + context.threads;
        let top = task % self.row_tasks() * self.row_block;
        let rows = if task < self.tasks(context) {
            self.row_block.min(self.m - top)
        } else {
            0
        };
        Part {
            top,
            rows,
            begin: 0,
            depth: self.k_block.min(self.b.k),
        }
    }

    fn run(&self, context: &Context, task: usize, worker: usize) {
        let inputs = Inputs::of(context);
        let columns = panel_columns(context.isa);
        let step = inputs.depth_step();
        let k = self.b.k;
        let (row_task, panel_task) = (task % self.row_tasks(), task / self.row_tasks());
        let top = row_task * self.row_block;
        let rows = self.row_block.min(self.m - top);
        let first = panel_task * self.panel_block;
        let last = (first + self.panel_block).min(self.panels(context));
        let at = top * self.stride + first * columns;
        // An empty K gives one block of depth 0, which stores zeros.
        for begin in (0..k.max(1)).step_by(self.k_block) {
            let part = Part {
                top,
                rows,
                begin,
                depth: self.k_block.min(k - begin),
            };
            let next = self.after(context, task, part);
            unsafe {
                let c = self.c.add(at);
                let plus = if begin > 0 {
                    c as *const E
                } else {
                    plus_at(self.plus, at)
                };
                let depth = begin..begin + part.depth;
                let c = (c, self.stride);
                let tile = self.b.tile(context, rows, depth, first..last, c, plus);
                if inputs == Inputs::Floats {
                    let (a, a_stride, layout) =
                        float_rows(context, worker, self.a, part, self.direct);
                    let ahead = next.ahead(&self.a);
                    let tile = tile.with_rows(a, a_stride);
                    block_product(context.isa, tile, layout, Some(&[ahead]));
                } else {
                    let (a, a_stride) = pair_rows(context, worker, self.a, part, step, self.direct);
                    if inputs == Inputs::Tiles {
                        tile_product(context.isa, tile.with_rows(a, a_stride));
                    } else {
                        let ahead = next.ahead(&self.a);
                        pair_product_far(context.isa, tile.with_rows(a, a_stride), &[ahead]);
                    }
                }
            }
        }
    }
}

/// Rows and panels of the block of C that a task takes: its rows of A fit the second cache, and there are enough
/// tasks for the threads.
fn block_sizes(context: &Context, m: usize, n: usize, k: usize, direct: bool) -> (usize, usize) {
    let rows = context.isa.tile_rows();
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
