//! Binding of the `curate` kernels.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::threads::with_threads;
use smolforge_text::{classifier, decontaminate, language, minhash};

#[napi(object)]
pub struct DetectedLanguages {
    pub codes: Vec<String>,
    pub scores: Float64Array,
}

#[napi]
pub fn detect_languages(
    texts: Vec<String>,
    max_characters: u32,
    threads: Option<u32>,
) -> DetectedLanguages {
    let found = on(threads, || {
        language::detect_languages(&texts, max_characters as usize)
    });
    DetectedLanguages {
        codes: found.iter().map(|(code, _)| code.to_string()).collect(),
        scores: found
            .iter()
            .map(|&(_, score)| score)
            .collect::<Vec<_>>()
            .into(),
    }
}

#[napi]
pub fn text_hashes(texts: Vec<String>, threads: Option<u32>) -> BigUint64Array {
    on(threads, || minhash::text_hashes(&texts)).into()
}

#[napi]
pub struct NgramIndex {
    index: decontaminate::NgramIndex,
}

#[napi]
impl NgramIndex {
    #[napi(constructor)]
    pub fn new(texts: Vec<String>, ngram: u32, min_words: u32) -> Self {
        let index = on(None, || {
            decontaminate::NgramIndex::new(&texts, ngram as usize, min_words as usize)
        });
        Self { index }
    }

    #[napi]
    pub fn sizes(&self) -> Uint32Array {
        self.index.sizes().to_vec().into()
    }

    /// Rows of [text, indexed text, shared n-grams, first character, end character], characters as UTF-16 units.
    #[napi]
    pub fn scan(&self, texts: Vec<String>, threads: Option<u32>) -> Uint32Array {
        let hits = on(threads, || self.index.scan(&texts));
        let mut rows = Vec::with_capacity(5 * hits.len());
        for hit in hits {
            let text = &texts[hit.text as usize];
            let start = text[..hit.start].encode_utf16().count();
            let length = text[hit.start..hit.end].encode_utf16().count();
            rows.extend([
                hit.text,
                hit.indexed,
                hit.shared,
                start as u32,
                (start + length) as u32,
            ]);
        }
        rows.into()
    }

    #[napi]
    pub fn mark(&self, texts: Vec<String>, threads: Option<u32>) {
        on(threads, || self.index.mark(&texts));
    }

    #[napi]
    pub fn marked_shares(&self) -> Float64Array {
        self.index.marked_shares().into()
    }
}

#[napi(object)]
pub struct TrainLinearOptions {
    pub buckets: u32,
    pub order: Uint32Array,
    pub learning_rate: f64,
    pub logistic: bool,
    pub max_words: u32,
    pub characters: Vec<u32>,
    pub threads: Option<u32>,
}

#[napi(object)]
pub struct LinearWeights {
    pub weights: Float32Array,
    pub bias: f64,
}

#[napi]
pub fn train_linear(
    texts: Vec<String>,
    labels: &[f64],
    options: TrainLinearOptions,
) -> Result<LinearWeights> {
    let order: &[u32] = &options.order;
    if !options.buckets.is_power_of_two() || labels.len() != texts.len() {
        return Err(invalid(
            "buckets are a power of two, labels one for each text",
        ));
    }
    if order.iter().any(|&example| example as usize >= texts.len()) {
        return Err(invalid("the order names an example that is not there"));
    }
    let training = classifier::Training {
        buckets: options.buckets as usize,
        order,
        learning_rate: options.learning_rate,
        logistic: options.logistic,
        reading: reading(options.max_words, &options.characters)?,
    };
    let (weights, bias) = on(options.threads, || {
        classifier::train(&texts, labels, &training)
    });
    Ok(LinearWeights {
        weights: weights.into(),
        bias,
    })
}

#[napi]
pub fn score_linear(
    texts: Vec<String>,
    weights: &[f32],
    bias: f64,
    max_words: u32,
    characters: Vec<u32>,
    threads: Option<u32>,
) -> Result<Float64Array> {
    if !weights.len().is_power_of_two() {
        return Err(invalid("the number of weights is a power of two"));
    }
    let reading = reading(max_words, &characters)?;
    Ok(on(threads, || {
        classifier::score(&texts, weights, bias, reading)
    })
    .into())
}

/// `characters` is empty, or the shortest and the longest n-gram.
fn reading(max_words: u32, characters: &[u32]) -> Result<classifier::Reading> {
    let characters = match *characters {
        [] => [0, 0],
        [least, most] if 0 < least && least <= most && most <= 16 => {
            [least as usize, most as usize]
        }
        _ => {
            return Err(invalid(
                "character n-grams are of 1 to 16, the shortest first",
            ));
        }
    };
    Ok(classifier::Reading {
        max_words: max_words as usize,
        characters,
    })
}

fn on<R: Send>(threads: Option<u32>, work: impl FnOnce() -> R + Send) -> R {
    with_threads(threads.unwrap_or(0) as usize, work)
}

fn invalid(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason)
}
