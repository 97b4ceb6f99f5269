//! Binding of the numbers that the quality rules look at.

use crate::texts::TextBatch;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::jsonl::Texts;
use smolforge_text::statistics::{
    C4Options, COLUMNS, FineWebOptions, Options, Plan, Stop, StopWords, Table, statistics,
};
use smolforge_text::threads::with_threads;
use smolforge_text::words::Segmentation;
use std::sync::Arc;

#[napi]
pub fn statistics_fields() -> Vec<String> {
    COLUMNS.iter().map(|(name, _)| name.to_string()).collect()
}

#[napi(object)]
pub struct StatisticsPlan {
    /// Places in `statistics_fields`, of the text as it is.
    pub columns: Vec<u32>,
    /// The same, of what C4 leaves of it.
    pub after_c4: Vec<u32>,
    pub keep_texts: bool,
    pub stops: Option<Vec<StatisticsStop>>,
    pub segment: bool,
    pub stop_words: Vec<String>,
    pub short_line_length: u32,
    pub stop_chars: Option<String>,
    pub c4: C4LineOptions,
}

/// See `Stop`; `place` counts on from `columns` to `after_c4`.
#[napi(object)]
pub struct StatisticsStop {
    pub place: u32,
    pub min: Option<f64>,
    pub max: Option<f64>,
    pub except_zero: bool,
}

/// A negative limit is none.
#[napi(object)]
pub struct C4LineOptions {
    pub remove_citations: bool,
    pub filter_no_terminal_punct: bool,
    pub min_words_per_line: i32,
    pub max_word_length: i32,
    pub filter_javascript: bool,
    pub filter_policy: bool,
    pub split_paragraph: bool,
}

#[napi(object)]
pub struct StatisticsTable {
    pub numbers: Float64Array,
    pub texts: Vec<String>,
}

/// With `words`, tokens that somebody else found; without, our own.
#[napi]
pub fn text_statistics(
    texts: Vec<String>,
    plan: StatisticsPlan,
    threads: Option<u32>,
    words: Option<Vec<Vec<String>>>,
) -> Result<StatisticsTable> {
    let plan = plan.checked()?;
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    table_of(&texts, words.as_deref(), &plan, threads).map(StatisticsTable::from)
}

/// The same of a batch on this side, away from the thread of JavaScript.
#[napi]
pub fn batch_statistics(
    batch: &TextBatch,
    plan: StatisticsPlan,
    threads: Option<u32>,
    words: Option<Vec<Vec<String>>>,
) -> Result<AsyncTask<BatchStatistics>> {
    Ok(AsyncTask::new(BatchStatistics {
        texts: batch.shared()?,
        plan: plan.checked()?,
        threads,
        words,
    }))
}

pub struct BatchStatistics {
    texts: Arc<Texts>,
    plan: Plan,
    threads: Option<u32>,
    words: Option<Vec<Vec<String>>>,
}

impl Task for BatchStatistics {
    type Output = Table;
    type JsValue = StatisticsTable;

    fn compute(&mut self) -> Result<Table> {
        let texts = self.texts.texts();
        table_of(&texts, self.words.as_deref(), &self.plan, self.threads)
    }

    fn resolve(&mut self, _env: Env, table: Table) -> Result<StatisticsTable> {
        Ok(table.into())
    }
}

fn table_of(
    texts: &[&str],
    words: Option<&[Vec<String>]>,
    plan: &Plan,
    threads: Option<u32>,
) -> Result<Table> {
    with_threads(threads.unwrap_or(0) as usize, || {
        statistics(texts, words, plan).map_err(|at| {
            let reason = format!("text {at} does not hold its words one after the other");
            Error::new(Status::InvalidArg, reason)
        })
    })
}

impl From<Table> for StatisticsTable {
    fn from(table: Table) -> Self {
        Self {
            numbers: table.numbers.into(),
            texts: table.texts,
        }
    }
}

impl StatisticsPlan {
    pub fn checked(self) -> Result<Plan> {
        let (mut stops, mut stops_after_c4) = (Vec::new(), Vec::new());
        for stop in self.stops.into_iter().flatten() {
            let place = stop.place as usize;
            if place >= self.columns.len() + self.after_c4.len() {
                return Err(Error::new(
                    Status::InvalidArg,
                    "a stop at a column that is not there",
                ));
            }
            let before = place < self.columns.len();
            let stop = Stop {
                place: if before {
                    place
                } else {
                    place - self.columns.len()
                },
                min: stop.min.unwrap_or(f64::NEG_INFINITY),
                max: stop.max.unwrap_or(f64::INFINITY),
                except_zero: stop.except_zero,
            };
            if before {
                stops.push(stop);
            } else {
                stops_after_c4.push(stop);
            }
        }
        Ok(Plan {
            stops,
            stops_after_c4,
            columns: places(&self.columns)?,
            after_c4: places(&self.after_c4)?,
            keep_texts: self.keep_texts,
            options: Options {
                segmentation: if self.segment {
                    Segmentation::Dictionary
                } else {
                    Segmentation::None
                },
                stop_words: StopWords::new(self.stop_words.iter().map(String::as_str)),
                fine_web: FineWebOptions {
                    short_line_length: self.short_line_length as usize,
                    stop_chars: self.stop_chars.map(|stops| stops.chars().collect()),
                },
                c4: C4Options {
                    remove_citations: self.c4.remove_citations,
                    filter_no_terminal_punct: self.c4.filter_no_terminal_punct,
                    min_words_per_line: usize::try_from(self.c4.min_words_per_line).unwrap_or(0),
                    max_word_length: usize::try_from(self.c4.max_word_length).unwrap_or(usize::MAX),
                    filter_javascript: self.c4.filter_javascript,
                    filter_policy: self.c4.filter_policy,
                    split_paragraph: self.c4.split_paragraph,
                },
            },
        })
    }
}

fn places(columns: &[u32]) -> Result<Vec<usize>> {
    let known = |&column: &u32| {
        let column = column as usize;
        (column < COLUMNS.len()).then_some(column)
    };
    let found: Option<Vec<usize>> = columns.iter().map(known).collect();
    found.ok_or_else(|| Error::new(Status::InvalidArg, "a column that is not there"))
}
