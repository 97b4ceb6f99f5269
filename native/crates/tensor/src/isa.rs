//! Which instruction set the kernels run with.

use crate::context::{Context, Precision};
use crate::element::{Bf16, Floats, FloatsMut};
use crate::gemm::{Inputs, LOOP_PRODUCTS, Matrix, Output, gemm, tile_loop};
use crate::simd::{MOST_LANES, Pairs, Simd};
use crate::{attention, kernels, normalise, pair_kernels, quantised};
use std::time::Instant;

/// The one list of instruction sets: the order is that of preference, the best last, and the names are those of
/// SMOLFORGE_ISA and of `ISAS` in src/tensor/backend.ts.
macro_rules! instruction_sets {
    ($( $(#[$meta:meta])* $isa:ident = $name:literal, )*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Isa {
            $( $(#[$meta])* $isa, )*
            /// The shape of AVX-512 without its instructions.
            #[cfg(test)]
            Wide,
            /// And with tiles.
            #[cfg(test)]
            WideTiles,
        }

        pub const ALL: [Isa; [$($name),*].len()] = [$(Isa::$isa),*];

        impl Isa {
            pub fn name(self) -> &'static str {
                match self {
                    $( Isa::$isa => $name, )*
                    #[cfg(test)]
                    Isa::Wide => "wide",
                    #[cfg(test)]
                    Isa::WideTiles => "wide tiles",
                }
            }
        }
    };
}

instruction_sets! {
    Portable = "portable",
    Neon = "neon",
    /// NEON with products of bf16 matrices.
    NeonBf16 = "neonbf16",
    Avx2 = "avx2",
    Avx512 = "avx512",
    /// AVX-512 with products of bf16 pairs.
    Avx512Bf16 = "avx512bf16",
    /// And with tiles of bf16.
    Amx = "amx",
}

/// What tests run on, as far as it is available. The stand-ins for wide registers are tested by x86 machines; another
/// one may be an emulation, and slow.
#[cfg(all(test, target_arch = "aarch64"))]
pub const TESTED: [Isa; ALL.len()] = ALL;
#[cfg(all(test, not(target_arch = "aarch64")))]
pub const TESTED: [Isa; ALL.len() + 2] = {
    let mut tested = [Isa::Wide; ALL.len() + 2];
    let mut i = 0;
    while i < ALL.len() {
        tested[i] = ALL[i];
        i += 1;
    }
    tested[ALL.len() + 1] = Isa::WideTiles;
    tested
};

impl Isa {
    pub fn parse(name: &str) -> Result<Isa, String> {
        let found = ALL.into_iter().find(|isa| isa.name() == name);
        found.ok_or_else(|| {
            let names = ALL.map(Isa::name).join(", ");
            format!("Unknown instruction set '{name}': choose one of {names}")
        })
    }

    /// Whether this CPU and its operating system can run it.
    // No `_`: an instruction set that nobody looks for would be tested nowhere.
    #[cfg(target_arch = "x86_64")]
    pub fn available(self) -> bool {
        match self {
            Isa::Portable => true,
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && Isa::Avx2.available()
            }
            Isa::Avx512Bf16 => is_x86_feature_detected!("avx512bf16") && Isa::Avx512.available(),
            Isa::Amx => Isa::Avx512Bf16.available() && tiles_available(),
            Isa::Neon | Isa::NeonBf16 => false,
            #[cfg(test)]
            Isa::Wide | Isa::WideTiles => true,
        }
    }
    #[cfg(target_arch = "aarch64")]
    pub fn available(self) -> bool {
        match self {
            Isa::Portable | Isa::Neon => true,
            Isa::NeonBf16 => std::arch::is_aarch64_feature_detected!("bf16"),
            Isa::Avx2 | Isa::Avx512 | Isa::Avx512Bf16 | Isa::Amx => false,
            #[cfg(test)]
            Isa::Wide | Isa::WideTiles => true,
        }
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    pub fn available(self) -> bool {
        self == Isa::Portable
    }

    /// f32 in a vector.
    pub fn lanes(self) -> usize {
        // SAFETY: a number is returned, whatever the machine has.
        unsafe { lanes(self) }
    }

    /// Rows of the block of C that matmul keeps in registers, beside two vectors of columns.
    pub fn tile_rows(self) -> usize {
        // SAFETY: as above.
        unsafe { tile_rows(self) }
    }

    /// Whether it multiplies pairs of bf16 in one instruction.
    pub fn has_pairs(self) -> bool {
        match self {
            Isa::NeonBf16 | Isa::Avx512Bf16 | Isa::Amx => true,
            #[cfg(test)]
            Isa::Wide | Isa::WideTiles => true,
            _ => false,
        }
    }

    /// Whether it multiplies tiles of bf16.
    pub fn has_tiles(self) -> bool {
        match self {
            Isa::Amx => true,
            #[cfg(test)]
            Isa::WideTiles => true,
            _ => false,
        }
    }

    /// The best instruction set that works here, and why it is not a wider one.
    pub fn choose() -> (Isa, String) {
        let mut reasons = Vec::new();
        for isa in ALL.into_iter().rev().filter(|isa| isa.available()) {
            if isa.has_pairs() && !isa.has_tiles() {
                let gain = pairs_gain(isa);
                if gain < 1.0 {
                    reasons.push(format!(
                        "{} multiplies pairs of bf16 at {gain:.1} of the rate of f32",
                        isa.name()
                    ));
                    continue;
                }
            }
            match self_check(isa) {
                Ok(()) if reasons.is_empty() => {
                    return (isa, String::from("the widest that this CPU has"));
                }
                Ok(()) => return (isa, reasons.join("; ")),
                Err(difference) => {
                    reasons.push(format!(
                        "{} failed its self-check: {difference}",
                        isa.name()
                    ));
                }
            }
        }
        (Isa::Portable, reasons.join("; "))
    }
}

/// The rate of products of pairs over that of f32, of registers alone on this thread. It is 2 on Zen 4 and 0.5 on
/// Sapphire Rapids: far enough from 1 for a measurement of half a millisecond.
fn pairs_gain(isa: Isa) -> f64 {
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

/// Runs a few kernels with this instruction set and with the portable one and compares: a compiler or a CPU that
/// gets the wider one wrong must not train a model.
pub fn self_check(isa: Isa) -> Result<(), String> {
    if isa == Isa::Portable {
        return Ok(());
    }
    let mut results = vec![(probe(isa), probe(Isa::Portable), 1e-4)];
    let blocks = |isa| vec![("quantised product", quantised::probe(isa))];
    results.push((blocks(isa), blocks(Isa::Portable), 1e-3));
    if isa.has_pairs() {
        // The same roundings, but of sums that differ by a little: an output in bf16 may fall to the other side.
        results.push((probe_bf16(isa), probe_bf16(Isa::Portable), 0.01));
    }
    for (wide, plain, tolerance) in &results {
        for (name, got, wanted) in wide.iter().zip(plain).map(|(w, p)| (w.0, &w.1, &p.1)) {
            for (i, (&x, &y)) in got.iter().zip(wanted).enumerate() {
                // The negated comparison also catches not-a-number.
                let close = (x - y).abs() <= tolerance * (1.0 + y.abs());
                if !close {
                    return Err(format!("{name}[{i}] is {x}, not {y}"));
                }
            }
        }
    }
    Ok(())
}

#[cfg(target_arch = "x86_64")]
use crate::gemm::tiles_available;

/// The model name that the CPU gives itself.
pub fn cpu_name() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::__cpuid;
        // Newer compilers call it safe.
        #[allow(unused_unsafe, clippy::redundant_closure)]
        let bytes: Vec<u8> = unsafe {
            (0x8000_0002u32..=0x8000_0004)
                .map(|leaf| __cpuid(leaf))
                .flat_map(|r| [r.eax, r.ebx, r.ecx, r.edx])
                .flat_map(u32::to_le_bytes)
                .take_while(|&byte| byte != 0)
                .collect()
        };
        String::from_utf8_lossy(&bytes)
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    }
    #[cfg(not(target_arch = "x86_64"))]
    String::from(std::env::consts::ARCH)
}

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
    for _ in 0..20 {
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

/// Sums that do not wait for each other.
const CHAINS: usize = 12;

kernels! {
    fn fma_loop(rounds: usize) -> f32 = fma_body;
    fn lanes() -> usize = lanes_body;
    fn tile_rows() -> usize = tile_rows_body;
}

pair_kernels! {
    fn pair_loop(rounds: usize) = pair_body;
    fn pair_products() -> usize = pair_products_body;
}

#[inline(always)]
unsafe fn lanes_body<S: Simd>() -> usize {
    const { assert!(S::LANES <= MOST_LANES && S::LANES.is_power_of_two()) }
    S::LANES
}

#[inline(always)]
unsafe fn tile_rows_body<S: Simd>() -> usize {
    // Those that gemm/float_tile.rs has blocks of.
    const { assert!(matches!(S::TILE_ROWS, 6 | 12 | 14)) }
    S::TILE_ROWS
}

#[inline(always)]
unsafe fn pair_products_body<S: Pairs>() -> usize {
    S::PRODUCTS
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

/// Numbers from -1 to 1, the same ones every time.
fn noise() -> impl FnMut(usize) -> Vec<f32> {
    let mut state = 1u32;
    move |n| {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(next).collect()
    }
}

fn probe(isa: Isa) -> Vec<(&'static str, Vec<f32>)> {
    let context = Context::new(isa, 1, Precision::F32);
    let mut noise = noise();
    let (m, n, k) = (37, 53, 41);
    let (a, b) = (noise(m * k), noise(n * k));
    let mut forward = vec![0.0; m * n];
    gemm(
        &context,
        m,
        n,
        k,
        Matrix::rows(&a[..], k),
        Matrix::columns(&b[..], k),
        Output::new(&mut forward[..], n, false),
    );
    let mut weight = vec![0.0; k * n];
    gemm(
        &context,
        k,
        n,
        m,
        Matrix::columns(&a[..], k),
        Matrix::rows(&forward[..], n),
        Output::new(&mut weight[..], n, false),
    );

    let shape = attention::Shape {
        batch: 1,
        time: 19,
        capacity: 19,
        heads: 2,
        kv_heads: 1,
        head_dim: 20,
        key_length: 19,
        causal: true,
        queries: attention::Lines::alone(2, 20),
        keys: attention::Lines::alone(1, 20),
        values: attention::Lines::alone(1, 20),
    };
    let (q, kv) = (noise(19 * 40), noise(19 * 20));
    let (mut y, mut lse) = (vec![0.0; 19 * 40], vec![0.0; 38]);
    let [queries, pairs] = [&q, &kv].map(|x| Floats::F32(x));
    let out = FloatsMut::F32(&mut y);
    attention::forward(&context, queries, pairs, pairs, out, &mut lse, None, shape);
    let (mut dq, mut dk, mut dv) = (vec![0.0; 19 * 40], vec![0.0; 19 * 20], vec![0.0; 19 * 20]);
    let gradients = attention::Gradients {
        q: FloatsMut::F32(&mut dq).into(),
        k: FloatsMut::F32(&mut dk).into(),
        v: FloatsMut::F32(&mut dv).into(),
        adds: [false; 3],
    };
    let output = Floats::F32(&y);
    attention::backward(
        &context, queries, pairs, pairs, output, &lse, queries, gradients, None, shape,
    );
    let mut soft = vec![0.0; m * n];
    normalise::softmax(&context, &forward, &mut soft, n, false);
    vec![
        ("matmul", forward),
        ("weight gradient", weight),
        ("attention", y),
        ("log-sum-exp", lse),
        ("query gradient", dq),
        ("key gradient", dk),
        ("value gradient", dv),
        ("softmax", soft),
    ]
}

/// Products of bf16 in the forms of training: heights and widths that fill a tile, pass it and stop short of it.
fn probe_bf16(isa: Isa) -> Vec<(&'static str, Vec<f32>)> {
    let context = Context::new(isa, 1, Precision::Bf16);
    let mut noise = noise();
    let (m, n, k) = (53, 64, 96);
    let narrow = |x: Vec<f32>| x.into_iter().map(Bf16::new).collect::<Vec<_>>();
    let (x, w) = (narrow(noise(m * k)), narrow(noise(n * k)));
    let mut forward = vec![Bf16(0); m * n];
    let out = Output::new(&mut forward[..], n, false);
    let turned = Matrix::columns(&w[..], k);
    gemm(&context, m, n, k, Matrix::rows(&x[..], k), turned, out);
    let mut input = noise(m * k);
    let out = Output::new(&mut input[..], k, true);
    let (dy, straight) = (Matrix::rows(&forward[..], n), Matrix::rows(&w[..], k));
    gemm(&context, m, k, n, dy, straight, out);
    let mut weight = vec![0.0; (n - 15) * (k - 5)];
    let out = Output::new(&mut weight[..], k - 5, false);
    let (dy, x) = (Matrix::columns(&forward[..], n), Matrix::rows(&x[..], k));
    gemm(&context, n - 15, k - 5, m, dy, x, out);
    let forward = forward.iter().map(|x| x.value()).collect();
    vec![
        ("bf16 matmul", forward),
        ("bf16 input gradient", input),
        ("bf16 weight gradient", weight),
    ]
}

#[cfg(test)]
mod tests {
    use super::{Isa, TESTED, self_check};

    #[test]
    fn every_instruction_set_of_this_machine_agrees_with_the_portable_one() {
        for isa in TESTED.into_iter().filter(|isa| isa.available()) {
            assert_eq!(self_check(isa), Ok(()), "{}", isa.name());
        }
    }

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(Isa::parse("sse9").is_err());
        assert_eq!(Isa::parse("avx2"), Ok(Isa::Avx2));
    }
}
