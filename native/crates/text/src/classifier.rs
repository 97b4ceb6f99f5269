//! Linear models over hashed word 1- and 2-grams, and over character n-grams of words where they are asked for.

use crate::words::{Word, mix, split_words};
use rayon::prelude::*;

/// A text as a sparse vector of length 1: buckets in rising order with their values.
struct Features {
    buckets: Vec<u32>,
    values: Vec<f32>,
}

pub struct Training<'a> {
    /// A power of two.
    pub buckets: usize,
    /// Which example comes when: whole epochs after each other.
    pub order: &'a [u32],
    pub learning_rate: f64,
    /// Logistic loss on labels 0 and 1, otherwise squared loss.
    pub logistic: bool,
    pub reading: Reading,
}

/// What of a text becomes features.
#[derive(Clone, Copy)]
pub struct Reading {
    /// Words of a text that are looked at.
    pub max_words: usize,
    /// Shortest and longest character n-grams within a word, its ends marked (Bojanowski et al. 2017); none when 0.
    pub characters: [usize; 2],
}

/// Stochastic gradient descent with a rate that falls linearly to 0, averaged over the second half of the steps
/// (Polyak and Juditsky 1992). Features are made on all threads, the steps are taken in order: same input, same bits.
pub fn train(texts: &[String], labels: &[f64], training: &Training) -> (Vec<f32>, f64) {
    let examples: Vec<Features> = texts
        .par_iter()
        .map_init(Scratch::default, |scratch, text| {
            features(text, training.buckets, training.reading, scratch)
        })
        .collect();
    let mut weights = vec![0f64; training.buckets];
    let mut lag = vec![0f64; training.buckets];
    let mut bias = start_bias(labels, training.logistic);
    let mut bias_lag = 0.0;
    let steps = training.order.len();
    let averaged_from = steps / 2;
    for (step, &chosen) in training.order.iter().enumerate() {
        let example = &examples[chosen as usize];
        let raw = bias + dot(example, &weights);
        let predicted = if training.logistic {
            1.0 / (1.0 + (-raw).exp())
        } else {
            raw
        };
        let rate = training.learning_rate * (1.0 - step as f64 / steps as f64);
        let change = rate * (labels[chosen as usize] - predicted);
        // A change made at step t is missing from the averages of the steps before it: the lag sums what is missing.
        let before = step.saturating_sub(averaged_from) as f64;
        for (&bucket, &value) in example.buckets.iter().zip(&example.values) {
            let change = change * f64::from(value);
            weights[bucket as usize] += change;
            lag[bucket as usize] += before * change;
        }
        bias += BIAS_RATE * change;
        bias_lag += before * BIAS_RATE * change;
    }
    let averaged = (steps - averaged_from).max(1) as f64;
    let weights = weights
        .iter()
        .zip(&lag)
        .map(|(weight, lag)| (weight - lag / averaged) as f32)
        .collect();
    (weights, bias - bias_lag / averaged)
}

/// `bias + weights . features` for each text.
pub fn score(texts: &[String], weights: &[f32], bias: f64, reading: Reading) -> Vec<f64> {
    texts
        .par_iter()
        .map_init(Scratch::default, |scratch, text| {
            let features = features(text, weights.len(), reading, scratch);
            let products = features.buckets.iter().zip(&features.values);
            bias + products
                .map(|(&bucket, &value)| f64::from(weights[bucket as usize]) * f64::from(value))
                .sum::<f64>()
        })
        .collect()
}

/// The bias moves slower than the weights: it starts at the mean.
const BIAS_RATE: f64 = 0.1;

#[derive(Default)]
struct Scratch {
    words: Vec<Word>,
    hashes: Vec<u32>,
    letters: Vec<u32>,
    counted: Vec<(u32, u32)>,
}

