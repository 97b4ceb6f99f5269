//! A block of C, tile by tile in registers.

use crate::element::{Bf16, Element};
use crate::isa::Isa;
use crate::simd::{self, Pairs, Simd};
use crate::{kernels, pair_kernels, vectors};

/// A block of C and what it is made of: A and B as `In`, C as `Out`.
#[derive(Clone, Copy)]
pub struct Tile<In, Out> {
    /// Of K: f32, or bf16 in whole pairs.
    pub depth: usize,
    /// Row-major rows `a_stride` apart; of f32 as `Layout` says.
    pub a: *const In,
    pub a_stride: usize,
    /// Panels of packed B, `b_panel_stride` f32 apart.
    pub b: *const f32,
    pub b_panel_stride: usize,
    pub c: *mut Out,
    pub c_stride: usize,
    /// What is added to the product, laid out as C; null for nothing.
    pub plus: *const Out,
    pub rows: usize,
    pub columns: usize,
}

/// Where element (row, p) of a left side of f32 lies, from `a` on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// row * a_stride + p
    Rows,
    /// p * a_stride + row
    Columns,
    /// In groups of rows, as `pack_rows` packs them.
    Groups,
    /// In panels of two vectors of p, so many elements apart: row * a_stride + the rest of p.
    Panels(usize),
}

/// Memory that is read after a block of C: it is asked for, into the second cache, while the block is multiplied.
#[derive(Clone, Copy)]
pub struct Ahead {
    pub at: *const u8,
    /// Bytes from a piece to the next.
    pub stride: usize,
    pub pieces: usize,
    /// Of a piece.
    pub bytes: usize,
    /// From a piece to another of its length, 0 for none.
    pub beside: usize,
}

impl Ahead {
    pub const NOTHING: Self = Self {
        at: std::ptr::null(),
        stride: 0,
        pieces: 0,
        bytes: 0,
        beside: 0,
    };

    /// One of so many parts of it.
    pub fn share(self, part: usize, parts: usize) -> Self {
        let first = part * self.pieces / parts;
        Self {
            at: self.at.wrapping_add(first * self.stride),
            pieces: (part + 1) * self.pieces / parts - first,
            ..self
        }
    }

    /// Asks for one of so many parts.
    #[inline(always)]
    unsafe fn fetch<S: Simd>(self, part: usize, parts: usize) {
        for piece in part * self.pieces / parts..(part + 1) * self.pieces / parts {
            let from = self.at.wrapping_add(piece * self.stride);
            for byte in (0..self.bytes).step_by(64) {
                S::fetch_far(from.wrapping_add(byte));
                if self.beside > 0 {
                    S::fetch_far(from.wrapping_add(self.beside + byte));
                }
            }
        }
    }
}

impl<In, Out> Tile<In, Out> {
    /// The same block of C from these rows of A.
    pub fn with_rows<A>(self, a: *const A, a_stride: usize) -> Tile<A, Out> {
        let Tile {
            depth,
            b,
            b_panel_stride,
            c,
            c_stride,
            plus,
            rows,
            columns,
            ..
        } = self;
        Tile {
            depth,
            a,
            a_stride,
            b,
            b_panel_stride,
            c,
            c_stride,
            plus,
            rows,
            columns,
        }
    }
}

kernels! {
    /// One block of C on the calling thread: in its caches, or `far` in memory, and what is asked for meanwhile.
    pub fn block_product<Out>(tile: Tile<f32, Out>, layout: Layout, far: Option<&[Ahead]>) = block_body;
}

pair_kernels! {
    fn pair_block<Out>(tile: Tile<Bf16, Out>, far: Option<&[Ahead]>) = pair_block_body;
}

/// One block of C in the caches of the calling thread, from pairs of bf16.
///
/// # Safety
/// The instruction set has products of pairs, and the pointers hold what the tile says.
pub unsafe fn pair_product<Out: Element>(isa: Isa, tile: Tile<Bf16, Out>) {
    pair_block(isa, tile, None);
}

