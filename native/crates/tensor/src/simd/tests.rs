use super::{Simd, exp_within, exp2_near, exp2_within, sigmoid_near};
use crate::isa::tested;

kernels! {
    fn near(x: &[f32], powers: &mut [f32], sigmoids: &mut [f32]) = near_body;
}

#[inline(always)]
unsafe fn near_body<S: Simd>(x: &[f32], powers: &mut [f32], sigmoids: &mut [f32]) {
    vectors!(S, x.len(), |i, left| {
        let v = super::get::<S>(x.as_ptr().add(i), left);
        super::put::<S>(powers.as_mut_ptr().add(i), left, exp2_near::<S>(v));
        super::put::<S>(sigmoids.as_mut_ptr().add(i), left, sigmoid_near::<S>(v));
    });
}

kernels! {
    fn within(x: &[f32], y: &mut [f32]) = within_body;
}

#[inline(always)]
unsafe fn within_body<S: Simd>(x: &[f32], y: &mut [f32]) {
    vectors!(S, x.len(), |i, left| {
        let v = super::get::<S>(x.as_ptr().add(i), left);
        super::put::<S>(y.as_mut_ptr().add(i), left, exp_within::<S>(v));
    });
}

#[test]
fn an_exponential_within_its_range_is_exact_and_beyond_it_the_nearest() {
    let x: Vec<f32> = (-8690..8800).map(|i| i as f32 * 0.01).collect();
    for isa in tested() {
        let mut y = vec![0.0; x.len()];
        unsafe { within(isa, &x, &mut y) };
        for (&x, &y) in x.iter().zip(&y) {
            let wanted = (x as f64).exp();
            assert!(
                (y as f64 - wanted).abs() < 2.5e-7 * wanted,
                "{isa:?}: exp({x}) = {y}"
            );
        }
        let edges = [f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY, f32::NAN];
        let mut y = [0.0; 5];
        unsafe { within(isa, &edges, &mut y) };
        assert!(
            y[..2].iter().all(|&y| (0.0..2e-38).contains(&y)),
            "{isa:?}: {y:?}"
        );
        assert!(y[2..4].iter().all(|&y| y > 1e38), "{isa:?}: {y:?}");
        assert!(y[4].is_nan(), "{isa:?}");
    }
}

kernels! {
    fn powers(x: &[f32], y: &mut [f32]) = powers_body;
}

#[inline(always)]
unsafe fn powers_body<S: Simd>(x: &[f32], y: &mut [f32]) {
    vectors!(S, x.len(), |i, left| {
        let v = super::get::<S>(x.as_ptr().add(i), left);
        super::put::<S>(y.as_mut_ptr().add(i), left, exp2_within::<S>(v));
    });
}

#[test]
fn a_power_of_two_is_exact_within_its_range_and_next_to_nothing_below_it() {
    let x: Vec<f32> = (-12_500..12_700).map(|i| i as f32 * 0.01).collect();
    for isa in tested() {
        let mut y = vec![0.0; x.len()];
        unsafe { powers(isa, &x, &mut y) };
        for (&x, &y) in x.iter().zip(&y) {
            let wanted = 2f64.powf(x as f64);
            assert!(
                (y as f64 - wanted).abs() < 1.2e-7 * wanted,
                "{isa:?}: 2^{x} = {y}"
            );
        }
        let edges = [f32::NEG_INFINITY, -1e30, f32::NAN];
        let mut y = [0.0; 3];
        unsafe { powers(isa, &edges, &mut y) };
        assert!(
            y[..2].iter().all(|&y| (0.0..3e-38).contains(&y)),
            "{isa:?}: {y:?}"
        );
        assert!(y[2].is_nan(), "{isa:?}");
    }
}

#[test]
fn what_is_rounded_to_bf16_is_near_enough_on_every_instruction_set() {
    let x: Vec<f32> = (-4200..4200).map(|i| i as f32 * 0.03).collect();
    for isa in tested() {
        let (mut powers, mut sigmoids) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        unsafe { near(isa, &x, &mut powers, &mut sigmoids) };
        for ((&x, &power), &sigmoid) in x.iter().zip(&powers).zip(&sigmoids) {
            let wanted = 2f64.powf(x as f64);
            // 2^-126 is the least that every instruction set has.
            let far = (power as f64 - wanted).abs();
            assert!(far < 4e-6 * wanted + 2e-38, "{isa:?}: 2^{x} = {power}");
            let wanted = 1.0 / (1.0 + (-x as f64).exp());
            let far = (sigmoid as f64 - wanted).abs();
            assert!(
                far < 1e-4 * wanted + 1e-36,
                "{isa:?}: sigmoid({x}) = {sigmoid}"
            );
        }
        let edges = [f32::NEG_INFINITY, -1e30, 1e30, f32::INFINITY, f32::NAN];
        let (mut powers, mut sigmoids) = ([0.0; 5], [0.0; 5]);
        unsafe { near(isa, &edges, &mut powers, &mut sigmoids) };
        assert_eq!(
            powers[..4],
            [0.0, 0.0, f32::INFINITY, f32::INFINITY],
            "{isa:?}"
        );
        assert!(powers[4].is_nan() && sigmoids[4].is_nan(), "{isa:?}");
        assert!(
            sigmoids[0] < 1e-36 && sigmoids[3] == 1.0,
            "{isa:?}: {sigmoids:?}"
        );
    }
}
