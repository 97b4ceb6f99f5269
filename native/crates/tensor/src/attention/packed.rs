//! Keys and values packed as pairs of bf16 for the products of attention.

use crate::element::Element;
use crate::gemm::{Source, pack_pairs};
use crate::isa::Isa;

/// Panels of the transpose of rows of width d: `[panel of rows][d / 2][row of the panel][2]`.
#[derive(Clone, Copy)]
pub struct Turned {
    columns: usize,
    rows: usize,
    d: usize,
    /// f32 of memory of a panel, and of all.
    pub panel: usize,
    pub words: usize,
}

impl Turned {
    pub fn new(columns: usize, rows: usize, d: usize) -> Self {
        let panel = d.div_ceil(2) * columns;
        Self {
            columns,
            rows,
            d,
            panel,
            words: rows.div_ceil(columns) * panel,
        }
    }

    pub unsafe fn pack<E: Element>(&self, isa: Isa, from: &[E], stride: usize, to: &mut [f32]) {
        let source = Source {
            row_stride: 1,
            column_stride: stride,
            rows: self.d,
            columns: self.rows,
            round: true,
        };
        pack(isa, from, source, self.columns, to.chunks_mut(self.panel));
    }

    /// The panels from this row on, which begins one.
    pub fn from(&self, packed: &[f32], row: usize) -> *const f32 {
        packed[row / self.columns * self.panel..].as_ptr()
    }
}

/// Panels of rows of width d: `[panel of d][row / 2][column of the panel][2]`.
#[derive(Clone, Copy)]
pub struct Straight {
    columns: usize,
    rows: usize,
    d: usize,
    pub panel: usize,
    pub words: usize,
}

impl Straight {
    pub fn new(columns: usize, rows: usize, d: usize) -> Self {
        let panel = rows.div_ceil(2) * columns;
        Self {
            columns,
            rows,
            d,
            panel,
            words: d.div_ceil(columns) * panel,
        }
    }

    pub unsafe fn pack<E: Element>(&self, isa: Isa, from: &[E], stride: usize, to: &mut [f32]) {
        let source = Source {
            row_stride: stride,
            column_stride: 1,
            rows: self.rows,
            columns: self.d,
            round: true,
        };
        pack(isa, from, source, self.columns, to.chunks_mut(self.panel));
    }

    /// Every panel from this row on, which is even.
    pub fn from(&self, packed: &[f32], row: usize) -> *const f32 {
        packed[row / 2 * self.columns..].as_ptr()
    }
}

unsafe fn pack<'a, E: Element>(
    isa: Isa,
    from: &[E],
    source: Source,
    columns: usize,
    to: impl Iterator<Item = &'a mut [f32]>,
) {
    for ((at, source), panel) in source.panels(columns).zip(to) {
        pack_pairs(isa, from.as_ptr().add(at), source, panel);
    }
}
