//! Compression given a prefix: how many bytes a text still takes when another text is already known.

use zstd::zstd_safe::{CCtx, CParameter, compress_bound, get_error_name};

/// The bytes that zstd needs for `text` as one frame when `prefix` stands in its window, at `level` with a window
/// of `2^window_log` bytes. The window has to cover both for the whole prefix to count.
pub fn compressed_size(
    prefix: &[u8],
    text: &[u8],
    level: i32,
    window_log: u32,
) -> Result<usize, String> {
    let explain = |code: usize| format!("zstd: {}", get_error_name(code));
    let mut context = CCtx::create();
    context
        .set_parameter(CParameter::CompressionLevel(level))
        .map_err(explain)?;
    context
        .set_parameter(CParameter::WindowLog(window_log))
        .map_err(explain)?;
    context
        .set_parameter(CParameter::EnableLongDistanceMatching(true))
        .map_err(explain)?;
    context
        .set_parameter(CParameter::ContentSizeFlag(false))
        .map_err(explain)?;
    context.ref_prefix(prefix).map_err(explain)?;
    let mut out: Vec<u8> = Vec::with_capacity(compress_bound(text.len()));
    context.compress2(&mut out, text).map_err(explain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_in_the_prefix_takes_next_to_nothing() {
        let mut x = 1u32;
        let noise: Vec<u8> = (0..100_000)
            .map(|_| {
                x = x.wrapping_mul(1664525).wrapping_add(1013904223);
                (x >> 24) as u8
            })
            .collect();
        // A copy: zstd drops the part of a prefix that the text lies in.
        let text = noise[..20_000].to_vec();
        let alone = compressed_size(&[], &text, 19, 20).unwrap();
        let known = compressed_size(&noise, &text, 19, 20).unwrap();
        assert!(alone >= 20_000 && known < 100, "{alone} {known}");
    }
}
