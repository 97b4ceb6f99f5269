//! Hashes of tokens: a multiplication of 64 by 64 bits folded in two, for strings of a few bytes and for runs of them.

/// A 64-bit hash of a token.
#[inline]
pub fn hash_token(bytes: &[u8]) -> u64 {
    let length = bytes.len();
    let (low, high) = if length >= 4 {
        if length > 16 {
            return xxhash_rust::xxh3::xxh3_64(bytes);
        }
        if length >= 8 {
            (read8(bytes, 0), read8(bytes, length - 8))
        } else {
            (read4(bytes, 0), read4(bytes, length - 4))
        }
    } else if length > 0 {
        let middle = u64::from(bytes[length / 2]) << 8;
        let first = u64::from(bytes[0]);
        (first | middle | u64::from(bytes[length - 1]) << 16, 0)
    } else {
        (0, 0)
    };
    fold(low ^ FIRST, high ^ SECOND ^ (length as u64) << 56)
}

/// The hash of a run that is one element longer; the order counts.
#[inline]
pub fn combine(run: u64, element: u64) -> u64 {
    fold(run ^ FIRST, element ^ SECOND)
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    let folded = (product as u64) ^ (product >> 64) as u64;
    // Where one side is 0 the product says nothing of the other.
    folded ^ a.rotate_left(32) ^ b
}

#[inline]
fn read8(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[inline]
fn read4(bytes: &[u8], at: usize) -> u64 {
    let mut four = [0; 4];
    four.copy_from_slice(&bytes[at..at + 4]);
    u64::from(u32::from_le_bytes(four))
}

const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd1b5_4a32_d192_ed03;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn tells_short_tokens_and_their_order_apart() {
        let mut seen = HashSet::new();
        for number in 0..200_000u32 {
            assert!(seen.insert(hash_token(number.to_string().as_bytes())));
        }
        for word in [
            "a", "aa", "aaa", "aaaa", "aaaaa", "ab", "ba", "\0", "\0\0", "",
        ] {
            assert!(seen.insert(hash_token(word.as_bytes())), "{word:?}");
        }
        let (a, b) = (hash_token(b"a"), hash_token(b"b"));
        assert_ne!(combine(a, b), combine(b, a));
        assert_ne!(combine(a, a), combine(b, b));
    }

    #[test]
    fn spreads_over_the_low_bits() {
        let mut places = vec![0u32; 1 << 12];
        for number in 0..1 << 14 {
            let word = format!("w{number:05}");
            places[hash_token(word.as_bytes()) as usize & 0xfff] += 1;
        }
        assert!(places.iter().all(|&count| count < 20));
    }
}