/// The same of C in memory; what is `ahead` is asked for meanwhile.
///
/// # Safety
/// As `pair_product`.
pub unsafe fn pair_product_far<Out: Element>(isa: Isa, tile: Tile<Bf16, Out>, ahead: &[Ahead]) {
    pair_block(isa, tile, Some(ahead));
}

/// Calls $body with the constant number of rows that fits $rows.
macro_rules! with_rows {
    ($rows:expr, $body:ident::<$S:ty, $Out:ty>($($arg:expr),*)) => {
        match $rows {
            1 => $body::<$S, $Out, 1>($($arg),*),
            2 => $body::<$S, $Out, 2>($($arg),*),
            3 => $body::<$S, $Out, 3>($($arg),*),
            4 => $body::<$S, $Out, 4>($($arg),*),
            5 => $body::<$S, $Out, 5>($($arg),*),
            6 => $body::<$S, $Out, 6>($($arg),*),
            7 => $body::<$S, $Out, 7>($($arg),*),
            8 => $body::<$S, $Out, 8>($($arg),*),
            9 => $body::<$S, $Out, 9>($($arg),*),
            10 => $body::<$S, $Out, 10>($($arg),*),
            11 => $body::<$S, $Out, 11>($($arg),*),
            12 => $body::<$S, $Out, 12>($($arg),*),
            13 => $body::<$S, $Out, 13>($($arg),*),
            _ => $body::<$S, $Out, 14>($($arg),*),
        }
    };
}

/// Elements of B that a block of C in memory runs through for each of its tiles of rows: they stay in the second cache,
/// and whole rows of C follow each other in memory.
const ACROSS: usize = 400 << 10;

#[inline(always)]
unsafe fn pair_block_body<S: Pairs, Out: Element>(t: Tile<Bf16, Out>, far: Option<&[Ahead]>) {
    let width = 2 * S::LANES;
    let panels = t.columns.div_ceil(width);
    // Tiles of about one height: one of few rows would wait for its own sums.
    let tiles = t.rows.div_ceil(S::PAIR_ROWS);
    let across = far.is_some() && t.depth * t.columns <= ACROSS;
    let (outer, inner) = if across {
        (tiles, panels)
    } else {
        (panels, tiles)
    };
    for i in 0..outer {
        for j in 0..inner {
            let (tile, panel) = if across { (i, j) } else { (j, i) };
            let row = tile * t.rows / tiles;
            let rows = (tile + 1) * t.rows / tiles - row;
            let at = row * t.c_stride + panel * width;
            let c = Place {
                to: t.c.add(at),
                plus: if t.plus.is_null() {
                    t.plus
                } else {
                    t.plus.add(at)
                },
                stride: t.c_stride,
                columns: width.min(t.columns - panel * width),
            };
            for ahead in far.unwrap_or(&[]) {
                ahead.fetch::<S>(i * inner + j, outer * inner);
            }
            let (a, stride) = (t.a.add(row * t.a_stride), t.a_stride);
            let b = t.b.add(panel * t.b_panel_stride);
            with_rows!(
                rows,
                pair_rows::<S, Out>(t.depth / 2, a, stride, b, c, far.is_some())
            );
        }
    }
}

/// Where a tile of C goes.
#[derive(Clone, Copy)]
struct Place<Out> {
    to: *mut Out,
    plus: *const Out,
    stride: usize,
    columns: usize,
}

impl<Out: Element> Place<Out> {
    /// Every index of `sums` is a constant once the loops are unrolled, which their small bodies see to: one that is not
    /// would keep all sums in memory, and for few K the way there and back takes as long as the product.
    #[inline(always)]
    unsafe fn store<S: Simd, const ROWS: usize>(self, sums: [[S::V; 2]; ROWS]) {
        if self.columns < 2 * S::LANES {
            return self.store_part::<S, ROWS>(sums);
        }
        if self.plus.is_null() {
            for i in 0..ROWS {
                let to = self.to.add(i * self.stride);
                simd::put::<S>(to, S::LANES, sums[i][0]);
                simd::put::<S>(to.add(S::LANES), S::LANES, sums[i][1]);
            }
        } else {
            for i in 0..ROWS {
                let (to, plus) = (self.to.add(i * self.stride), self.plus.add(i * self.stride));
                let low = simd::get::<S>(plus, S::LANES);
                let high = simd::get::<S>(plus.add(S::LANES), S::LANES);
                simd::put::<S>(to, S::LANES, S::add(low, sums[i][0]));
                simd::put::<S>(to.add(S::LANES), S::LANES, S::add(high, sums[i][1]));
            }
        }
    }

