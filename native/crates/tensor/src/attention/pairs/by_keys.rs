//! Products for the gradients of keys and of values.

use crate::element::Bf16;
use crate::gemm::{Tile, pair_product};
use crate::isa::Isa;
use std::ops::Range;

/// Rows of the left side turned, [d, rows of a block], times pairs of these rows by panels of keys, summed up by keys.
pub struct ByKeys {
    pub isa: Isa,
    pub d: usize,
    /// Of a panel.
    pub columns: usize,
    pub turned_stride: usize,
    /// From a panel of pairs to the next.
    pub pair_panel: usize,
    /// All panels of pairs.
    pub pair_words: usize,
    pub sum_stride: usize,
}

impl ByKeys {
    /// c += aᵀ pairs for these keys, which begin with a panel or its second half.
    pub unsafe fn add(
        &self,
        a: *const Bf16,
        pairs: &[f32],
        c: *mut f32,
        rows: Range<usize>,
        keys: Range<usize>,
    ) {
        let half = keys.start % self.columns;
        let middle = (keys.start + half).min(keys.end);
        for keys in [keys.start..middle, middle..keys.end] {
            if keys.is_empty() {
                continue;
            }
            let panel = keys.start / self.columns * self.pair_panel;
            let pair = rows.start / 2 * self.columns + keys.start % self.columns;
            let c = c.add(keys.start);
            let tile = Tile {
                depth: rows.len(),
                a: a.add(rows.start),
                a_stride: self.turned_stride,
                b: pairs.as_ptr().add(panel + pair),
                b_panel_stride: self.pair_panel,
                c,
                c_stride: self.sum_stride,
                c_panel_stride: self.columns,
                plus: c,
                rows: self.d,
                columns: keys.len(),
            };
            pair_product(self.isa, tile);
        }
    }
}
