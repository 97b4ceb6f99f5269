//! f32 to blocks. The simple formats round as llama.cpp does, to the same bytes; for Q4_K and Q6_K the scales are
//! searched as by its `make_qkx2_quants` and `make_qx_quants` (without an importance matrix).

use super::Format;
use crate::floats::{f16_to_f32, f32_to_f16, narrow_to_bf16};

/// Whole blocks of f32 as bytes of the format.
pub fn quantise(format: Format, values: &[f32], out: &mut [u8]) {
    assert_eq!(format.bytes(values.len()), Some(out.len()), "whole blocks");
    match format {
        Format::F32 => {
            for (word, value) in out.chunks_exact_mut(4).zip(values) {
                word.copy_from_slice(&value.to_le_bytes());
            }
        }
        Format::F16 => {
            for (pair, &value) in out.chunks_exact_mut(2).zip(values) {
                pair.copy_from_slice(&f32_to_f16(value).to_le_bytes());
            }
        }
        Format::Bf16 => narrow_to_bf16(values, out),
        _ => {
            let blocks = out.chunks_exact_mut(format.block_bytes());
            for (x, block) in values.chunks_exact(format.block_elements()).zip(blocks) {
                match format {
                    Format::Q8_0 => q8_0(x, block),
                    Format::Q4_0 => symmetric(x, block, 8, 2),
                    Format::Q5_0 => symmetric(x, block, 16, 6),
                    Format::Q4_1 => with_minimum(x, block, 15, 4),
                    Format::Q5_1 => with_minimum(x, block, 31, 8),
                    Format::Q4K => q4k(x, block),
                    _ => q6k(x, block),
                }
            }
        }
    }
}

fn q8_0(x: &[f32], block: &mut [u8]) {
    let largest = x.iter().fold(0.0f32, |most, v| most.max(v.abs()));
    let d = largest / 127.0;
    put_half(block, 0, d);
    let inverse = inverse(d);
    for (byte, v) in block[2..].iter_mut().zip(x) {
        *byte = (v * inverse).round() as i8 as u8;
    }
}

/// Q4_0 and Q5_0: the element with the largest magnitude becomes -`middle`.
fn symmetric(x: &[f32], block: &mut [u8], middle: i32, nibbles_at: usize) {
    let peak = x.iter().fold(
        0.0f32,
        |most, &v| if v.abs() > most.abs() { v } else { most },
    );
    let d = peak / -middle as f32;
    put_half(block, 0, d);
    let inverse = inverse(d);
    let offset = middle as f32 + 0.5;
    let levels = (2 * middle - 1) as u8;
    put_levels(block, 2, nibbles_at, |i| {
        ((x[i] * inverse + offset) as i8 as u8).min(levels)
    });
}

/// Q4_1 and Q5_1.
fn with_minimum(x: &[f32], block: &mut [u8], levels: u8, nibbles_at: usize) {
    let (low, high) = range(x);
    let d = (high - low) / f32::from(levels);
    put_half(block, 0, d);
    put_half(block, 2, low);
    let inverse = inverse(d);
    put_levels(block, 4, nibbles_at, |i| {
        (((x[i] - low) * inverse + 0.5) as u8).min(levels)
    });
}

/// 32 levels as nibbles, with their fifth bits before them where there is room.
fn put_levels(block: &mut [u8], high_at: usize, nibbles_at: usize, level: impl Fn(usize) -> u8) {
    let mut high = 0u32;
    for i in 0..16 {
        let (a, b) = (level(i), level(i + 16));
        block[nibbles_at + i] = (a & 15) | (b << 4);
        high |= u32::from(a >> 4) << i | u32::from(b >> 4) << (i + 16);
    }
    if nibbles_at > high_at {
        block[high_at..nibbles_at].copy_from_slice(&high.to_le_bytes());
    }
}

