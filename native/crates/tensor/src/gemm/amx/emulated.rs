//! The instructions in plain arithmetic, as strict as the machine about sizes.

use super::{Sizes, Tiles};
use crate::element::Bf16;
use std::cell::RefCell;

pub struct Emulated;

#[derive(Clone, Copy, Default)]
struct OneTile {
    rows: usize,
    row_bytes: usize,
    data: [[u32; 16]; 16],
}

thread_local! {
    /// None where no configuration is loaded.
    static TILES: RefCell<Option<[OneTile; 8]>> = const { RefCell::new(None) };
}

fn with<R>(body: impl FnOnce(&mut [OneTile; 8]) -> R) -> R {
    TILES.with_borrow_mut(|tiles| body(tiles.as_mut().expect("tiles without configuration")))
}

impl Tiles for Emulated {
    unsafe fn configure(sizes: &Sizes) {
        assert_eq!((sizes.palette, sizes.start_row), (1, 0));
        assert!(sizes.reserved.iter().all(|&byte| byte == 0));
        let tiles = std::array::from_fn(|t| {
            let (rows, row_bytes) = (sizes.rows[t] as usize, sizes.row_bytes[t] as usize);
            // The machine raises a fault.
            assert!(rows <= 16 && row_bytes <= 64 && (rows == 0) == (row_bytes == 0));
            OneTile {
                rows,
                row_bytes,
                ..OneTile::default()
            }
        });
        assert!(sizes.rows[8..].iter().all(|&rows| rows == 0));
        assert!(sizes.row_bytes[8..].iter().all(|&bytes| bytes == 0));
        TILES.set(Some(tiles));
    }

    unsafe fn release() {
        TILES.set(None);
    }

    unsafe fn zero<const T: u8>() {
        with(|tiles| {
            let tile = &mut tiles[T as usize];
            assert!(tile.rows > 0);
            tile.data = Default::default();
        });
    }

    unsafe fn load<const T: u8>(from: *const u8, stride: usize) {
        with(|tiles| {
            let tile = &mut tiles[T as usize];
            assert!(tile.rows > 0);
            tile.data = Default::default();
            for row in 0..tile.rows {
                for j in 0..tile.row_bytes / 4 {
                    let word = from.add(row * stride + 4 * j) as *const u32;
                    tile.data[row][j] = word.read_unaligned();
                }
            }
        });
    }

    unsafe fn store<const T: u8>(to: *mut u8, stride: usize) {
        with(|tiles| {
            let tile = &tiles[T as usize];
            assert!(tile.rows > 0);
            for row in 0..tile.rows {
                for j in 0..tile.row_bytes / 4 {
                    let word = to.add(row * stride + 4 * j) as *mut u32;
                    word.write_unaligned(tile.data[row][j]);
                }
            }
        });
    }

    unsafe fn multiply<const C: u8, const A: u8, const B: u8>() {
        let halves = |word: u32| [Bf16(word as u16), Bf16((word >> 16) as u16)];
        with(|tiles| {
            let [mut c, a, b] = [C, A, B].map(|t| tiles[t as usize]);
            assert!(c.rows == a.rows && c.row_bytes == b.row_bytes);
            assert!(a.row_bytes == 4 * b.rows && c.rows > 0 && C != A && C != B && A != B);
            for i in 0..c.rows {
                for p in 0..b.rows {
                    let [even, odd] = halves(a.data[i][p]).map(Bf16::value);
                    for j in 0..c.row_bytes / 4 {
                        let [x, y] = halves(b.data[p][j]).map(Bf16::value);
                        let sum = f32::from_bits(c.data[i][j]) + even * x + odd * y;
                        c.data[i][j] = sum.to_bits();
                    }
                }
            }
            tiles[C as usize] = c;
        });
    }

    unsafe fn prefetch(_line: *const f32) {}
}
