//! The products of attention in f32 where no query sees later keys: of the last keys of a block, which few of its rows
//! see, no more is multiplied than is not zero.

use super::Shape;
use crate::element::Element;
use crate::gemm::{Layout, Tile, Turned, block_product, panel_columns, turned_product};
use crate::isa::Isa;

/// The products of a block of queries of which row i sees no more than its first `seen + i` keys.
#[derive(Clone, Copy)]
pub struct Stairs {
    isa: Isa,
    seen: usize,
    /// Rows of a step: a tile.
    step: usize,
}

impl Stairs {
    /// Of the block that begins with query `from`, whose keys begin with `low`.
    pub fn new(isa: Isa, s: &Shape, from: usize, low: usize) -> Self {
        let seen = if s.causal {
            s.key_length - s.time + from + 1 - low
        } else {
            s.key_length
        };
        Self {
            isa,
            seen,
            step: isa.tile_rows(),
        }
    }

    /// The products read row i up to its key `read() + i`.
    pub fn read(self) -> usize {
        self.seen + self.step
    }

    /// C [queries, keys] without the panels of keys that a row does not see: those are not written.
    pub unsafe fn scores(self, tile: Tile<f32, f32>) {
        let panel = panel_columns(self.isa);
        let whole = self.seen.next_multiple_of(panel).min(tile.columns);
        let of_all = Tile {
            columns: whole,
            ..tile
        };
        block_product(self.isa, of_all, Layout::Rows, None);
        for key in (whole..tile.columns).step_by(panel) {
            let row = key + 1 - self.seen;
            let of_some = Tile {
                a: tile.a.add(row * tile.a_stride),
                b: tile.b.add(key / panel * tile.b_panel_stride),
                c: tile.c.add(row * tile.c_stride + key),
                rows: tile.rows - row,
                columns: panel.min(tile.columns - key),
                ..tile
            };
            block_product(self.isa, of_some, Layout::Rows, None);
        }
    }

    /// C [queries, head_dim] of a left side [queries, keys]: a row is as deep as the keys that it sees.
    pub unsafe fn by_rows<E: Element>(self, tile: Tile<f32, E>) {
        if self.seen >= tile.depth {
            return block_product(self.isa, tile, Layout::Rows, None);
        }
        for row in (0..tile.rows).step_by(self.step) {
            let rows = self.step.min(tile.rows - row);
            let some = Tile {
                depth: tile.depth.min(self.seen + row + rows - 1),
                ..tile.some_rows(row, rows)
            };
            block_product(self.isa, some, Layout::Rows, None);
        }
    }

    /// C [keys, head_dim] += of a left side that lies as [queries, keys]: a key is as deep as the queries that see it.
    pub unsafe fn by_keys(self, all: Turned) {
        let whole = self.seen.min(all.rows) / self.isa.tile_rows() * self.isa.tile_rows();
        turned_product(self.isa, Turned { rows: whole, ..all });
        // Keys that the last row does not see fill up the last panel.
        let end = all.rows.min(self.seen + all.depth - 1);
        for key in (whole..end).step_by(self.step) {
            let row = (key + 1).saturating_sub(self.seen);
            let columns = panel_columns(self.isa);
            let c = all.c.add(key * all.c_stride);
            let some = Tile {
                depth: all.depth - row,
                a: all.a.add(row * all.a_stride + key),
                a_stride: all.a_stride,
                b: all.b.add(row * columns),
                b_panel_stride: columns * all.depth,
                c,
                c_stride: all.c_stride,
                c_panel_stride: columns,
                plus: c,
                rows: self.step.min(end - key),
                columns: all.columns,
            };
            block_product(self.isa, some, Layout::Columns, None);
        }
    }
}
