//! The instructions in inline assembly: the intrinsics are not stable. The compiler itself never uses a tile, so they
//! keep what they hold from one block of assembly to the next.

use super::{Sizes, Tiles};
use std::arch::asm;
use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

pub struct Amx;

impl Tiles for Amx {
    #[inline(always)]
    unsafe fn configure(sizes: &Sizes) {
        asm!("ldtilecfg [{}]", in(reg) sizes, options(nostack, preserves_flags));
    }
    #[inline(always)]
    unsafe fn release() {
        asm!("tilerelease", options(nostack, preserves_flags));
    }
    #[inline(always)]
    unsafe fn zero<const T: u8>() {
        asm!("tilezero tmm{t}", t = const T, options(nostack, preserves_flags));
    }
    #[inline(always)]
    unsafe fn load<const T: u8>(from: *const u8, stride: usize) {
        asm!(
            "tileloadd tmm{t}, [{from} + {stride} * 1]",
            t = const T, from = in(reg) from, stride = in(reg) stride,
            options(nostack, preserves_flags, readonly)
        );
    }
    #[inline(always)]
    unsafe fn store<const T: u8>(to: *mut u8, stride: usize) {
        asm!(
            "tilestored [{to} + {stride} * 1], tmm{t}",
            t = const T, to = in(reg) to, stride = in(reg) stride,
            options(nostack, preserves_flags)
        );
    }
    #[inline(always)]
    unsafe fn multiply<const C: u8, const A: u8, const B: u8>() {
        asm!(
            "tdpbf16ps tmm{c}, tmm{a}, tmm{b}",
            c = const C, a = const A, b = const B,
            options(nostack, preserves_flags)
        );
    }
    #[inline(always)]
    unsafe fn prefetch(line: *const f32) {
        _mm_prefetch::<_MM_HINT_T1>(line as *const i8);
    }
}

/// Whether CPU and system have tiles of bf16 and the system lets this process use them: asked for once.
pub fn available() -> bool {
    static AVAILABLE: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
    *AVAILABLE.get_or_init(|| in_cpu() && saved_by_system() && permitted())
}

fn in_cpu() -> bool {
    use std::arch::x86_64::{__cpuid, __cpuid_count};
    const AMX_BF16: u32 = 1 << 22;
    const AMX_TILE: u32 = 1 << 24;
    const BOTH: u32 = AMX_BF16 | AMX_TILE;
    // Newer compilers call them safe.
    #[allow(unused_unsafe)]
    unsafe {
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & BOTH == BOTH
    }
}

/// Whether the system keeps tiles and their configuration for threads that wait.
fn saved_by_system() -> bool {
    #[target_feature(enable = "xsave")]
    unsafe fn enabled() -> u64 {
        std::arch::x86_64::_xgetbv(0)
    }
    const TILES: u64 = 3 << 17;
    is_x86_feature_detected!("xsave") && unsafe { enabled() } & TILES == TILES
}

/// Linux reserves the 8 KB of tiles a thread only where a process asks.
fn permitted() -> bool {
    #[cfg(target_os = "linux")]
    {
        const ARCH_REQ_XCOMP_PERM: libc::c_long = 0x1023;
        const XFEATURE_XTILEDATA: libc::c_long = 18;
        let answer = unsafe {
            libc::syscall(
                libc::SYS_arch_prctl,
                ARCH_REQ_XCOMP_PERM,
                XFEATURE_XTILEDATA,
            )
        };
        answer == 0
    }
    #[cfg(not(target_os = "linux"))]
    false
}
