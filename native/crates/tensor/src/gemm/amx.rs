//! A block of C by AMX: tiles of 16 rows of 64 bytes, C in four of them (32 x 32), A and B in two each.
//!
//! A step is 32 of K: four tiles of 1 KB are loaded and four products made, which take 16 cycles each. The products
//! need 64 cycles and the loads 64 bytes a cycle of them: the first cache gives twice that, the second about 48. So
//! the order is a panel of B outside and the rows of A inside: while K is at most 512 the panel (64 K bytes) stays in
//! the first cache and only A streams from the second; with a longer K both stream and three quarters of the rate are
//! left, which is still better than to visit C again. A task takes so many rows of A that they fill a quarter of the
//! second cache (2 MB) and every panel is used R / 32 times; from beyond that cache comes B alone, R operations a
//! byte: with 128 rows 25 GB/s feed the 3.25 TFLOP/s of a core, so no task has fewer while M allows it. The panel
//! that is next is prefetched meanwhile, a share of it beside each block of C. Tasks are cut along N where M is too
//! short for the threads, as in weight gradients; an A that has to be packed is then packed once for all of them.
//!
//! f32 outputs are loaded into the tiles, summed and stored from them; bf16 and the right edge go through a buffer
//! and the vector code. The last rows have a configuration of their own, of tiles with fewer rows: nothing beyond the
//! matrix is read or written. The configuration is loaded by every task (about 200 cycles of some 100,000) and
//! released after it, so threads need no state, and a thread that is put away has no tiles to save.

#![cfg_attr(not(any(target_arch = "x86_64", test)), allow(dead_code))]

#[cfg(test)]
mod emulated;
#[cfg(target_arch = "x86_64")]
mod machine;

#[cfg(target_arch = "x86_64")]
pub use machine::available;

use super::tile::{Place, Tile};
use crate::element::{Bf16, Element};
use crate::isa::Isa;
use crate::simd::{self, Simd};

/// Rows and columns of C that are in tiles at a time.
pub const SIDE: usize = 32;
/// Rows of a tile, and f32 or pairs in a row of it.
const HALF: usize = 16;

/// One block of C on the calling thread, from tiles of bf16: `depth` is a multiple of 32.
pub unsafe fn tile_product<Out: Element>(isa: Isa, tile: Tile<Bf16, Out>) {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")]
        unsafe fn amx<Out: Element>(tile: Tile<Bf16, Out>) {
            block::<simd::Avx512Bf16, machine::Amx, Out>(tile);
        }
        if isa == Isa::Amx {
            return amx(tile);
        }
    }
    #[cfg(test)]
    if isa == Isa::WideTiles {
        return block::<simd::Wide, emulated::Emulated, Out>(tile);
    }
    let _ = tile;
    unreachable!("{} has no tiles", isa.name())
}

/// Rounds of four products on registers alone: what the rate of a product is held against.
pub unsafe fn tile_loop(isa: Isa, rounds: usize) {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Amx {
        return multiply_only::<machine::Amx>(rounds);
    }
    #[cfg(test)]
    if isa == Isa::WideTiles {
        return multiply_only::<emulated::Emulated>(rounds);
    }
    let _ = rounds;
    unreachable!("{} has no tiles", isa.name())
}

/// Multiply-adds in a round of `tile_loop`.
pub const LOOP_PRODUCTS: usize = SIDE * SIDE * SIDE;

/// The instructions, so that all around them can be tested where they are missing. Tiles are numbered 0 to 7.
trait Tiles {
    /// Gives the tiles their sizes and fills them with zeros.
    unsafe fn configure(sizes: &Sizes);
    unsafe fn release();
    unsafe fn zero<const T: u8>();
    /// Rows `stride` bytes apart.
    unsafe fn load<const T: u8>(from: *const u8, stride: usize);
    unsafe fn store<const T: u8>(to: *mut u8, stride: usize);
    /// C[i, j] += the sum over p of A[i, 2p] B[p, 2j] + A[i, 2p + 1] B[p, 2j + 1].
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>();
    /// Brings a line to the second cache.
    unsafe fn prefetch(line: *const f32);
}

