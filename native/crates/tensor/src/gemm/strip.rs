//! Products on the calling thread of a few rows and panels, whatever is multiplied: for kernels that do more with a
//! block of C while it is in the caches.

use super::amx::tile_product;
use super::left::{Part, float_rows};
use super::pair_tile::pair_product_far;
use super::product::{K_BLOCK, PAIR_K_BLOCK};
use super::{Ahead, Inputs, Matrix, NarrowRows, Packed, WideRows, block_product};
use crate::context::{Context, Precision};
use crate::element::Floats;
use std::ops::Range;

/// Rows of a left side as they are multiplied.
#[derive(Clone, Copy)]
pub enum Strip {
    Floats(WideRows),
    Halves(NarrowRows),
}

impl Strip {
    /// Rows of a[.., k], read where they lie or packed into scratch of this worker (`Purpose::PackedA`).
    ///
    /// # Safety
    /// The matrix is stored row by row and has these rows.
    pub unsafe fn new(
        context: &Context,
        worker: usize,
        a: Matrix,
        rows: Range<usize>,
        k: usize,
    ) -> Self {
        let inputs = Inputs::of(context);
        if inputs == Inputs::Floats {
            let part = Part {
                top: rows.start,
                rows: rows.len(),
                begin: 0,
                depth: k,
            };
            let direct = context.precision == Precision::F32 && matches!(a.data, Floats::F32(_));
            let (data, stride, layout) = float_rows(context, worker, a, part, direct);
            return Strip::Floats(WideRows {
                data,
                stride,
                layout,
                rows: part.rows,
            });
        }
        let direct = inputs == Inputs::Pairs && k.is_multiple_of(inputs.depth_step());
        Strip::Halves(NarrowRows::new(context, worker, a, rows, k, direct))
    }

    /// c = the product with these panels of B; `ahead` is asked for meanwhile.
    ///
    /// # Safety
    /// The rows are as deep as B, and C holds as many rows and columns.
    pub unsafe fn product(
        self,
        context: &Context,
        b: Packed,
        panels: Range<usize>,
        c: *mut f32,
        c_stride: usize,
        ahead: &[Ahead],
    ) {
        let inputs = Inputs::of(context);
        let longest = match inputs {
            Inputs::Floats => K_BLOCK,
            _ => PAIR_K_BLOCK,
        };
        // Blocks of K of one length, each with its share of what is asked for. An empty K stores zeros.
        let blocks = b.k.div_ceil(longest).max(1);
        let length = b.k.div_ceil(blocks).max(1);
        let length = length.next_multiple_of(inputs.depth_step());
        for begin in (0..b.k.max(1)).step_by(length) {
            let depth = begin..b.k.min(begin + length);
            let share = |all: &Ahead| all.share(begin / length, blocks);
            let ahead: Vec<Ahead> = ahead.iter().map(share).collect();
            let plus = if begin > 0 { c } else { std::ptr::null() };
            let tile = |rows| b.tile(context, rows, depth, panels.clone(), (c, c_stride), plus);
            match self {
                Strip::Floats(a) => {
                    let tile = tile(a.rows).with_rows(a.data.add(begin), a.stride);
                    block_product(context.isa, tile, a.layout, Some(&ahead));
                }
                Strip::Halves(a) => {
                    let tile = tile(a.rows).with_rows(a.data.add(begin), a.stride);
                    match inputs {
                        Inputs::Tiles => tile_product(context.isa, tile),
                        _ => pair_product_far(context.isa, tile, &ahead),
                    }
                }
            }
        }
    }
}

/// Rows of a strip, about `most` of many: strips come in eights then, so that no thread is left with the last one alone.
/// Whole steps of the depth of a product that the strips are the right side of.
pub fn strip_rows(context: &Context, rows: usize, most: usize) -> usize {
    const TOGETHER: usize = 8;
    const FEWEST: usize = 42;
    let many = rows.div_ceil(most).next_multiple_of(TOGETHER);
    let strips = many.min(rows.div_ceil(FEWEST)).max(1);
    let step = Inputs::of(context).depth_step();
    rows.div_ceil(strips).max(1).next_multiple_of(step)
}
