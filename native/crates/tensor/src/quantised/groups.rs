//! A row of blocks as groups of 32 elements s q + m, whatever the format.

use super::formats::{Format, q4k_scales};
use super::lanes::Lanes;

/// Elements of a group, and of what x is rounded by: what a row is made of.
pub const GROUP: usize = 32;

/// Bytes before they are needed that blocks are asked for. The machine does so by itself within a page of 4 KB; files
/// are mapped in such pages, of which each is soon read.
const AHEAD: usize = 2048;

/// What is done with the groups of a row, in their order.
pub trait Sink<L: Lanes> {
    /// 32 small numbers q that mean s q + m, for the (s, m) of `scale`. q is signed, and m nothing, or at most 63. PART
    /// is 0 or 1, in turns.
    unsafe fn group<const SIGNED: bool, const PART: usize>(&mut self, q: L::Q, scale: L::P);
    /// The same with a scale for the first 16 and one for the others; q is not signed.
    unsafe fn halves(&mut self, q: L::Q, scales: [L::P; 2]);
    /// 32 numbers that are stored as floats, 8 a vector.
    unsafe fn values(&mut self, values: [L::V; 4]);
}

/// Walks `elements` of a row, a multiple of 32 and of the format's block, that lies at `row`.
#[inline(always)]
pub unsafe fn walk<L: Lanes, K: Sink<L>>(
    format: Format,
    row: *const u8,
    elements: usize,
    sink: &mut K,
) {
    if format.block_elements() == 1 {
        return walk_floats::<L, K>(format, row, elements, sink);
    }
    let blocks = elements / format.block_elements();
    let size = format.block_bytes();
    for b in 0..blocks / 2 {
        let p = row.add(2 * b * size);
        for byte in (0..2 * size).step_by(64) {
            L::fetch(p.wrapping_add(AHEAD + byte));
        }
        block::<L, K, 0>(format, p, sink);
        block::<L, K, 1>(format, p.add(size), sink);
    }
    if blocks % 2 == 1 {
        block::<L, K, 0>(format, row.add((blocks - 1) * size), sink);
    }
}

/// The groups of a block; a block of one is this PART of two.
#[inline(always)]
unsafe fn block<L: Lanes, K: Sink<L>, const PART: usize>(
    format: Format,
    p: *const u8,
    sink: &mut K,
) {
    match format {
        Format::Q4_1 => sink.group::<false, PART>(L::nibbles(p.add(4)), L::two_halves(p)),
        Format::Q4_0 => {
            let d = L::half(p);
            sink.group::<false, PART>(L::nibbles(p.add(2)), L::pair(d, -8.0 * d));
        }
        Format::Q8_0 => {
            sink.group::<true, PART>(L::bytes(p.add(2)), L::pair(L::half(p), 0.0));
        }
        Format::Q5_0 => {
            let (d, high) = (L::half(p), (p.add(2) as *const u32).read_unaligned());
            let q = L::either(L::nibbles(p.add(6)), L::fifth_bits(high.to_le()));
            sink.group::<false, PART>(q, L::pair(d, -16.0 * d));
        }
        Format::Q5_1 => {
            let high = (p.add(4) as *const u32).read_unaligned();
            let q = L::either(L::nibbles(p.add(8)), L::fifth_bits(high.to_le()));
            sink.group::<false, PART>(q, L::two_halves(p));
        }
        Format::Q4K => {
            let (d, dmin) = (L::half(p), L::half(p.add(2)));
            let (scales, minima) = q4k_scales(std::slice::from_raw_parts(p.add(4), 12));
            for pair in 0..4 {
                let bytes = L::bytes(p.add(16 + 32 * pair));
                let of = |i: usize| {
                    let (s, m) = (f32::from(scales[i]), f32::from(minima[i]));
                    L::pair(d * s, -dmin * m)
                };
                sink.group::<false, 0>(L::bits::<0, 15>(bytes), of(2 * pair));
                sink.group::<false, 1>(L::bits::<4, 15>(bytes), of(2 * pair + 1));
            }
        }
        Format::Q6K => {
            let d = L::half(p.add(208));
            for part in 0..2 {
                let low = L::bytes(p.add(64 * part));
                let next = L::bytes(p.add(64 * part + 32));
                let high = L::bytes(p.add(128 + 32 * part));
                let quarters = [
                    L::join(L::bits::<0, 15>(low), L::bits::<0, 3>(high)),
                    L::join(L::bits::<0, 15>(next), L::bits::<2, 3>(high)),
                    L::join(L::bits::<4, 15>(low), L::bits::<4, 3>(high)),
                    L::join(L::bits::<4, 15>(next), L::bits::<6, 3>(high)),
                ];
                for (i, q) in quarters.into_iter().enumerate() {
                    let scales = p.add(192 + 8 * part + 2 * i) as *const i8;
                    let s = [d * f32::from(*scales), d * f32::from(*scales.add(1))];
                    sink.halves(q, s.map(|s| L::pair(s, -32.0 * s)));
                }
            }
        }
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("floats have no groups"),
    }
}

#[inline(always)]
unsafe fn walk_floats<L: Lanes, K: Sink<L>>(
    format: Format,
    row: *const u8,
    elements: usize,
    sink: &mut K,
) {
    for g in 0..elements / GROUP {
        let mut values = [L::splat(0.0); 4];
        for (i, value) in values.iter_mut().enumerate() {
            let at = g * GROUP + 8 * i;
            *value = match format {
                Format::F32 => L::load((row as *const f32).add(at)),
                Format::F16 => L::load_halves(row.add(2 * at)),
                _ => L::load_bf16(row.add(2 * at)),
            };
        }
        sink.values(values);
    }
}

/// Chooses the format outside of the loop over the rows of W.
macro_rules! every_format {
    ($format:expr, |$constant:ident| $body:expr) => {
        match $format {
            Format::F32 => {
                const $constant: Format = Format::F32;
                $body
            }
            Format::F16 => {
                const $constant: Format = Format::F16;
                $body
            }
            Format::Bf16 => {
                const $constant: Format = Format::Bf16;
                $body
            }
            Format::Q8_0 => {
                const $constant: Format = Format::Q8_0;
                $body
            }
            Format::Q4_0 => {
                const $constant: Format = Format::Q4_0;
                $body
            }
            Format::Q4_1 => {
                const $constant: Format = Format::Q4_1;
                $body
            }
            Format::Q5_0 => {
                const $constant: Format = Format::Q5_0;
                $body
            }
            Format::Q5_1 => {
                const $constant: Format = Format::Q5_1;
                $body
            }
            Format::Q4K => {
                const $constant: Format = Format::Q4K;
                $body
            }
            Format::Q6K => {
                const $constant: Format = Format::Q6K;
                $body
            }
        }
    };
}
pub(super) use every_format;
