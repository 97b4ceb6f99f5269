//! A block of C from pairs of bf16, tile by tile in registers.

use super::tile::{Ahead, Place, Tile};
use crate::element::{Bf16, Element};
use crate::isa::Isa;
use crate::pair_kernels;
use crate::simd::Pairs;

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

pair_kernels! {
    fn pair_block<Out>(tile: Tile<Bf16, Out>, far: Option<&[Ahead]>) = pair_block_body;
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
            let c = t.place(row, panel, width);
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