/// What `ldtilecfg` reads.
#[repr(C, align(64))]
struct Sizes {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

// C is 0 1 / 2 3, A is 4 / 5, B is 6 7.
impl Sizes {
    /// For this many rows of C, 1 to 32.
    fn of(rows: usize) -> Self {
        let (upper, lower) = (rows.min(HALF) as u8, rows.saturating_sub(HALF) as u8);
        let mut sizes = Sizes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        for (tile, rows) in [upper, upper, lower, lower, upper, lower, 16, 16]
            .into_iter()
            .enumerate()
        {
            // A tile of no rows is one that must not be used.
            sizes.rows[tile] = rows;
            sizes.row_bytes[tile] = if rows > 0 { 64 } else { 0 };
        }
        sizes
    }
}

#[inline(always)]
unsafe fn block<S: Simd, T: Tiles, Out: Element>(t: Tile<Bf16, Out>) {
    let whole = t.rows / SIDE * SIDE;
    if whole > 0 {
        T::configure(&Sizes::of(SIDE));
        panels::<S, T, Out, true>(t, 0, whole);
    }
    let rest = t.rows - whole;
    if rest > 0 {
        T::configure(&Sizes::of(rest));
        if rest > HALF {
            panels::<S, T, Out, true>(t, whole, t.rows);
        } else {
            panels::<S, T, Out, false>(t, whole, t.rows);
        }
    }
    T::release();
}

/// All panels of B against these rows. TALL: blocks have more than 16 of them.
#[inline(always)]
unsafe fn panels<S: Simd, T: Tiles, Out: Element, const TALL: bool>(
    t: Tile<Bf16, Out>,
    from: usize,
    to: usize,
) {
    let count = t.columns.div_ceil(SIDE);
    for panel in 0..count {
        let b = t.b.add(panel * t.b_panel_stride);
        for row in (from..to).step_by(SIDE) {
            let rows = SIDE.min(to - row);
            let c = t.place(row, panel, SIDE);
            // This block's share of the lines of the next panel, of which there are `depth`.
            let share = |row: usize| (row - from) * t.depth / (to - from);
            let next = if panel + 1 < count {
                let lines = share(row)..share(row + rows);
                (b.add(t.b_panel_stride + lines.start * HALF), lines.len())
            } else {
                (b, 0)
            };
            let a = t.a.add(row * t.a_stride);
            square::<S, T, Out, TALL>(t.depth / SIDE, a, t.a_stride, b, next, c, rows);
        }
    }
}

/// A block of C in tiles.
#[inline(always)]
unsafe fn square<S: Simd, T: Tiles, Out: Element, const TALL: bool>(
    steps: usize,
    a: *const Bf16,
    a_stride: usize,
    b: *const f32,
    (next, lines): (*const f32, usize),
    c: Place<Out>,
    rows: usize,
) {
    const B_STRIDE: usize = SIDE * 4;
    let in_place = size_of::<Out>() == 4 && c.columns == SIDE;
    let (c_stride, lower) = (c.stride * 4, HALF * c.stride);
    if in_place && !c.plus.is_null() {
        let plus = c.plus as *const f32;
        T::load::<0>(plus as *const u8, c_stride);
        T::load::<1>(plus.add(HALF) as *const u8, c_stride);
        if TALL {
            T::load::<2>(plus.add(lower) as *const u8, c_stride);
            T::load::<3>(plus.add(lower + HALF) as *const u8, c_stride);
        }
    } else {
        T::zero::<0>();
        T::zero::<1>();
        if TALL {
            T::zero::<2>();
            T::zero::<3>();
        }
    }
    let mut fetched = 0;
    for step in 0..steps {
        let a = a.add(step * SIDE);
        let b = b.add(step * HALF * SIDE);
        T::load::<6>(b as *const u8, B_STRIDE);
        T::load::<4>(a as *const u8, a_stride * 2);
        T::multiply::<0, 4, 6>();
        T::load::<7>(b.add(HALF) as *const u8, B_STRIDE);
        T::multiply::<1, 4, 7>();
        if TALL {
            T::load::<5>(a.add(HALF * a_stride) as *const u8, a_stride * 2);
            T::multiply::<2, 5, 6>();
            T::multiply::<3, 5, 7>();
        }
        while fetched * steps < lines * (step + 1) {
            T::prefetch(next.add(fetched * HALF));
            fetched += 1;
        }
    }
    if in_place {
        let to = c.to as *mut f32;
        T::store::<0>(to as *mut u8, c_stride);
        T::store::<1>(to.add(HALF) as *mut u8, c_stride);
        if TALL {
            T::store::<2>(to.add(lower) as *mut u8, c_stride);
            T::store::<3>(to.add(lower + HALF) as *mut u8, c_stride);
        }
        return;
    }
    let mut buffer = Buffer([0.0; SIDE * SIDE]);
    let sums = buffer.0.as_mut_ptr();
    T::store::<0>(sums as *mut u8, B_STRIDE);
    T::store::<1>(sums.add(HALF) as *mut u8, B_STRIDE);
    if TALL {
        T::store::<2>(sums.add(HALF * SIDE) as *mut u8, B_STRIDE);
        T::store::<3>(sums.add(HALF * SIDE + HALF) as *mut u8, B_STRIDE);
    }
    for row in 0..rows {
        crate::vectors!(S, c.columns, |j, left| {
            let at = row * c.stride + j;
            let mut sum = S::load(sums.add(row * SIDE + j));
            if !c.plus.is_null() {
                sum = S::add(simd::get::<S>(c.plus.add(at), left), sum);
            }
            simd::put::<S>(c.to.add(at), left, sum);
        });
    }
}

#[repr(align(64))]
struct Buffer([f32; SIDE * SIDE]);

unsafe fn multiply_only<T: Tiles>(rounds: usize) {
    T::configure(&Sizes::of(SIDE));
    for _ in 0..rounds {
        T::multiply::<0, 4, 6>();
        T::multiply::<1, 4, 7>();
        T::multiply::<2, 5, 6>();
        T::multiply::<3, 5, 7>();
    }
    T::release();
}

#[cfg(test)]
mod tests {
    use super::Sizes;

    #[test]
    fn the_configuration_has_the_layout_that_the_machine_reads() {
        assert_eq!(size_of::<Sizes>(), 64);
        let sizes = Sizes::of(21);
        let bytes = unsafe { &*(&raw const sizes as *const [u8; 64]) };
        assert_eq!(bytes[0], 1);
        // Bytes a row as 16 bit from byte 16 on, rows from byte 48 on.
        assert_eq!(bytes[16..32], [64, 0].repeat(8)[..]);
        assert_eq!(bytes[48..56], [16, 16, 5, 5, 16, 5, 16, 16]);
        let few = Sizes::of(3);
        assert_eq!(few.rows[..8], [3, 3, 0, 0, 3, 0, 16, 16]);
        assert_eq!(few.row_bytes[..8], [64, 64, 0, 0, 64, 0, 64, 64]);
    }
}
