//! Interpolated modified Kneser-Ney n-gram model (Kneser and Ney 1995, Chen and Goodman 1999): the baseline a
//! neural model has to beat.
//!
//! It never builds a model. The n-grams of the training tokens lie in one sorted array of packed keys, orders go
//! from the longest down, and each order answers the queries of the held-out tokens in one merge before its array
//! becomes that of the next: 16 bytes for each training token is all the memory it takes.

use rayon::prelude::*;

/// Ids packed 16 bits each, the predicted token in the lowest: contexts are contiguous in a sorted array.
type Key = u128;

pub const MAX_ORDER: usize = 8;

/// One or more documents' tokens, laid end to end, with the length of each.
pub struct Documents<'a> {
    pub tokens: &'a [u16],
    pub lengths: &'a [u32],
}

/// -log2 p of each held-out token given the tokens before it in its document. Every document is read as if
/// `order - 1` `end_of_text` tokens stood before it, and training also counts the one at its end.
/// `vocab_size` is what the lowest order spreads its rest over.
///
/// Returns an error where the lengths do not add up to the tokens or the order is not in 1..=8.
pub fn kneser_ney_bits(
    training: &Documents,
    held_out: &Documents,
    order: usize,
    vocab_size: usize,
    end_of_text: u16,
) -> Result<Vec<f64>, String> {
    if !(1..=MAX_ORDER).contains(&order) {
        return Err(format!(
            "the order is {order}, it must be in 1..={MAX_ORDER}"
        ));
    }
    check(training, "training")?;
    check(held_out, "held-out")?;
    if vocab_size == 0 || vocab_size > 1 << 16 {
        return Err(format!(
            "a vocabulary of {vocab_size} does not fit 16-bit ids"
        ));
    }

    let mut grams = keys(training, order, end_of_text, true);
    let queries = keys(held_out, order, end_of_text, false);
    let mut shares = vec![Share::default(); queries.len() * order];

    for n in (1..=order).rev() {
        grams.par_sort_unstable();
        let counts = count_runs(&mut grams);
        answer(
            n,
            &grams,
            &counts,
            &queries,
            &mut shares[(n - 1) * queries.len()..n * queries.len()],
        );
        // The continuation counts of the next order: how many different tokens stand before each shorter gram.
        let shorter = mask(n - 1);
        grams.par_iter_mut().for_each(|key| *key &= shorter);
    }

    let count = queries.len();
    Ok((0..count)
        .into_par_iter()
        .map(|i| {
            let uniform = 1.0 / vocab_size as f64;
            let p = (0..order).fold(uniform, |lower, n| {
                let share = &shares[n * count + i];
                share.discounted + share.backoff * lower
            });
            -p.log2()
        })
        .collect())
}

/// What one order gives to one query: p = discounted + backoff * (p of the shorter order).
#[derive(Clone, Copy)]
struct Share {
    discounted: f64,
    backoff: f64,
}

impl Default for Share {
    /// A context never seen: all from the shorter order.
    fn default() -> Self {
        Share {
            discounted: 0.0,
            backoff: 1.0,
        }
    }
}

fn check(documents: &Documents, name: &str) -> Result<(), String> {
    let sum: usize = documents
        .lengths
        .iter()
        .map(|&length| length as usize)
        .sum();
    if sum == documents.tokens.len() {
        return Ok(());
    }
    Err(format!(
        "the {name} lengths add up to {sum}, there are {} tokens",
        documents.tokens.len()
    ))
}

fn mask(tokens: usize) -> Key {
    (1 as Key)
        .checked_shl(16 * tokens as u32)
        .map_or(Key::MAX, |bit| bit - 1)
}

/// The n-gram that ends at each token, and at the end of each document if `with_end`.
fn keys(documents: &Documents, order: usize, end_of_text: u16, with_end: bool) -> Vec<Key> {
    let extra = if with_end { documents.lengths.len() } else { 0 };
    let mut keys = Vec::with_capacity(documents.tokens.len() + extra);
    let mask = mask(order);
    let start = (0..order).fold(0, |key: Key, _| key << 16 | end_of_text as Key);
    let mut rest = documents.tokens;
    for &length in documents.lengths {
        let (document, after) = rest.split_at(length as usize);
        rest = after;
        let mut key = start;
        let end = with_end.then_some(&end_of_text);
        for &token in document.iter().chain(end) {
            key = (key << 16 | token as Key) & mask;
            keys.push(key);
        }
    }
    keys
}