fn features(text: &str, buckets: usize, reading: Reading, scratch: &mut Scratch) -> Features {
    let Scratch {
        words,
        hashes,
        letters,
        counted,
    } = scratch;
    split_words(text, reading.max_words, words);
    let bits = buckets.trailing_zeros();
    let bucket = |hash: u64| (mix(hash).checked_shr(64 - bits).unwrap_or(0)) as u32;
    hashes.clear();
    hashes.extend(words.iter().map(|word| bucket(word.hash)));
    let pairs = words
        .windows(2)
        .map(|pair| bucket(pair[0].hash.rotate_left(23) ^ pair[1].hash.wrapping_mul(3)));
    hashes.extend(pairs);
    hashes.sort_unstable();
    let of_words = hashes
        .chunk_by(|a, b| a == b)
        .map(|same| (same[0], same.len() as u32));
    if reading.characters[1] == 0 {
        return weighted(of_words);
    }
    counted.clear();
    counted.extend(of_words);
    // A word that comes again has the same n-grams: they are made once.
    words.sort_unstable_by_key(|word| (word.hash, word.start));
    for same in words.chunk_by(|a, b| a.hash == b.hash) {
        letters.clear();
        letters.push(u32::from('<'));
        letters.extend(text[same[0].start..same[0].end].chars().map(lower));
        letters.push(u32::from('>'));
        character_ngrams(letters, reading.characters, |hash| {
            counted.push((bucket(hash), same.len() as u32))
        });
    }
    counted.sort_unstable_by_key(|&(bucket, _)| bucket);
    weighted(
        counted
            .chunk_by(|a, b| a.0 == b.0)
            .map(|same| (same[0].0, same.iter().map(|&(_, count)| count).sum())),
    )
}

/// Buckets with how often each comes, in rising order, as a vector of length 1.
fn weighted(counts: impl Iterator<Item = (u32, u32)>) -> Features {
    let (mut places, mut values, mut squares) = (Vec::new(), Vec::new(), 0.0);
    for (bucket, count) in counts {
        // The logarithm keeps a word that comes a hundred times from drowning the others.
        let value = 1.0 + (count as f32).ln();
        places.push(bucket);
        values.push(value);
        squares += value * value;
    }
    let length = squares.sqrt().max(f32::MIN_POSITIVE);
    values.iter_mut().for_each(|value| *value /= length);
    Features {
        buckets: places,
        values,
    }
}

fn lower(character: char) -> u32 {
    u32::from(character.to_lowercase().next().unwrap_or(character))
}

/// A hash for every n-gram of `least` to `most` letters.
fn character_ngrams(letters: &[u32], [least, most]: [usize; 2], mut found: impl FnMut(u64)) {
    for start in 0..letters.len() {
        let mut hash = LETTERS;
        let end = (start + most).min(letters.len());
        for (i, &letter) in letters[start..end].iter().enumerate() {
            hash = (hash ^ u64::from(letter)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            if i + 1 >= least {
                found(hash);
            }
        }
    }
}

/// Where hashes of letters begin: not where those of words do.
const LETTERS: u64 = 0x51f1_5e0a_b3c2_77d9;

fn dot(features: &Features, weights: &[f64]) -> f64 {
    let pairs = features.buckets.iter().zip(&features.values);
    pairs
        .map(|(&bucket, &value)| weights[bucket as usize] * f64::from(value))
        .sum()
}

fn start_bias(labels: &[f64], logistic: bool) -> f64 {
    let mean = labels.iter().sum::<f64>() / labels.len().max(1) as f64;
    if !logistic {
        return mean;
    }
    let mean = mean.clamp(0.01, 0.99);
    (mean / (1.0 - mean)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn character_ngrams_are_those_of_a_slow_loop() {
        let letters: Vec<u32> = "<straße>".chars().map(u32::from).collect();
        for (least, most) in [(1, 1), (2, 4), (3, 5), (8, 9), (9, 12)] {
            let mut found = 0;
            character_ngrams(&letters, [least, most], |_| found += 1);
            let expected: usize = (least..=most)
                .map(|n| (letters.len() + 1).saturating_sub(n))
                .sum();
            assert_eq!(found, expected, "{least} to {most}");
        }
    }

    #[test]
    fn texts_of_unknown_words_share_characters_alone() {
        let read = |text: &str, characters| {
            let reading = Reading {
                max_words: 100,
                characters,
            };
            features(text, 1 << 18, reading, &mut Scratch::default()).buckets
        };
        let shared = |characters| {
            let (one, two) = (
                read("unhappiness", characters),
                read("UNHAPPILY", characters),
            );
            one.iter().filter(|bucket| two.contains(bucket)).count()
        };
        assert_eq!(shared([0, 0]), 0);
        // <unhapp, unhappi: those of five letters are <unha unhap nhapp happi.
        assert_eq!(shared([5, 5]), 4);
    }
}