    /// One vector of columns, or less.
    #[inline(always)]
    unsafe fn store_half<S: Simd, const ROWS: usize>(self, sums: [S::V; ROWS]) {
        for i in 0..ROWS {
            let at = i * self.stride;
            let mut sum = sums[i];
            if !self.plus.is_null() {
                sum = S::add(simd::get::<S>(self.plus.add(at), self.columns), sum);
            }
            simd::put::<S>(self.to.add(at), self.columns, sum);
        }
    }

    /// Asks for what `store` will add to the product: it arrives while that is made.
    #[inline(always)]
    unsafe fn fetch<S: Simd, const ROWS: usize>(self) {
        if self.plus.is_null() {
            return;
        }
        for i in 0..ROWS {
            let plus = self.plus.wrapping_add(i * self.stride);
            S::fetch(plus as *const u8);
            S::fetch(plus.wrapping_add(S::LANES) as *const u8);
        }
    }

    /// The same from memory, and for the place of C as well. Into the second cache: rows often lie so far apart that the
    /// first has no room for a tile of them.
    #[inline(always)]
    unsafe fn fetch_far<S: Simd, const ROWS: usize>(self) {
        for i in 0..ROWS {
            for column in (0..2 * S::LANES).step_by(64 / std::mem::size_of::<Out>()) {
                let at = i * self.stride + column;
                S::fetch_far(self.to.wrapping_add(at) as *const u8);
                if !self.plus.is_null() && self.plus != self.to {
                    S::fetch_far(self.plus.wrapping_add(at) as *const u8);
                }
            }
        }
    }

    /// The last columns, by way of memory.
    #[inline(always)]
    unsafe fn store_part<S: Simd, const ROWS: usize>(self, sums: [[S::V; 2]; ROWS]) {
        let mut lines = [[0.0f32; WIDEST]; ROWS];
        for i in 0..ROWS {
            S::store(lines[i].as_mut_ptr(), sums[i][0]);
            S::store(lines[i].as_mut_ptr().add(S::LANES), sums[i][1]);
        }
        for (i, line) in lines.iter().enumerate() {
            let at = i * self.stride;
            vectors!(S, self.columns, |column, left| {
                let mut sum = simd::get::<S>(line.as_ptr().add(column), left);
                if !self.plus.is_null() {
                    sum = S::add(simd::get::<S>(self.plus.add(at + column), left), sum);
                }
                simd::put::<S>(self.to.add(at + column), left, sum);
            });
        }
    }
}

/// Columns of a tile, on any instruction set.
const WIDEST: usize = 32;

