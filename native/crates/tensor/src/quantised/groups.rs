//! A row of blocks as groups of 32 elements s q + m, whatever the format.

use super::formats::{Format, q4k_scales};
use super::lanes::Lanes;

/// Elements of a group, and of what x is rounded by: what a row is made of.
pub const GROUP: usize = 32;

/// What is done with the groups of a row, in their order.
pub trait Sink<L: Lanes> {
    /// 32 small numbers q of which the first 16 mean s[0] q + m[0], the others s[1] q + m[1]; without HALVES both are
    /// the same. q is signed or at most 63.
    unsafe fn group<const SIGNED: bool, const HALVES: bool>(
        &mut self,
        q: L::Q,
        s: [f32; 2],
        m: [f32; 2],
    );
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
    let blocks = elements / format.block_elements();
    let block = |b: usize| row.add(b * format.block_bytes());
    match format {
        Format::Q4_1 => {
            for b in 0..blocks {
                let p = block(b);
                let (d, m) = (L::half(p), L::half(p.add(2)));
                sink.group::<false, false>(L::nibbles(p.add(4)), [d; 2], [m; 2]);
            }
        }
        Format::Q4_0 => {
            for b in 0..blocks {
                let p = block(b);
                let d = L::half(p);
                sink.group::<false, false>(L::nibbles(p.add(2)), [d; 2], [-8.0 * d; 2]);
            }
        }
        Format::Q8_0 => {
            for b in 0..blocks {
                let p = block(b);
                sink.group::<true, false>(L::bytes(p.add(2)), [L::half(p); 2], [0.0; 2]);
            }
        }
        Format::Q5_0 => {
            for b in 0..blocks {
                let p = block(b);
                let (d, high) = (L::half(p), (p.add(2) as *const u32).read_unaligned());
                let q = L::either(L::nibbles(p.add(6)), L::fifth_bits(high.to_le()));
                sink.group::<false, false>(q, [d; 2], [-16.0 * d; 2]);
            }
        }
        Format::Q5_1 => {
            for b in 0..blocks {
                let p = block(b);
                let (d, m) = (L::half(p), L::half(p.add(2)));
                let high = (p.add(4) as *const u32).read_unaligned();
                let q = L::either(L::nibbles(p.add(8)), L::fifth_bits(high.to_le()));
                sink.group::<false, false>(q, [d; 2], [m; 2]);
            }
        }
        Format::Q4K => {
            for b in 0..blocks {
                let p = block(b);
                let (d, dmin) = (L::half(p), L::half(p.add(2)));
                let (scales, minima) = q4k_scales(std::slice::from_raw_parts(p.add(4), 12));
                for pair in 0..4 {
                    let bytes = L::bytes(p.add(16 + 32 * pair));
                    let of = |i: usize| {
                        let (s, m) = (f32::from(scales[i]), f32::from(minima[i]));
                        ([d * s; 2], [-dmin * m; 2])
                    };
                    let (s, m) = of(2 * pair);
                    sink.group::<false, false>(L::bits::<0, 15>(bytes), s, m);
                    let (s, m) = of(2 * pair + 1);
                    sink.group::<false, false>(L::bits::<4, 15>(bytes), s, m);
                }
            }
        }
        Format::Q6K => {
            for b in 0..blocks {
                let p = block(b);
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
                        sink.group::<false, true>(q, s, [-32.0 * s[0], -32.0 * s[1]]);
                    }
                }
            }
        }
        Format::F32 => {
            for g in 0..elements / 32 {
                let p = row.add(g * 128) as *const f32;
                sink.values(std::array::from_fn(|i| L::load(p.add(8 * i))));
            }
        }
        Format::F16 => {
            for g in 0..elements / 32 {
                let p = row.add(g * 64);
                sink.values(std::array::from_fn(|i| L::load_halves(p.add(16 * i))));
            }
        }
        Format::Bf16 => {
            for g in 0..elements / 32 {
                let p = row.add(g * 64);
                sink.values(std::array::from_fn(|i| L::load_bf16(p.add(16 * i))));
            }
        }
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
