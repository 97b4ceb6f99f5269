//! Which instruction set the kernels run with.

mod rates;
mod self_check;

#[cfg(target_arch = "x86_64")]
use crate::gemm::tiles_available;
use crate::kernels;
use crate::simd::{MOST_LANES, Simd};
use rates::pairs_gain;

pub use rates::measure_peak;
pub use self_check::self_check;

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

/// What tests run on: all that is available, or what SMOLFORGE_ISA names. The stand-ins for wide registers are tested by
/// x86 machines; another one may be an emulation, and slow.
#[cfg(test)]
pub fn tested() -> impl Iterator<Item = Isa> {
    let name = std::env::var("SMOLFORGE_ISA").unwrap_or_default();
    let only = (!name.is_empty()).then(|| Isa::parse(&name).expect("SMOLFORGE_ISA"));
    assert!(only.is_none_or(Isa::available), "{name} is not available");
    let stand_ins = [Isa::Wide, Isa::WideTiles];
    let stand_ins = stand_ins
        .into_iter()
        .filter(|_| cfg!(not(target_arch = "aarch64")));
    ALL.into_iter()
        .chain(stand_ins)
        .filter(move |&isa| isa.available() && only.is_none_or(|only| only == isa))
}

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

kernels! {
    fn lanes() -> usize = lanes_body;
    fn tile_rows() -> usize = tile_rows_body;
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

#[cfg(test)]
mod tests {
    use super::Isa;

    #[test]
    fn an_unknown_name_is_refused() {
        assert!(Isa::parse("sse9").is_err());
        assert_eq!(Isa::parse("avx2"), Ok(Isa::Avx2));
    }
}