fn q4k(x: &[f32], block: &mut [u8]) {
    let mut scales = [0.0f32; 8];
    let mut minima = [0.0f32; 8];
    for (part, x) in x.chunks_exact(32).enumerate() {
        let mean_square = x.iter().map(|v| v * v).sum::<f32>() / 32.0;
        let weight = |i: usize| mean_square.sqrt() + x[i].abs();
        (scales[part], minima[part]) = scale_and_minimum(x, 15, &weight);
    }
    let most = |values: &[f32; 8]| values.iter().fold(0.0f32, |most, &v| most.max(v));
    let (d, dmin) = (most(&scales) / 63.0, most(&minima) / 63.0);
    put_half(block, 0, d);
    put_half(block, 2, dmin);
    let six_bits = |v: f32, d: f32| ((v * inverse(d)).round() as u8).min(63);
    let scale_bits = scales.map(|scale| six_bits(scale, d));
    let minimum_bits = minima.map(|minimum| six_bits(minimum, dmin));
    for i in 0..4 {
        block[4 + i] = scale_bits[i] | (scale_bits[i + 4] >> 4) << 6;
        block[8 + i] = minimum_bits[i] | (minimum_bits[i + 4] >> 4) << 6;
        block[12 + i] = (scale_bits[i + 4] & 15) | (minimum_bits[i + 4] & 15) << 4;
    }
    let (d, dmin) = (stored(d), stored(dmin));
    let level = |i: usize| {
        let scale = d * f32::from(scale_bits[i / 32]);
        let minimum = dmin * f32::from(minimum_bits[i / 32]);
        nearest((x[i] + minimum) * inverse(scale)).clamp(0, 15) as u8
    };
    for i in 0..128 {
        let first = i / 32 * 64 + i % 32;
        block[16 + i] = level(first) | level(first + 32) << 4;
    }
}

/// The scale s and minimum m for which levels 0 .. `levels` of s q - m come nearest to x, by weighted squares: least
/// squares for the rounding that each of 21 first guesses of the scale gives.
fn scale_and_minimum(x: &[f32], levels: i32, weight: &dyn Fn(usize) -> f32) -> (f32, f32) {
    let (low, high) = range(x);
    let low = low.min(0.0);
    if high <= low {
        return (0.0, -low);
    }
    let error = |scale: f32, minimum: f32, q: &dyn Fn(usize) -> f32| -> f32 {
        let term = |i: usize| (scale * q(i) + minimum - x[i]).powi(2) * weight(i);
        (0..x.len()).map(term).sum()
    };
    let guess = |factor: f32| {
        let inverse = factor / (high - low);
        move |i: usize| nearest(inverse * (x[i] - low)).clamp(0, levels) as f32
    };
    let mut scale = (high - low) / levels as f32;
    let mut minimum = low;
    let mut least = error(scale, minimum, &guess(levels as f32));
    for step in 0..=20 {
        let q = guess(levels as f32 - 1.0 + 0.1 * step as f32);
        let [mut w, mut wq, mut wqq, mut wx, mut wqx] = [0.0f32; 5];
        for i in 0..x.len() {
            let (weight, q) = (weight(i), q(i));
            w += weight;
            wq += weight * q;
            wqq += weight * q * q;
            wx += weight * x[i];
            wqx += weight * q * x[i];
        }
        let determinant = w * wqq - wq * wq;
        if determinant <= 0.0 {
            continue;
        }
        let mut this_scale = (w * wqx - wx * wq) / determinant;
        let mut this_minimum = (wqq * wx - wq * wqx) / determinant;
        if this_minimum > 0.0 {
            this_minimum = 0.0;
            this_scale = wqx / wqq;
        }
        let this = error(this_scale, this_minimum, &q);
        if this < least {
            (least, scale, minimum) = (this, this_scale, this_minimum);
        }
    }
    (scale, -minimum)
}

fn q6k(x: &[f32], block: &mut [u8]) {
    let mut scales = [0.0f32; 16];
    for (scale, x) in scales.iter_mut().zip(x.chunks_exact(16)) {
        *scale = symmetric_scale(x, 32);
    }
    let peak = scales.iter().fold(
        0.0f32,
        |most, &v| if v.abs() > most.abs() { v } else { most },
    );
    block.fill(0);
    // Below this, f16 has no scale for it: all zeros then, which 32 times 0 is for any level.
    if peak.abs() < 1e-15 {
        return;
    }
    let d = peak / -128.0;
    put_half(block, 208, d);
    let mut bits = [0i8; 16];
    for (bits, scale) in bits.iter_mut().zip(scales) {
        *bits = nearest(scale / d).clamp(-128, 127) as i8;
    }
    let d = stored(d);
    for i in 0..256 {
        let scale = d * f32::from(bits[i / 16]);
        let level = (nearest(x[i] * inverse(scale)).clamp(-32, 31) + 32) as u8;
        let (part, quarter, lane) = (i / 128, i % 128 / 32, i % 32);
        block[part * 64 + quarter % 2 * 32 + lane] |= (level & 15) << (quarter / 2 * 4);
        block[128 + part * 32 + lane] |= (level >> 4) << (quarter * 2);
    }
    for (i, bits) in bits.into_iter().enumerate() {
        block[192 + i] = bits as u8;
    }
}

