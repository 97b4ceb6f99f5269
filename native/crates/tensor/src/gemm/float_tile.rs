//! A block of C from f32, tile by tile in registers.

use super::tile::{Ahead, Layout, Place, Tile};
use crate::element::Element;
use crate::kernels;
use crate::simd::Simd;

/// c += aᵀ b on the calling thread: element (row, p) of the left side at a[p * a_stride + row]; b is packed.
#[derive(Clone, Copy)]
pub struct Turned {
    pub depth: usize,
    pub a: *const f32,
    pub a_stride: usize,
    pub b: *const f32,
    pub c: *mut f32,
    pub c_stride: usize,
    pub rows: usize,
    pub columns: usize,
}

kernels! {
    /// One block of C on the calling thread: in its caches, or `far` in memory, and what is asked for meanwhile.
    pub fn block_product<Out>(tile: Tile<f32, Out>, layout: Layout, far: Option<&[Ahead]>) = block_body;
    pub fn turned_product(turned: Turned) = turned_body;
}

#[inline(always)]
unsafe fn block_body<S: Simd, Out: Element>(
    tile: Tile<f32, Out>,
    layout: Layout,
    far: Option<&[Ahead]>,
) {
    match S::TILE_ROWS {
        14 => block_rows::<S, Out, 14, 13>(tile, layout, far),
        12 => block_rows::<S, Out, 12, 11>(tile, layout, far),
        _ => block_rows::<S, Out, 6, 5>(tile, layout, far),
    }
}

/// f32 of the panels of B that a tile of rows takes one after the other: they stay in the second cache, of which a core
/// of two threads may have only half, and the rows in the first.
const GROUP: usize = 32 << 10;

#[inline(always)]
unsafe fn block_rows<S: Simd, Out: Element, const ROWS: usize, const SHORT: usize>(
    t: Tile<f32, Out>,
    layout: Layout,
    far: Option<&[Ahead]>,
) {
    let width = 2 * S::LANES;
    let panels = t.columns.div_ceil(width);
    let groups = t.rows.div_ceil(ROWS);
    // What is left of the last tile of ROWS is taken from others, where they are enough: one of few rows would wait for
    // its own sums. Groups are packed for tiles of ROWS.
    let missing = groups * ROWS - t.rows;
    let short = if missing <= groups && layout != Layout::Groups {
        missing
    } else {
        0
    };
    let together = (GROUP / (t.depth.max(1) * width)).max(1);
    for first in (0..panels).step_by(together) {
        let last = (first + together).min(panels);
        let mut row = 0;
        while row < t.rows {
            let rows = if row < short * SHORT {
                SHORT
            } else {
                ROWS.min(t.rows - row)
            };
            let (a, stride) = match layout {
                Layout::Rows | Layout::Panels(_) => (t.a.add(row * t.a_stride), t.a_stride),
                Layout::Columns => (t.a.add(row), t.a_stride),
                Layout::Groups => (t.a.add(row * t.depth), ROWS),
            };
            for panel in first..last {
                for ahead in far.unwrap_or(&[]) {
                    let done = first * groups + (row / ROWS) * (last - first) + panel - first;
                    ahead.fetch::<S>(done, panels * groups);
                }
                let b = t.b.add(panel * t.b_panel_stride);
                let c = t.place(row, panel, width);
                if far.is_some() {
                    c.fetch_far::<S, ROWS>();
                }
                match layout {
                    Layout::Rows => {
                        some_rows::<S, Out, ROWS, SHORT, DIRECT>(rows, t.depth, a, stride, 0, b, c);
                    }
                    Layout::Panels(apart) => {
                        some_rows::<S, Out, ROWS, SHORT, PANELS>(
                            rows, t.depth, a, stride, apart, b, c,
                        );
                    }
                    Layout::Columns | Layout::Groups => {
                        some_rows::<S, Out, ROWS, SHORT, TURNED>(rows, t.depth, a, stride, 0, b, c);
                    }
                }
            }
            row += rows;
        }
    }
}

#[inline(always)]
unsafe fn turned_body<S: Simd>(turned: Turned) {
    match S::TILE_ROWS {
        14 => turned_rows::<S, 14>(turned),
        12 => turned_rows::<S, 12>(turned),
        _ => turned_rows::<S, 6>(turned),
    }
}

#[inline(always)]
unsafe fn turned_rows<S: Simd, const ROWS: usize>(t: Turned) {
    let width = 2 * S::LANES;
    for first in (0..t.columns).step_by(width) {
        let b = t.b.add(first * t.depth);
        for row in (0..t.rows).step_by(ROWS) {
            let to = t.c.add(row * t.c_stride + first);
            let place = Place {
                to,
                plus: to as *const f32,
                stride: t.c_stride,
                columns: width.min(t.columns - first),
            };
            let (n, a) = (ROWS.min(t.rows - row), t.a.add(row));
            some_rows::<S, f32, ROWS, ROWS, TURNED>(n, t.depth, a, t.a_stride, 0, b, place);
        }
    }
}

/// Element (row, p) of A at a[row * stride + p].
const DIRECT: u8 = 0;
/// At a[p * stride + row].
const TURNED: u8 = 1;
/// As DIRECT within a panel, and panels `apart`.
const PANELS: u8 = 2;

/// A whole tile of ROWS or SHORT, or fewer in parts of 4, 2 and 1.
#[inline(always)]
unsafe fn some_rows<
    S: Simd,
    Out: Element,
    const ROWS: usize,
    const SHORT: usize,
    const FORM: u8,
