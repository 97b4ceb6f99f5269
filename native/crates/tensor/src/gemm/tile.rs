//! A block of C that is multiplied on one thread, and where its tiles go from the registers: what blocks of f32
//! (`float_tile.rs`) and of pairs of bf16 (`pair_tile.rs`) share.

use crate::element::Element;
use crate::simd::{self, Simd};
use crate::vectors;

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
    /// From the columns of a panel of C to those of the next: as many as they are, in a matrix of rows.
    pub c_panel_stride: usize,
    /// What is added to the product, laid out as C; null for nothing.
    pub plus: *const Out,
    pub rows: usize,
    pub columns: usize,
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
            c_panel_stride,
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
            c_panel_stride,
            plus,
            rows,
            columns,
        }
    }

    /// These rows of it, of an A that lies row by row.
    pub unsafe fn some_rows(self, from: usize, rows: usize) -> Self {
        Tile {
            a: self.a.add(from * self.a_stride),
            c: self.c.add(from * self.c_stride),
            plus: plus_at(self.plus, from * self.c_stride),
            rows,
            ..self
        }
    }

    /// Where C from this row on goes, of a panel of `width` columns.
    #[inline(always)]
    pub unsafe fn place(&self, row: usize, panel: usize, width: usize) -> Place<Out> {
        let columns = width.min(self.columns - panel * width);
        let at = row * self.c_stride + panel * self.c_panel_stride;
        Place {
            to: self.c.add(at),
            plus: plus_at(self.plus, at),
            stride: self.c_stride,
            columns,
        }
    }
}

/// What is added to the element so many after the first of C; null for nothing.
#[inline(always)]
pub unsafe fn plus_at<Out>(plus: *const Out, at: usize) -> *const Out {
    if plus.is_null() { plus } else { plus.add(at) }
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
    pub unsafe fn fetch<S: Simd>(self, part: usize, parts: usize) {
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

/// Where a tile of C goes.
#[derive(Clone, Copy)]
pub struct Place<Out> {
    pub to: *mut Out,
    /// What is added to the product, laid out as C; null for nothing.
    pub plus: *const Out,
    pub stride: usize,
    pub columns: usize,
}

impl<Out: Element> Place<Out> {
    /// The same from this row on.
    #[inline(always)]
    pub unsafe fn below(self, row: usize) -> Self {
        let at = row * self.stride;
        Self {
            to: self.to.add(at),
            plus: plus_at(self.plus, at),
            ..self
        }
    }

    /// Every index of `sums` is a constant once the loops are unrolled, which their small bodies see to: one that is not
    /// would keep all sums in memory, and for few K the way there and back takes as long as the product.
    #[inline(always)]
    pub unsafe fn store<S: Simd, const ROWS: usize>(self, sums: [[S::V; 2]; ROWS]) {
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
    pub unsafe fn store_half<S: Simd, const ROWS: usize>(self, sums: [S::V; ROWS]) {
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
    pub unsafe fn fetch<S: Simd, const ROWS: usize>(self) {
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
    pub unsafe fn fetch_far<S: Simd, const ROWS: usize>(self) {
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