/// ROWS x two vectors of C in registers.
#[inline(always)]
unsafe fn pair_rows<S: Pairs, Out: Element, const ROWS: usize>(
    pairs: usize,
    a: *const Bf16,
    stride: usize,
    b: *const f32,
    c: Place<Out>,
    far: bool,
) {
    if far {
        c.fetch_far::<S, ROWS>();
    } else {
        c.fetch::<S, ROWS>();
    }
    if c.columns <= S::LANES {
        let sums = S::half_rows::<ROWS>(pairs, a, stride, b);
        return c.store_half::<S, ROWS>(sums);
    }
    c.store::<S, ROWS>(S::rows::<ROWS>(pairs, a, stride, b));
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
    for panel in 0..panels {
        let b = t.b.add(panel * t.b_panel_stride);
        let columns = width.min(t.columns - panel * width);
        let mut row = 0;
        while row < t.rows {
            let tile = row / ROWS;
            let rows = if row < short * SHORT {
                SHORT
            } else {
                ROWS.min(t.rows - row)
            };
            for ahead in far.unwrap_or(&[]) {
                ahead.fetch::<S>(panel * groups + tile, panels * groups);
            }
            let at = row * t.c_stride + panel * width;
            let c = Place {
                to: t.c.add(at),
                plus: if t.plus.is_null() {
                    t.plus
                } else {
                    t.plus.add(at)
                },
                stride: t.c_stride,
                columns,
            };
            if far.is_some() {
                c.fetch_far::<S, ROWS>();
            }
            let (a, stride) = match layout {
                Layout::Rows | Layout::Panels(_) => (t.a.add(row * t.a_stride), t.a_stride),
                Layout::Columns => (t.a.add(row), t.a_stride),
                Layout::Groups => (t.a.add(row * t.depth), ROWS),
            };
            match layout {
                Layout::Rows => {
                    some_rows::<S, Out, ROWS, SHORT, DIRECT>(rows, t.depth, a, stride, 0, b, c);
                }
                Layout::Panels(apart) => {
                    some_rows::<S, Out, ROWS, SHORT, PANELS>(rows, t.depth, a, stride, apart, b, c);
                }
                Layout::Columns | Layout::Groups => {
                    some_rows::<S, Out, ROWS, SHORT, TURNED>(rows, t.depth, a, stride, 0, b, c);
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
        12 => turned_rows::<S, 12>(depth, a, a_stride, b, c, c_stride, rows, columns),
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
        let b = b.add(first * depth);
        for row in (0..rows).step_by(ROWS) {
            let to = c.add(row * c_stride + first);
            let place = Place {
                to,
                plus: to as *const f32,
                stride: c_stride,
                columns: width.min(columns - first),
            };
            let n = ROWS.min(rows - row);
            some_rows::<S, f32, ROWS, ROWS, TURNED>(n, depth, a.add(row), a_stride, 0, b, place);
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
    let place = |row: usize| Place {
        to: c.to.add(row * c.stride),
        plus: if c.plus.is_null() {
            c.plus
        } else {
            c.plus.add(row * c.stride)
        },
        ..c
    };
    while row + 4 <= rows {
        registers::<S, Out, 4, FORM>(depth, at(row), stride, apart, b, place(row));
        row += 4;
    }
    if row + 2 <= rows {
        registers::<S, Out, 2, FORM>(depth, at(row), stride, apart, b, place(row));
        row += 2;
    }
    if row < rows {
        registers::<S, Out, 1, FORM>(depth, at(row), stride, apart, b, place(row));
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
    if FORM == PANELS {
        let width = 2 * S::LANES;
        for panel in 0..depth.div_ceil(width) {
            let (a, b) = (a.add(panel * apart), b.add(panel * width * width));
            for p in 0..width.min(depth - panel * width) {
                add_products::<S, ROWS, DIRECT>(&mut sums, p, a, stride, b);
            }
        }
    } else {
        for p in 0..depth {
            add_products::<S, ROWS, FORM>(&mut sums, p, a, stride, b);
        }
    }
    c.store::<S, ROWS>(sums);
}

/// sums += A's element p of each row times row p of the panel of B.
#[inline(always)]
unsafe fn add_products<S: Simd, const ROWS: usize, const FORM: u8>(
    sums: &mut [[S::V; 2]; ROWS],
    p: usize,
    a: *const f32,
    stride: usize,
    b: *const f32,
) {
    let b0 = S::load(b.add(p * 2 * S::LANES));
    let b1 = S::load(b.add(p * 2 * S::LANES + S::LANES));
    for i in 0..ROWS {
        let x = S::splat(*a.add(if FORM == DIRECT {
            i * stride + p
        } else {
            p * stride + i
        }));
        sums[i][0] = S::fma(x, b0, sums[i][0]);
        sums[i][1] = S::fma(x, b1, sums[i][1]);
    }
}
