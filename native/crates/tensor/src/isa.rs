//! Which instruction set the kernels run with.

use crate::context::{Context, Precision};
use crate::gemm::{Matrix, Output, gemm};
use crate::simd::Simd;
use crate::{attention, kernels, normalise};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    Portable,
    Avx2,
    Avx512,
    /// AVX-512 with products of bf16 pairs.
    Avx512Bf16,
    /// And with tiles of bf16.
    Amx,
    #[cfg(test)]
    Wide,
}

pub const ALL: [Isa; 5] = [
    Isa::Portable,
    Isa::Avx2,
    Isa::Avx512,
    Isa::Avx512Bf16,
    Isa::Amx,
];
#[cfg(test)]
pub const TESTED: [Isa; 6] = [
    Isa::Portable,
    Isa::Avx2,
    Isa::Avx512,
    Isa::Avx512Bf16,
    Isa::Amx,
    Isa::Wide,
];

impl Isa {
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
            Isa::Avx512Bf16 => "avx512bf16",
            Isa::Amx => "amx",
            #[cfg(test)]
            Isa::Wide => "wide",
        }
    }

    pub fn parse(name: &str) -> Result<Isa, String> {
        let found = ALL.into_iter().find(|isa| isa.name() == name);
        found.ok_or_else(|| {
            let names = ALL.map(Isa::name).join(", ");
            format!("Unknown instruction set '{name}': choose one of {names}")
        })
    }

    /// Whether this CPU and its operating system can run it.
    pub fn available(self) -> bool {
        match self {
            Isa::Portable => true,
            #[cfg(test)]
            Isa::Wide => true,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && Isa::Avx2.available()
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Bf16 => is_x86_feature_detected!("avx512bf16") && Isa::Avx512.available(),
            // Its products are not written yet.
            #[cfg(target_arch = "x86_64")]
            Isa::Amx => false,
            #[cfg(not(target_arch = "x86_64"))]
            _ => false,
        }
    }

    /// Whether it multiplies pairs of bf16 in one instruction.
    pub fn has_pairs(self) -> bool {
        match self {
            Isa::Avx512Bf16 | Isa::Amx => true,
            #[cfg(test)]
            Isa::Wide => true,
            _ => false,
        }
    }

    /// The widest instruction set that works here, and why it is not a wider one.
    pub fn choose() -> (Isa, String) {
        let mut reason = String::from("the widest that this CPU has");
        for isa in ALL.into_iter().rev().filter(|isa| isa.available()) {
            match self_check(isa) {
                Ok(()) => return (isa, reason),
                Err(difference) => {
                    reason = format!("{} failed its self-check: {difference}", isa.name())
                }
            }
        }
        (Isa::Portable, reason)
    }
}

/// Runs a few kernels with this instruction set and with the portable one and compares: a compiler or a CPU that
/// gets the wider one wrong must not train a model.
pub fn self_check(isa: Isa) -> Result<(), String> {
    if isa == Isa::Portable {
        return Ok(());
    }
    let wide = probe(isa);
    let plain = probe(Isa::Portable);
    for (name, got, wanted) in wide.iter().zip(&plain).map(|(w, p)| (w.0, &w.1, &p.1)) {
        for (i, (&x, &y)) in got.iter().zip(wanted).enumerate() {
            // The negated comparison also catches not-a-number.
            let close = (x - y).abs() <= 1e-4 * (1.0 + y.abs());
            if !close {
                return Err(format!("{name}[{i}] is {x}, not {y}"));
            }
        }
    }
    Ok(())
}

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

/// Multiply-adds a second, in GFLOP/s, of registers alone on all threads: what a matrix product is held against.
pub fn measure_peak(context: &Context) -> f64 {
    const ROUNDS: usize = 2_000_000;
    let mut best = f64::INFINITY;
    for _ in 0..20 {
        let start = std::time::Instant::now();
        context.run(context.threads, &|_, _| unsafe {
            std::hint::black_box(fma_loop(context.isa, ROUNDS));
        });
        best = best.min(start.elapsed().as_secs_f64());
    }
    (2 * 12 * unsafe { lanes(context.isa) } * ROUNDS * context.threads) as f64 / best / 1e9
}

kernels! {
    fn fma_loop(rounds: usize) -> f32 = fma_body;
    fn lanes() -> usize = lanes_body;
}

#[inline(always)]
unsafe fn lanes_body<S: Simd>() -> usize {
    S::LANES
}

#[inline(always)]
unsafe fn fma_body<S: Simd>(rounds: usize) -> f32 {
    let (x, y) = (
        S::splat(std::hint::black_box(0.999)),
        S::splat(std::hint::black_box(0.001)),
    );
    let mut sums = [y; 12];
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

fn probe(isa: Isa) -> Vec<(&'static str, Vec<f32>)> {
    let context = Context::new(isa, 1, Precision::F32);
    let mut state = 1u32;
    let mut noise = |n: usize| -> Vec<f32> {
        let next = |_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..n).map(next).collect()
    };
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
    };
    let (q, kv) = (noise(19 * 40), noise(19 * 20));
    let (mut y, mut lse) = (vec![0.0; 19 * 40], vec![0.0; 38]);
    attention::forward(&context, &q, &kv, &kv, &mut y, &mut lse, None, shape);
    let (mut dq, mut dk, mut dv) = (vec![0.0; 19 * 40], vec![0.0; 19 * 20], vec![0.0; 19 * 20]);
    let adds = [false; 3];
    attention::backward(
        &context, &q, &kv, &kv, &y, &lse, &q, &mut dq, &mut dk, &mut dv, None, shape, adds,
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
