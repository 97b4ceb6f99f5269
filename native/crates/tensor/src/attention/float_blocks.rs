//! Blocks of queries for attention by products of f32: which keys they see, and their products with packed keys and
//! values.

use super::float_rows::Scores;
use super::seen::{Seen, Span};
use super::stairs::Stairs;
use super::{Shape, score_stride};
use crate::element::Element;
use crate::gemm::{Source, Tile, pack_panel, panel_columns};
use crate::isa::Isa;
use std::ops::Range;

/// What forward and backward share.
pub struct Plan<'a> {
    isa: Isa,
    pub seen: Seen<'a>,
    /// Of a panel of packed keys or values.
    columns: usize,
    /// Of scores and slopes.
    pub stride: usize,
    /// Query rows of a block.
    pub rows: usize,
    pub s: Shape,
}

/// Queries of a head, and the panels of keys that any of them sees.
pub struct Block {
    b: usize,
    pub rows: Range<usize>,
    pub keys: Span,
    pub stairs: Stairs,
}

impl Block {
    /// Keys that are multiplied.
    pub fn keys(&self) -> usize {
        self.keys.high - self.keys.low
    }
}

impl<'a> Plan<'a> {
    pub fn new(isa: Isa, s: Shape, segments: Option<&'a [i32]>) -> Self {
        Self {
            isa,
            seen: Seen::new(&s, segments),
            columns: panel_columns(isa),
            stride: score_stride(s.key_length),
            rows: block_rows(&s),
            s,
        }
    }

    /// f32 of memory of so many rows of keys or values packed by `pack_turned`.
    pub fn turned(&self, rows: usize) -> usize {
        rows.next_multiple_of(self.columns) * self.s.head_dim
    }

    /// And by `pack_straight`.
    pub fn straight(&self, rows: usize) -> usize {
        self.s.head_dim.next_multiple_of(self.columns) * rows
    }

    /// Panels of the transpose of `rows` rows of width d: `[panel of rows][d][rows of the panel]`.
    pub unsafe fn pack_turned<E: Element>(
        &self,
        from: &[E],
        stride: usize,
        rows: usize,
        to: &mut [f32],
    ) {
        let source = Source {
            row_stride: 1,
            column_stride: stride,
            rows: self.s.head_dim,
            columns: rows,
            round: false,
        };
        self.pack(from, source, to);
    }

    /// Panels of `rows` rows of width d: `[panel of d][row][columns of the panel]`.
    pub unsafe fn pack_straight<E: Element>(
        &self,
        from: &[E],
        stride: usize,
        rows: usize,
        to: &mut [f32],
    ) {
        let source = Source {
            row_stride: stride,
            column_stride: 1,
            rows,
            columns: self.s.head_dim,
            round: false,
        };
        self.pack(from, source, to);
    }

    unsafe fn pack<E: Element>(&self, from: &[E], source: Source, to: &mut [f32]) {
        let panel = self.columns * source.rows;
        for (i, (at, source)) in source.panels(self.columns).enumerate() {
            let to = &mut to[i * panel..(i + 1) * panel];
            pack_panel(self.isa, from.as_ptr().add(at), source, to);
        }
    }

    pub fn block(&self, b: usize, from: usize) -> Block {
        let rows = from..(from + self.rows).min(self.s.time);
        let keys = self.seen.block(b, from, rows.end, self.columns);
        Block {
            b,
            rows,
            keys,
            stairs: Stairs::new(self.isa, &self.s, from, keys.low),
        }
    }

    /// c = a bᵀ for rows of queries, or of what lies as they do, and keys packed by `pack_turned`.
    pub unsafe fn by_queries(&self, block: &Block, a: &[f32], b: &[f32], c: &mut [f32]) {
        let d = self.s.head_dim;
        let tile = Tile {
            depth: d,
            a: a.as_ptr(),
            a_stride: d,
            b: b.as_ptr().add(block.keys.low * d),
            b_panel_stride: self.columns * d,
            c: c.as_mut_ptr(),
            c_stride: self.stride,
            c_panel_stride: self.columns,
            plus: std::ptr::null(),
            rows: block.rows.len(),
            columns: block.keys(),
        };
        block.stairs.scores(tile);
    }

    /// c = a b for rows of scores, or of slopes, and values packed by `pack_straight`; or c += with `add`.
    pub unsafe fn by_scores<E: Element>(
        &self,
        block: &Block,
        a: &[f32],
        b: &[f32],
        c: *mut E,
        c_stride: usize,
        add: bool,
    ) {
        let tile = Tile {
            depth: block.keys(),
            a: a.as_ptr(),
            a_stride: self.stride,
            b: b.as_ptr().add(block.keys.low * self.columns),
            b_panel_stride: self.columns * self.s.key_length,
            c,
            c_stride,
            c_panel_stride: self.columns,
            plus: if add { c } else { std::ptr::null() },
            rows: block.rows.len(),
            columns: self.s.head_dim,
        };
        block.stairs.by_rows(tile);
    }

    /// The scores of a block, with what its rows see.
    pub fn scores<'s>(&self, block: &Block, at: *mut f32, spans: &'s mut Vec<Span>) -> Scores<'s> {
        let Range { start, end } = block.rows;
        Scores {
            at,
            stride: self.stride,
            width: block.keys(),
            spans: self.seen.spans(block.b, start, end, block.keys.low, spans),
            read: block.stairs.read(),
            scale: self.s.scale(),
        }
    }

    /// Whether what a row sees is all of its span.
    pub fn whole(&self, block: &Block) -> bool {
        (block.rows.clone()).all(|row| self.seen.whole(block.b, row))
    }
}

/// Query rows of a block: their scores over all keys stay in the second cache.
fn block_rows(s: &Shape) -> usize {
    (49_152 / s.key_length.max(1))
        .clamp(12, 48)
        .min(s.time.max(1))
}
