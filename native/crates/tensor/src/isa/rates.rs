//! How many multiply-adds a second an instruction set does on registers alone.

use super::Isa;
use crate::context::Context;
use crate::gemm::{Inputs, LOOP_PRODUCTS, tile_loop};
use crate::simd::{Pairs, Simd};
use crate::{kernels, pair_kernels};
use std::time::Instant;

/// Multiply-adds a second, in GFLOP/s, of registers alone on all threads, by the instructions that multiply matrices
/// at this precision: what a matrix product is held against.
pub fn measure_peak(context: &Context) -> f64 {
    let isa = context.isa;
    let inputs = Inputs::of(context);
    let lanes = isa.lanes();
    let (rounds, products) = match inputs {
        Inputs::Floats => (2_000_000, CHAINS * lanes),
        Inputs::Pairs => (2_000_000, unsafe { pair_products(isa) } * CHAINS * lanes),
        Inputs::Tiles => (400_000, LOOP_PRODUCTS),
    };
    let mut best = f64::INFINITY;
    // A quarter of a second: at first the system may have put all threads on one core.
    for _ in 0..60 {
        let start = Instant::now();
        context.run(context.threads, &|_, _| unsafe {
            match inputs {
                Inputs::Floats => {
                    std::hint::black_box(fma_loop(isa, rounds));
                }
                Inputs::Pairs => pair_loop(isa, rounds),
                Inputs::Tiles => tile_loop(isa, rounds),
            }
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    (2 * products * rounds * context.threads) as f64 / best / 1e9
}

/// The rate of products of pairs over that of f32, of registers alone on this thread. It is 2 on Zen 4 and 0.5 on
/// Sapphire Rapids: far enough from 1 for a measurement of half a millisecond.
pub(super) fn pairs_gain(isa: Isa) -> f64 {
    const ROUNDS: usize = 2_000;
    let (mut floats, mut pairs) = (f64::INFINITY, f64::INFINITY);
    // Taking turns, so that both meet the same clock rate; the first turns also wake the units up.
    for _ in 0..12 {
        let start = Instant::now();
        std::hint::black_box(unsafe { fma_loop(isa, ROUNDS) });
        floats = floats.min(start.elapsed().as_secs_f64());
        let start = Instant::now();
        unsafe { pair_loop(isa, ROUNDS) };
        pairs = pairs.min(start.elapsed().as_secs_f64());
    }
    let products = unsafe { pair_products(isa) };
    products as f64 * floats / pairs
}

/// Sums that do not wait for each other.
const CHAINS: usize = 12;

kernels! {
    fn fma_loop(rounds: usize) -> f32 = fma_body;
}

pair_kernels! {
    fn pair_loop(rounds: usize) = pair_body;
    fn pair_products() -> usize = pair_products_body;
}

#[inline(always)]
unsafe fn fma_body<S: Simd>(rounds: usize) -> f32 {
    let (x, y) = (
        S::splat(std::hint::black_box(0.999)),
        S::splat(std::hint::black_box(0.001)),
    );
    let mut sums = [y; CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = S::fma(*sum, x, y);
        }
    }
    let mut total = 0.0;
    for sum in sums {
        total += S::sum(sum);
    }
    total
}

#[inline(always)]
unsafe fn pair_body<S: Pairs>(rounds: usize) {
    let [a, b] = [0.5, 0.001].map(|x| S::splat(std::hint::black_box(x)));
    let mut sums = [b; CHAINS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = S::fastest(*sum, a, b);
        }
    }
    let mut total = 0.0;
    for sum in sums {
        total += S::sum(sum);
    }
    std::hint::black_box(total);
}

#[inline(always)]
unsafe fn pair_products_body<S: Pairs>() -> usize {
    S::PRODUCTS
}
