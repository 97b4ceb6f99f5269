//! Numbers as they are stored in checkpoints, and as weights begin.

/// bfloat16 (little-endian) to f32: the upper half of the bits.
pub fn widen_bf16(bytes: &[u8], out: &mut [f32]) {
    for (value, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *value = f32::from_bits(u32::from(u16::from_le_bytes([pair[0], pair[1]])) << 16);
    }
}

/// IEEE half (little-endian) to f32, subnormals, infinities and NaN included.
pub fn widen_f16(bytes: &[u8], out: &mut [f32]) {
    for (value, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
        *value = f16_to_f32(u16::from_le_bytes([pair[0], pair[1]]));
    }
}

/// f32 to bfloat16 (little-endian), rounded to the nearest, ties to even; NaN stays NaN.
pub fn narrow_to_bf16(values: &[f32], out: &mut [u8]) {
    for (pair, value) in out.chunks_exact_mut(2).zip(values) {
        let bits = value.to_bits();
        let half = if value.is_nan() {
            ((bits >> 16) as u16) | 0x40
        } else {
            ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) as u16
        };
        pair.copy_from_slice(&half.to_le_bytes());
    }
}

/// Fills with normal numbers: xoshiro128** (Blackman and Vigna 2018), Box and Muller's transform in f64.
pub fn fill_normal(out: &mut [f32], mut state: [u32; 4], standard_deviation: f64) {
    for pair in out.chunks_mut(2) {
        let radius = (-2.0 * (1.0 - uniform(&mut state)).ln()).sqrt() * standard_deviation;
        let (sine, cosine) = (std::f64::consts::TAU * uniform(&mut state)).sin_cos();
        pair[0] = (radius * cosine) as f32;
        if let Some(second) = pair.get_mut(1) {
            *second = (radius * sine) as f32;
        }
    }
}

/// f32 to IEEE half, rounded to the nearest, ties to even; what is too large becomes infinite.
pub fn f32_to_f16(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let magnitude = bits & 0x7fff_ffff;
    if magnitude > 0x7f80_0000 {
        return sign | 0x7e00;
    }
    if magnitude >= 0x477f_f000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Subnormal: adding 0.5 leaves the fraction in the lowest bits, rounded.
        let shifted = f32::from_bits(magnitude) + 0.5;
        return sign | (shifted.to_bits() - 0.5f32.to_bits()) as u16;
    }
    let rounded = magnitude + 0xfff + ((magnitude >> 13) & 1);
    sign | ((rounded - 0x3800_0000) >> 13) as u16
}

#[inline(always)]
pub fn f16_to_f32(half: u16) -> f32 {
    let sign = u32::from(half & 0x8000) << 16;
    let exponent = u32::from(half >> 10) & 0x1f;
    let fraction = u32::from(half & 0x3ff);
    match exponent {
        0 => {
            let magnitude = fraction as f32 * 2.0f32.powi(-24);
            f32::from_bits(magnitude.to_bits() | sign)
        }
        31 => f32::from_bits(sign | 0x7f80_0000 | (fraction << 13)),
        _ => f32::from_bits(sign | ((exponent + 112) << 23) | (fraction << 13)),
    }
}

/// Uniform in [0, 1) with 53 random bits.
fn uniform(s: &mut [u32; 4]) -> f64 {
    let high = u64::from(next(s) >> 5);
    let low = u64::from(next(s) >> 6);
    ((high << 26) | low) as f64 / 9_007_199_254_740_992.0
}

fn next(s: &mut [u32; 4]) -> u32 {
    let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
    let t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3].rotate_left(11);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_widen_exactly() {
        let cases: [(u16, f32); 8] = [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x0400, 6.103_515_6e-5),
            (0x7c00, f32::INFINITY),
        ];
        for (half, expected) in cases {
            let mut out = [0.0];
            widen_f16(&half.to_le_bytes(), &mut out);
            assert_eq!(out[0].to_bits(), expected.to_bits());
        }
        let mut out = [0.0];
        widen_f16(&0x7e00u16.to_le_bytes(), &mut out);
        assert!(out[0].is_nan());
    }

    #[test]
    fn every_half_returns_and_what_lies_between_two_goes_to_the_nearer() {
        for half in (0..=u16::MAX).filter(|half| half & 0x7c00 != 0x7c00) {
            let value = f16_to_f32(half);
            assert_eq!(f32_to_f16(value), half);
            let next = f16_to_f32(half + 1);
            if half & 0x7fff < 0x7bff {
                let middle = (value + next) / 2.0;
                let even = half + (half & 1);
                assert_eq!(f32_to_f16(middle), even, "{middle}");
                assert_eq!(f32_to_f16((value + middle) / 2.0), half);
            }
        }
        assert_eq!(f32_to_f16(65_520.0), 0x7c00);
        assert_eq!(f32_to_f16(f32::NEG_INFINITY), 0xfc00);
        assert!(f16_to_f32(f32_to_f16(f32::NAN)).is_nan());
    }

    #[test]
    fn bf16_rounds_to_nearest_even_and_returns() {
        let values = [
            1.0f32,
            -3.5,
            1.003_906_3,
            1.011_718_8,
            f32::NAN,
            f32::INFINITY,
            3.4e38,
        ];
        let mut bytes = [0u8; 14];
        narrow_to_bf16(&values, &mut bytes);
        let mut back = [0.0f32; 7];
        widen_bf16(&bytes, &mut back);
        assert_eq!(back[0], 1.0);
        assert_eq!(back[1], -3.5);
        assert_eq!(back[2], 1.0, "a tie goes to the even neighbour below");
        assert_eq!(back[3], 1.015_625, "a tie goes to the even neighbour above");
        assert!(back[4].is_nan());
        assert_eq!(back[5], f32::INFINITY);
    }

    #[test]
    fn normal_numbers_have_their_moments() {
        let mut values = vec![0.0f32; 100_001];
        fill_normal(&mut values, [1, 2, 3, 4], 0.5);
        let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64;
        let square =
            values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(
            mean.abs() < 0.01 && (square.sqrt() - 0.5).abs() < 0.01,
            "{mean} {square}"
        );
    }
}