/// The scale s for which levels -`middle` .. `middle` - 1 of s q come nearest to x, by squares weighted with x².
fn symmetric_scale(x: &[f32], middle: i32) -> f32 {
    let peak = x.iter().fold(
        0.0f32,
        |most, &v| if v.abs() > most.abs() { v } else { most },
    );
    if peak.abs() < 1e-15 {
        return 0.0;
    }
    let fit = |inverse: f32| {
        let (mut wxq, mut wqq) = (0.0f32, 0.0f32);
        for &v in x {
            let q = nearest(inverse * v).clamp(-middle, middle - 1) as f32;
            wxq += v * v * v * q;
            wqq += v * v * q * q;
        }
        let scale = if wqq > 0.0 { wxq / wqq } else { 0.0 };
        (scale * wxq, scale)
    };
    let (mut best, mut scale) = fit(-middle as f32 / peak);
    for step in -9..=9 {
        let (gain, this) = fit(-(middle as f32 + 0.1 * step as f32) / peak);
        if gain > best {
            (best, scale) = (gain, this);
        }
    }
    scale
}

fn range(x: &[f32]) -> (f32, f32) {
    let start = (f32::INFINITY, f32::NEG_INFINITY);
    x.iter()
        .fold(start, |(low, high), &v| (low.min(v), high.max(v)))
}

fn nearest(v: f32) -> i32 {
    v.round_ties_even() as i32
}

fn inverse(d: f32) -> f32 {
    if d == 0.0 { 0.0 } else { 1.0 / d }
}

/// What is read back of a scale.
fn stored(d: f32) -> f32 {
    f16_to_f32(f32_to_f16(d))
}

fn put_half(block: &mut [u8], at: usize, value: f32) {
    block[at..at + 2].copy_from_slice(&f32_to_f16(value).to_le_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quantised::formats::{FORMATS, dequantise};

    fn noise(n: usize) -> Vec<f32> {
        let mut state = 7u32;
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(next).collect()
    }

    #[test]
    fn values_come_back_within_the_step_of_their_format() {
        let x = noise(1024);
        for format in FORMATS {
            let mut bytes = vec![0; format.bytes(x.len()).unwrap()];
            quantise(format, &x, &mut bytes);
            let mut back = vec![0.0; x.len()];
            dequantise(format, &bytes, &mut back);
            // Of numbers from -1 to 1; half of a step, and what the f16 scale and the 6-bit scales round.
            let bound = match format {
                Format::F32 => 0.0,
                Format::F16 => 3e-4,
                Format::Bf16 => 2.1e-3,
                Format::Q8_0 => 4.5e-3,
                Format::Q4_0 => 0.13,
                Format::Q4_1 => 0.07,
                Format::Q5_0 => 0.065,
                Format::Q5_1 => 0.035,
                Format::Q4K => 0.12,
                Format::Q6K => 0.045,
            };
            let worst = x
                .iter()
                .zip(&back)
                .fold(0.0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(worst <= bound, "{}: {worst}", format.name());
        }
    }

    #[test]
    fn the_simple_formats_round_to_the_bytes_of_the_gguf_package() {
        // gguf.quants.quantize (Python, 0.19) of these 32 values, in hexadecimal.
        let x: Vec<f32> = (0..32)
            .map(|i| ((i * 37) % 101 - 50) as f32 / 16.0)
            .collect();
        for (format, expected) in [
            (
                Format::Q8_0,
                "4d2681df3d9af856b41270cd2b89e745a2005ebb1977d53390ee4caa0866c3217fdc",
            ),
            (Format::Q4_0, "4036e046acf258bd1379df358be046acf268"),
            (Format::Q4_1, "ab3640c2d0369bf257bd1369ce258ae0469cf258"),
            (Format::Q5_0, "4032a4a52d6dc07c38f3bf6b26e2ae5a15d18d49f4c0"),
            (
                Format::Q5_1,
                "743240c2a4a52d6db07b37e3af6a26d29d5905c18c48f4b0",
            ),
        ] {
            let mut bytes = vec![0; format.block_bytes()];
            quantise(format, &x, &mut bytes);
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{}", format.name());
        }
    }

    #[test]
    fn zeros_and_equal_numbers_are_no_division_by_zero() {
        for format in FORMATS {
            for value in [0.0, 0.5, -0.5] {
                let x = [value; 256];
                let mut bytes = vec![0; format.bytes(256).unwrap()];
                quantise(format, &x, &mut bytes);
                let mut back = [0.0; 256];
                dequantise(format, &bytes, &mut back);
                for v in back {
                    assert!(
                        (v - value).abs() < 0.02,
                        "{}: {v}, not {value}",
                        format.name()
                    );
                }
            }
        }
    }
}