/// Leaves each key once and returns how often it was there.
fn count_runs(sorted: &mut Vec<Key>) -> Vec<u32> {
    let mut counts: Vec<u32> = Vec::new();
    let mut kept = 0;
    for i in 0..sorted.len() {
        if kept > 0 && sorted[kept - 1] == sorted[i] {
            counts[kept - 1] = counts[kept - 1].saturating_add(1);
        } else {
            sorted[kept] = sorted[i];
            counts.push(1);
            kept += 1;
        }
    }
    sorted.truncate(kept);
    counts
}

/// Fills the shares of one order by merging the sorted queries with the sorted grams, context by context.
fn answer(n: usize, grams: &[Key], counts: &[u32], queries: &[Key], shares: &mut [Share]) {
    let discounts = discounts(counts);
    let mask = mask(n);
    let mut asked: Vec<(Key, u32)> = queries
        .par_iter()
        .enumerate()
        .map(|(i, key)| (key & mask, i as u32))
        .collect();
    asked.par_sort_unstable();

    let mut from = 0;
    let mut at = 0;
    while at < asked.len() {
        let context = asked[at].0 >> 16;
        let until = at
            + asked[at..]
                .iter()
                .take_while(|(key, _)| key >> 16 == context)
                .count();
        from += grams[from..].partition_point(|gram| gram >> 16 < context);
        let to = from
            + grams[from..]
                .iter()
                .take_while(|&&gram| gram >> 16 == context)
                .count();
        if to > from {
            let (total, kept_back) =
                counts[from..to]
                    .iter()
                    .fold((0.0, 0.0), |(total, kept_back), &count| {
                        (
                            total + count as f64,
                            kept_back + discount(&discounts, count),
                        )
                    });
            for &(key, query) in &asked[at..until] {
                let discounted = match grams[from..to].binary_search(&key) {
                    Ok(i) => counts[from + i] as f64 - discount(&discounts, counts[from + i]),
                    Err(_) => 0.0,
                };
                shares[query as usize] = Share {
                    discounted: discounted / total,
                    backoff: kept_back / total,
                };
            }
        }
        from = to;
        at = until;
    }
}

/// The discounts of counts 1, 2 and 3 or more, from how many grams have the counts 1 to 4.
fn discounts(counts: &[u32]) -> [f64; 3] {
    let mut having = [0.0f64; 5];
    for &count in counts {
        if count < 5 {
            having[count as usize] += 1.0;
        }
    }
    let [_, n1, n2, n3, n4] = having;
    if n1 == 0.0 || n2 == 0.0 || n3 == 0.0 {
        return [0.5, 1.0, 1.5]; // too few grams to estimate from: KenLM's fallback
    }
    let y = n1 / (n1 + 2.0 * n2);
    [
        (1.0 - 2.0 * y * n2 / n1).clamp(0.0, 1.0),
        (2.0 - 3.0 * y * n3 / n2).clamp(0.0, 2.0),
        (3.0 - 4.0 * y * n4 / n3).clamp(0.0, 3.0),
    ]
}

fn discount(discounts: &[f64; 3], count: u32) -> f64 {
    discounts[(count.min(3) - 1) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(training: &[u16], held_out: &[u16], order: usize, vocab: usize) -> Vec<f64> {
        let lengths = |tokens: &[u16]| vec![tokens.len() as u32];
        kneser_ney_bits(
            &Documents {
                tokens: training,
                lengths: &lengths(training),
            },
            &Documents {
                tokens: held_out,
                lengths: &lengths(held_out),
            },
            order,
            vocab,
            0,
        )
        .unwrap()
    }

    #[test]
    fn the_probabilities_of_all_next_tokens_sum_to_one() {
        let training: Vec<u16> = (0..4000u32)
            .map(|i| ((i * i / 7 + i) % 23) as u16)
            .collect();
        for order in 1..=MAX_ORDER {
            for context in [
                vec![],
                vec![3u16],
                vec![5, 1, 9],
                vec![2, 2, 2, 2, 2, 2, 2, 2],
            ] {
                let sum: f64 = (0..23u16)
                    .map(|next| {
                        let text = [context.clone(), vec![next]].concat();
                        (-bits(&training, &text, order, 23).last().unwrap()).exp2()
                    })
                    .sum();
                assert!(
                    (sum - 1.0).abs() < 1e-9,
                    "order {order} after {context:?}: {sum}"
                );
            }
        }
    }

    #[test]
    fn lengths_that_do_not_fit_are_an_error() {
        let good = Documents {
            tokens: &[1, 2],
            lengths: &[2],
        };
        let bad = Documents {
            tokens: &[1, 2],
            lengths: &[3],
        };
        assert!(kneser_ney_bits(&bad, &good, 3, 10, 0).is_err());
        assert!(kneser_ney_bits(&good, &bad, 3, 10, 0).is_err());
        assert!(kneser_ney_bits(&good, &good, 9, 10, 0).is_err());
    }
}
