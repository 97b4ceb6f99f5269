//! The block formats: their sizes, and their blocks as f32.

use crate::floats::{f16_to_f32, widen_bf16, widen_f16};

/// How the numbers of a matrix are stored: rows of blocks, each block a whole number of bytes for a fixed number of
/// elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    F32,
    F16,
    Bf16,
    /// i8 q; x = d q
    Q8_0,
    /// 4 bits; x = d (q - 8)
    Q4_0,
    /// 4 bits; x = d q + m
    Q4_1,
    /// 5 bits; x = d (q - 16)
    Q5_0,
    /// 5 bits; x = d q + m
    Q5_1,
    /// 4 bits, and for each 32 a scale and a minimum of 6 bits; x = d s q - dmin m
    Q4K,
    /// 6 bits, and for each 16 a scale of 8 bits; x = d s (q - 32)
    Q6K,
}

pub const FORMATS: [Format; 10] = [
    Format::F32,
    Format::F16,
    Format::Bf16,
    Format::Q8_0,
    Format::Q4_0,
    Format::Q4_1,
    Format::Q5_0,
    Format::Q5_1,
    Format::Q4K,
    Format::Q6K,
];

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Format::F32 => "F32",
            Format::F16 => "F16",
            Format::Bf16 => "BF16",
            Format::Q8_0 => "Q8_0",
            Format::Q4_0 => "Q4_0",
            Format::Q4_1 => "Q4_1",
            Format::Q5_0 => "Q5_0",
            Format::Q5_1 => "Q5_1",
            Format::Q4K => "Q4_K",
            Format::Q6K => "Q6_K",
        }
    }

    pub fn parse(name: &str) -> Result<Format, String> {
        let found = FORMATS.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| {
            let names = FORMATS.map(Format::name).join(", ");
            format!("there is no block format '{name}': choose one of {names}")
        })
    }

    /// Elements of a block.
    pub fn block_elements(self) -> usize {
        match self {
            Format::F32 | Format::F16 | Format::Bf16 => 1,
            Format::Q4K | Format::Q6K => 256,
            _ => 32,
        }
    }

    pub fn block_bytes(self) -> usize {
        match self {
            Format::F32 => 4,
            Format::F16 | Format::Bf16 => 2,
            Format::Q8_0 => 34,
            Format::Q4_0 => 18,
            Format::Q4_1 => 20,
            Format::Q5_0 => 22,
            Format::Q5_1 => 24,
            Format::Q4K => 144,
            Format::Q6K => 210,
        }
    }

    /// Bytes of this many elements; none where they are not whole blocks, or too many to count.
    pub fn bytes(self, elements: usize) -> Option<usize> {
        if !elements.is_multiple_of(self.block_elements()) {
            return None;
        }
        (elements / self.block_elements()).checked_mul(self.block_bytes())
    }
}

/// Whole blocks as f32.
pub fn dequantise(format: Format, bytes: &[u8], out: &mut [f32]) {
    assert_eq!(format.bytes(out.len()), Some(bytes.len()), "whole blocks");
    match format {
        Format::F32 => {
            for (value, word) in out.iter_mut().zip(bytes.chunks_exact(4)) {
                *value = f32::from_le_bytes([word[0], word[1], word[2], word[3]]);
            }
        }
        Format::F16 => widen_f16(bytes, out),
        Format::Bf16 => widen_bf16(bytes, out),
        _ => {
            let blocks = bytes.chunks_exact(format.block_bytes());
            let outs = out.chunks_exact_mut(format.block_elements());
            for (block, out) in blocks.zip(outs) {
                dequantise_block(format, block, out);
            }
        }
    }
}

fn dequantise_block(format: Format, block: &[u8], out: &mut [f32]) {
    match format {
        Format::Q8_0 => {
            let d = half(block, 0);
            for (value, &q) in out.iter_mut().zip(&block[2..]) {
                *value = d * f32::from(q as i8);
            }
        }
        Format::Q4_0 => {
            let d = half(block, 0);
            each_nibble(&block[2..], |i, q| out[i] = d * (q as f32 - 8.0));
        }
        Format::Q4_1 => {
            let (d, m) = (half(block, 0), half(block, 2));
            each_nibble(&block[4..], |i, q| out[i] = d * q as f32 + m);
        }
        Format::Q5_0 => {
            let (d, high) = (half(block, 0), word(block, 2));
            each_nibble(&block[6..], |i, q| {
                out[i] = d * ((q | fifth_bit(high, i)) as f32 - 16.0)
            });
        }
        Format::Q5_1 => {
            let (d, m, high) = (half(block, 0), half(block, 2), word(block, 4));
            each_nibble(&block[8..], |i, q| {
                out[i] = d * (q | fifth_bit(high, i)) as f32 + m
            });
        }
        Format::Q4K => {
            let (d, dmin) = (half(block, 0), half(block, 2));
            let (scales, minima) = q4k_scales(&block[4..16]);
            for part in 0..8 {
                let (scale, minimum) =
                    (d * f32::from(scales[part]), dmin * f32::from(minima[part]));
                // A byte holds elements of two neighbouring parts.
                let bytes = &block[16 + part / 2 * 32..][..32];
                let shift = part % 2 * 4;
                for (value, &byte) in out[part * 32..][..32].iter_mut().zip(bytes) {
                    *value = scale * f32::from((byte >> shift) & 15) - minimum;
                }
            }
        }
        Format::Q6K => {
            let d = half(block, 208);
            for (i, value) in out.iter_mut().enumerate() {
                let scale = f32::from(block[192 + i / 16] as i8);
                *value = d * scale * f32::from(q6k_element(block, i));
            }
        }
        Format::F32 | Format::F16 | Format::Bf16 => unreachable!("no blocks"),
    }
}

