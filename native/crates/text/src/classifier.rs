//! Linear models over hashed word 1- and 2-grams.

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
    /// Words of a text that are looked at.
    pub max_words: usize,
}

/// Stochastic gradient descent with a rate that falls linearly to 0, averaged over the second half of the steps
/// (Polyak and Juditsky 1992). Features are made on all threads, the steps are taken in order: same input, same bits.
pub fn train(texts: &[String], labels: &[f64], training: &Training) -> (Vec<f32>, f64) {
    let examples: Vec<Features> = texts
        .par_iter()
        .map_init(Scratch::default, |scratch, text| {
            features(text, training.buckets, training.max_words, scratch)
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
pub fn score(texts: &[String], weights: &[f32], bias: f64, max_words: usize) -> Vec<f64> {
    texts
        .par_iter()
        .map_init(Scratch::default, |scratch, text| {
            let features = features(text, weights.len(), max_words, scratch);
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
}

fn features(text: &str, buckets: usize, max_words: usize, scratch: &mut Scratch) -> Features {
    let Scratch { words, hashes } = scratch;
    split_words(text, max_words, words);
    let bits = buckets.trailing_zeros();
    let bucket = |hash: u64| (mix(hash).checked_shr(64 - bits).unwrap_or(0)) as u32;
    hashes.clear();
    hashes.extend(words.iter().map(|word| bucket(word.hash)));
    let pairs = words
        .windows(2)
        .map(|pair| bucket(pair[0].hash.rotate_left(23) ^ pair[1].hash.wrapping_mul(3)));
    hashes.extend(pairs);
    hashes.sort_unstable();
    let (mut places, mut values, mut squares) = (Vec::new(), Vec::new(), 0.0);
    for same in hashes.chunk_by(|a, b| a == b) {
        // The logarithm keeps a word that comes a hundred times from drowning the others.
        let value = 1.0 + (same.len() as f32).ln();
        places.push(same[0]);
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
