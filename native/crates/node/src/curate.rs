//! Binding of the `curate` kernels.

use crate::background::{Background, background};
use crate::texts::TextBatch;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::jsonl::Texts;
use smolforge_text::threads::with_threads;
use smolforge_text::{classifier, decontaminate, language, minhash, words};
use std::sync::Arc;

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
) -> AsyncTask<Background<DetectedLanguages>> {
    background(move || {
        let found = on(threads, || {
            language::detect_languages(&texts, max_characters as usize)
        });
        Ok(DetectedLanguages {
            codes: found.iter().map(|(code, _)| code.to_string()).collect(),
            scores: found
                .iter()
                .map(|&(_, score)| score)
                .collect::<Vec<_>>()
                .into(),
        })
    })
}

#[napi]
pub fn text_hashes(texts: Vec<String>, threads: Option<u32>) -> BigUint64Array {
    on(threads, || minhash::text_hashes(&texts)).into()
}

#[napi]
pub struct NgramIndex {
    index: Arc<decontaminate::NgramIndex>,
}

#[napi]
impl NgramIndex {
    #[napi(constructor)]
    pub fn new(texts: Vec<String>, ngram: u32, min_words: u32) -> Self {
        let index = on(None, || {
            decontaminate::NgramIndex::new(&texts, ngram as usize, min_words as usize)
        });
        Self {
            index: Arc::new(index),
        }
    }

    /// As `scan`, of a batch, on other threads.
    #[napi]
    pub fn scan_batch(
        &self,
        batch: &TextBatch,
        subsequence: bool,
        threads: Option<u32>,
    ) -> Result<AsyncTask<ScanBatch>> {
        Ok(AsyncTask::new(ScanBatch {
            index: self.index.clone(),
            texts: batch.shared()?,
            subsequence,
            threads,
        }))
    }

    #[napi]
    pub fn sizes(&self) -> Uint32Array {
        self.index.sizes().to_vec().into()
    }

    /// Rows of [text, indexed text, shared n-grams, first character, end character], characters as UTF-16 units.
    #[napi]
    pub fn scan(&self, texts: Vec<String>, threads: Option<u32>) -> Uint32Array {
        let hits = on(threads, || self.index.scan(&texts, false));
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

/// Columns of hits: the document of the batch, the indexed text, the n-grams they share, the share of the longest common
/// subsequence, and the passage that matches.
#[napi(object)]
pub struct BatchHits {
    pub documents: Uint32Array,
    pub indexed: Uint32Array,
    pub shared: Uint32Array,
    pub subsequence: Float32Array,
    pub passages: Vec<String>,
}

pub struct ScanBatch {
    index: Arc<decontaminate::NgramIndex>,
    texts: Arc<Texts>,
    subsequence: bool,
    threads: Option<u32>,
}

impl Task for ScanBatch {
    type Output = Vec<decontaminate::Hit>;
    type JsValue = BatchHits;

    fn compute(&mut self) -> Result<Self::Output> {
        Ok(on(self.threads, || {
            self.index.scan(&self.texts.texts(), self.subsequence)
        }))
    }

    fn resolve(&mut self, _env: Env, hits: Self::Output) -> Result<BatchHits> {
        let numbers = |number: fn(&decontaminate::Hit) -> u32| -> Uint32Array {
            hits.iter().map(number).collect::<Vec<_>>().into()
        };
        let shares: Vec<f32> = hits.iter().map(|hit| hit.subsequence).collect();
        let passage = |hit: &decontaminate::Hit| {
            self.texts.text(hit.text as usize)[hit.start..hit.end].to_string()
        };
        Ok(BatchHits {
            documents: numbers(|hit| hit.text),
            indexed: numbers(|hit| hit.indexed),
            shared: numbers(|hit| hit.shared),
            subsequence: shares.into(),
            passages: hits.iter().map(passage).collect(),
        })
    }
}

/// How many words each text has, as shingles and n-grams count them.
#[napi]
pub fn word_counts(texts: Vec<String>, threads: Option<u32>) -> Uint32Array {
    on(threads, || words::counts(&texts)).into()
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