>(
    rows: usize,
    depth: usize,
    a: *const f32,
    stride: usize,
    apart: usize,
    b: *const f32,
    c: Place<Out>,
) {
    if rows == ROWS {
        return registers::<S, Out, ROWS, FORM>(depth, a, stride, apart, b, c);
    }
    if rows == SHORT {
        return registers::<S, Out, SHORT, FORM>(depth, a, stride, apart, b, c);
    }
    let mut row = 0;
    let at = |row: usize| a.add(if FORM == TURNED { row } else { row * stride });
    while row + 4 <= rows {
        registers::<S, Out, 4, FORM>(depth, at(row), stride, apart, b, c.below(row));
        row += 4;
    }
    if row + 2 <= rows {
        registers::<S, Out, 2, FORM>(depth, at(row), stride, apart, b, c.below(row));
        row += 2;
    }
    if row < rows {
        registers::<S, Out, 1, FORM>(depth, at(row), stride, apart, b, c.below(row));
    }
}

/// ROWS x two vectors of C in registers.
#[inline(always)]
unsafe fn registers<S: Simd, Out: Element, const ROWS: usize, const FORM: u8>(
    depth: usize,
    a: *const f32,
    stride: usize,
    apart: usize,
    b: *const f32,
    c: Place<Out>,
) {
    let mut sums = [[S::splat(0.0); 2]; ROWS];
    match FORM {
        TURNED => add_turned::<S, ROWS>(&mut sums, depth, a, stride, b),
        DIRECT => add_direct::<S, ROWS>(&mut sums, depth, Rows::new(a, stride), b),
        _ => {
            let width = 2 * S::LANES;
            let rows = Rows::new(a, stride);
            for panel in 0..depth.div_ceil(width) {
                let (rows, b) = (rows.after(panel * apart), b.add(panel * width * width));
                add_direct::<S, ROWS>(&mut sums, width.min(depth - panel * width), rows, b);
            }
        }
    }
    c.store::<S, ROWS>(sums);
}

/// Steps along K that are written out: of a few rows what counts them takes the place of a multiplication otherwise, above
/// all where another thread has half of the core. Of more, the compiler would leave all sums in memory.
const fn steps(rows: usize) -> usize {
    if rows > 6 { 1 } else { 4 }
}

/// sums += A B for rows of A and a panel of B.
#[inline(always)]
unsafe fn add_direct<S: Simd, const ROWS: usize>(
    sums: &mut [[S::V; 2]; ROWS],
    depth: usize,
    mut a: Rows,
    mut b: *const f32,
) {
    let steps = const { steps(ROWS) };
    for _ in 0..depth / steps {
        for p in 0..steps {
            add_products::<S, ROWS>(sums, |row| a.element(row, p), b.add(p * 2 * S::LANES));
        }
        (a, b) = (a.after(steps), b.add(steps * 2 * S::LANES));
    }
    for p in 0..depth % steps {
        add_products::<S, ROWS>(sums, |row| a.element(row, p), b.add(p * 2 * S::LANES));
    }
}

/// The same where element (row, p) lies at a[p * stride + row].
#[inline(always)]
unsafe fn add_turned<S: Simd, const ROWS: usize>(
    sums: &mut [[S::V; 2]; ROWS],
    depth: usize,
    mut a: *const f32,
    stride: usize,
    mut b: *const f32,
) {
    let steps = const { steps(ROWS) };
    for _ in 0..depth / steps {
        for _ in 0..steps {
            add_products::<S, ROWS>(sums, |row| *a.add(row), b);
            (a, b) = (a.add(stride), b.add(2 * S::LANES));
        }
    }
    for _ in 0..depth % steps {
        add_products::<S, ROWS>(sums, |row| *a.add(row), b);
        (a, b) = (a.add(stride), b.add(2 * S::LANES));
    }
}

/// Rows of A, reached from a pointer to the first and one to the fourth: of the six of AVX2 each is 0, 1 or 2 strides
/// away, which a load adds by itself. From a single pointer the compiler would add stride after stride, an instruction for
/// each row and step.
#[derive(Clone, Copy)]
struct Rows {
    first: *const f32,
    fourth: *const f32,
    stride: usize,
}

impl Rows {
    #[inline(always)]
    unsafe fn new(a: *const f32, stride: usize) -> Self {
        Self {
            first: a,
            fourth: a.wrapping_add(opaque(3 * stride)),
            stride,
        }
    }

    /// From so many elements after the first on.
    #[inline(always)]
    unsafe fn after(self, elements: usize) -> Self {
        Self {
            first: self.first.wrapping_add(elements),
            fourth: self.fourth.wrapping_add(elements),
            ..self
        }
    }

    #[inline(always)]
    unsafe fn element(&self, row: usize, p: usize) -> f32 {
        *if row < 3 {
            self.first.add(row * self.stride + p)
        } else {
            self.fourth.add((row - 3) * self.stride + p)
        }
    }
}

/// The same number, of which the compiler does not know how it was made.
#[inline(always)]
fn opaque(mut number: usize) -> usize {
    unsafe {
        std::arch::asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags));
    }
    number
}

/// sums += an element of each row times a row of the panel of B.
#[inline(always)]
unsafe fn add_products<S: Simd, const ROWS: usize>(
    sums: &mut [[S::V; 2]; ROWS],
    a: impl Fn(usize) -> f32,
    b: *const f32,
) {
    let (b0, b1) = (S::load(b), S::load(b.add(S::LANES)));
    for i in 0..ROWS {
        let x = S::splat(a(i));
        sums[i][0] = S::fma(x, b0, sums[i][0]);
        sums[i][1] = S::fma(x, b1, sums[i][1]);
    }
}
