//! Supervised fastText models (Joulin et al. 2016, arXiv 1607.01759): the files `.bin` and the quantised `.ftz` that
//! `fasttext supervised` and `fasttext quantize` write, read for prediction. Results are those of fastText 0.9.2.
//!
//! A file is somebody else's: every length is checked against what the file holds before memory is taken for it, and
//! every index that prediction follows is checked once, here.

mod bytes;
mod dictionary;
mod matrix;
mod output;

use bytes::Reader;
use dictionary::Dictionary;
use matrix::Matrix;
use output::Output;
use rayon::prelude::*;
use std::io::BufRead;

pub struct FastText {
    dictionary: Dictionary,
    input: Matrix,
    weights: Matrix,
    output: Output,
    dimensions: usize,
}

/// What a model's header says of it.
pub struct Description {
    pub dimensions: usize,
    pub words: usize,
    pub loss: &'static str,
    pub quantised: bool,
}

/// A label by its index, and the probability that fastText gives: its own sum of 1e-5 and the probability.
pub type Prediction = (u32, f32);

const MAGIC: i32 = 793_712_314;
const SUPERVISED: i32 = 3;
/// More than any model in use has; keeps the products of sizes far from overflow.
const MOST: i64 = 1 << 40;

/// Rows of a word grow with its square up to this: no model in use comes near.
const LONGEST_NGRAM: usize = 64;

impl FastText {
    /// Reads a file of so many bytes.
    ///
    /// # Errors
    /// In words, with the byte where the file stops making sense.
    pub fn read<'a>(source: impl BufRead + 'a, length: usize) -> Result<Self, String> {
        let mut reader = Reader::new(source, length);
        if reader.i32()? != MAGIC {
            return Err(
                "this is no fastText model: it does not begin with fastText's number".into(),
            );
        }
        let version = reader.i32()?;
        if !(11..=12).contains(&version) {
            return Err(format!(
                "version {version} of fastText's format is not known: 11 and 12 are"
            ));
        }
        let arguments = Arguments::read(&mut reader, version)?;
        let dictionary = Dictionary::read(&mut reader, &arguments)?;
        let quantised = reader.flag()?;
        let input = Matrix::read(&mut reader, quantised)?;
        let quantised_output = reader.flag()?;
        let weights = Matrix::read(&mut reader, quantised && quantised_output)?;
        if reader.left() != 0 {
            return Err(reader.error("there is more in the file than a model"));
        }
        let dimensions = arguments.dimensions;
        if input.columns() != dimensions || weights.columns() != dimensions {
            return Err(format!(
                "vectors of {} and {} numbers, where the header says {dimensions}",
                input.columns(),
                weights.columns()
            ));
        }
        if input.rows() != dictionary.rows() {
            return Err(format!(
                "{} vectors for {} words and n-grams",
                input.rows(),
                dictionary.rows()
            ));
        }
        if weights.rows() != dictionary.labels().len() {
            return Err(format!(
                "{} rows of weights for {} labels",
                weights.rows(),
                dictionary.labels().len()
            ));
        }
        let output = Output::new(arguments.loss, dictionary.label_counts())?;
        Ok(Self {
            dictionary,
            input,
            weights,
            output,
            dimensions,
        })
    }

    pub fn labels(&self) -> &[String] {
        self.dictionary.labels()
    }

    pub fn description(&self) -> Description {
        Description {
            dimensions: self.dimensions,
            words: self.dictionary.words(),
            loss: self.output.name(),
            quantised: self.input.is_quantised(),
        }
    }

    /// The `most` likely labels of each text with at least `threshold`, likeliest first; none for a text in which the
    /// model knows no word. A line break counts as a space: fastText takes one line at a time.
    pub fn predict(&self, texts: &[String], most: usize, threshold: f32) -> Vec<Vec<Prediction>> {
        texts
            .par_iter()
            .map_init(
                || (Vec::new(), Vec::new(), vec![0f32; self.dimensions]),
                |(rows, hashes, hidden), text| {
                    rows.clear();
                    self.dictionary.rows_of(text, rows, hashes);
                    if rows.is_empty() {
                        return Vec::new();
                    }
                    hidden.fill(0.0);
                    for &row in rows.iter() {
                        self.input.add_row(row as usize, hidden);
                    }
                    let scale = 1.0 / rows.len() as f32;
                    hidden.iter_mut().for_each(|value| *value *= scale);
                    self.output.predict(&self.weights, hidden, most, threshold)
                },
            )
            .collect()
    }
}

/// The part of fastText's `Args` that prediction looks at.
struct Arguments {
    dimensions: usize,
    word_ngrams: usize,
    loss: i32,
    buckets: usize,
    /// Lengths of the character n-grams; `longest` 0 means none.
    shortest: usize,
    longest: usize,
}

impl Arguments {
    fn read(reader: &mut Reader, version: i32) -> Result<Self, String> {
        let dimensions = reader.count("dimensions")?;
        let [_window, _epochs, _least_count, _negatives] =
            [reader.i32()?, reader.i32()?, reader.i32()?, reader.i32()?];
        let word_ngrams = reader.i32()?.max(1) as usize;
        let loss = reader.i32()?;
        let model = reader.i32()?;
        let buckets = reader.count("buckets")?;
        let shortest = reader.count("minn")?;
        let longest = reader.count("maxn")?;
        let _rate_updates = reader.i32()?;
        let _sampling = reader.f64()?;
        if model != SUPERVISED {
            return Err("this model has word vectors and no labels: a classifier is trained by `fasttext supervised`".into());
        }
        if dimensions == 0 {
            return Err("a model of no dimensions".into());
        }
        if longest > LONGEST_NGRAM || word_ngrams > LONGEST_NGRAM {
            return Err(format!(
                "n-grams of {longest} characters and {word_ngrams} words: {LONGEST_NGRAM} is the most"
            ));
        }
        // Old classifiers wrote a length for n-grams that they did not use.
        let longest = if version == 11 { 0 } else { longest };
        Ok(Self {
            dimensions,
            word_ngrams,
            loss,
            buckets,
            shortest,
            longest,
        })
    }
}

#[cfg(test)]
mod tests;