/// The 8 scales and the 8 minima, 6 bits each, of the 12 bytes that hold them.
pub fn q4k_scales(packed: &[u8]) -> ([u8; 8], [u8; 8]) {
    let (mut scales, mut minima) = ([0; 8], [0; 8]);
    for i in 0..4 {
        scales[i] = packed[i] & 63;
        minima[i] = packed[i + 4] & 63;
        scales[i + 4] = (packed[i + 8] & 15) | ((packed[i] >> 6) << 4);
        minima[i + 4] = (packed[i + 8] >> 4) | ((packed[i + 4] >> 6) << 4);
    }
    (scales, minima)
}

/// Element i of a block, from -32 to 31: four low bits in one place, two high bits in another.
pub fn q6k_element(block: &[u8], i: usize) -> i8 {
    let (part, quarter, lane) = (i / 128, i % 128 / 32, i % 32);
    let low = block[part * 64 + quarter % 2 * 32 + lane] >> (quarter / 2 * 4);
    let high = block[128 + part * 32 + lane] >> (quarter * 2);
    ((low & 15) | ((high & 3) << 4)) as i8 - 32
}

/// The f16 at this byte.
#[inline(always)]
pub fn half(block: &[u8], at: usize) -> f32 {
    f16_to_f32(u16::from_le_bytes([block[at], block[at + 1]]))
}

fn word(block: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([block[at], block[at + 1], block[at + 2], block[at + 3]])
}

/// The lower halves of 16 bytes are elements 0 to 15, the upper ones 16 to 31.
fn each_nibble(bytes: &[u8], mut put: impl FnMut(usize, u32)) {
    for (i, &byte) in bytes.iter().enumerate() {
        put(i, u32::from(byte & 15));
        put(i + 16, u32::from(byte >> 4));
    }
}

fn fifth_bit(high: u32, i: usize) -> u32 {
    (high >> i & 1) << 4
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of every kind, with a scale that is a number.
    fn pattern(format: Format) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..format.block_bytes())
            .map(|i| (i * 37 + 11) as u8)
            .collect();
        let halves: &[usize] = match format {
            Format::Q6K => &[208],
            Format::Q4K | Format::Q4_1 | Format::Q5_1 => &[0, 2],
            _ => &[0],
        };
        for (i, &at) in halves.iter().enumerate() {
            bytes[at..at + 2].copy_from_slice(&(0x2c00u16 + 0x155 * (i as u16 + 1)).to_le_bytes());
        }
        bytes
    }

    #[test]
    fn blocks_read_as_the_gguf_package_reads_them() {
        // First, last and some element of `pattern`, and the sum of all, by gguf.quants.dequantize (Python, 0.19).
        let expected: [(Format, [f32; 4]); 7] = [
            (Format::Q8_0, [7.081_604, 7.331_543, -3.999_023_4, -14.6631]),
            (Format::Q4_0, [-0.249_938_96, 0.0, 0.0, -1.74957]),
            (
                Format::Q4_1,
                [1.353_820_8, 0.270_751_95, 1.103_881_8, 23.7437],
            ),
            (
                Format::Q5_0,
                [0.749_816_9, -0.333_251_95, 0.083_312_99, 1.24969],
            ),
            (
                Format::Q5_1,
                [1.687_072_8, 1.937_011_7, 0.520_690_9, 45.4051],
            ),
            (Format::Q4K, [23.099_304, 30.847_412, 1.854_248, 4007.82]),
            (
                Format::Q6K,
                [-119.220_89, -61.818_237, -4.998_779_3, 384.24],
            ),
        ];
        for (format, [first, seventh, last, sum]) in expected {
            let mut out = vec![0.0; format.block_elements()];
            dequantise(format, &pattern(format), &mut out);
            let got = [out[0], out[7], out[out.len() - 1], out.iter().sum()];
            for (got, wanted) in got.into_iter().zip([first, seventh, last, sum]) {
                let close = (got - wanted).abs() <= 1e-5 * (1.0 + wanted.abs());
                assert!(close, "{}: {got}, not {wanted}", format.name());
            }
        }
    }

    #[test]
    fn names_and_sizes_are_those_of_files() {
        for format in FORMATS {
            assert_eq!(Format::parse(format.name()), Ok(format));
            assert_eq!(
                format.bytes(512),
                Some(512 / format.block_elements() * format.block_bytes())
            );
        }
        assert!(Format::parse("Q3_K").is_err());
        assert_eq!(Format::Q4K.bytes(128), None);
        assert_eq!(Format::F32.bytes(usize::MAX), None);
    }
}
