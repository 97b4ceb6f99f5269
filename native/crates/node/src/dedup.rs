//! Binding of the `dedup` kernels: each pass runs on other threads, one at a time.

use crate::texts::TextBatch;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::dedup::{self, Likeness, Segment, Unit};
use smolforge_text::minhash::Sketch;
use smolforge_text::threads::with_threads;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[napi(object)]
pub struct DeduplicatorOptions {
    pub exact: bool,
    pub bands: u32,
    pub rows: u32,
    pub ngram: u32,
    pub seed: u32,
    /// Where scratch files go.
    pub folder: String,
    /// Bytes of keys, of ids and of shingles that stay in memory each.
    pub memory_bytes: f64,
    pub segments: Vec<String>,
    /// Documents of earlier runs.
    pub first: f64,
}

#[napi(object)]
pub struct DuplicateCounts {
    pub documents: u32,
    pub kept: u32,
    pub clusters: u32,
    pub wordless: u32,
    pub spilled: f64,
}

type Shared = Arc<Mutex<dedup::Deduplicator>>;

#[napi]
pub struct Deduplicator(Shared);

const MOST_HASHES: u64 = 1 << 16;

#[napi]
impl Deduplicator {
    #[napi(constructor)]
    pub fn new(options: DeduplicatorOptions) -> Result<Self> {
        let hashes = u64::from(options.bands) * u64::from(options.rows);
        if options.ngram == 0 || hashes == 0 || hashes > MOST_HASHES {
            return Err(Error::new(
                Status::InvalidArg,
                "an n-gram has a word at least, a signature 1 to 65536 hashes",
            ));
        }
        let likeness = if options.exact {
            Likeness::Exact
        } else {
            let (bands, rows) = (options.bands as usize, options.rows as usize);
            let seed = u64::from(options.seed);
            Likeness::Near(Sketch::new(bands, rows, options.ngram as usize, seed))
        };
        let segments: io::Result<Vec<Segment>> = options
            .segments
            .iter()
            .map(|path| Segment::open(Path::new(path)))
            .collect();
        Ok(Self(Arc::new(Mutex::new(dedup::Deduplicator::new(
            likeness,
            options.folder.into(),
            options.memory_bytes as usize,
            segments.map_err(failed)?,
            options.first as u32,
        )))))
    }

    #[napi]
    pub fn add(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Pass<dedup::Deduplicator>>> {
        let texts = batch.shared()?;
        Ok(self.pass(threads, move |dedup| dedup.add(&texts).map(|()| Vec::new())))
    }

    #[napi]
    pub fn link(&self, verify: bool, threads: Option<u32>) -> AsyncTask<Pass<dedup::Deduplicator>> {
        self.pass(threads, move |dedup| {
            dedup.link(verify).map(|()| Vec::new())
        })
    }

    #[napi]
    pub fn add_shingles(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Pass<dedup::Deduplicator>>> {
        let texts = batch.shared()?;
        Ok(self.pass(threads, move |dedup| {
            dedup.add_shingles(&texts).map(|()| Vec::new())
        }))
    }

    #[napi]
    pub fn verify(
        &self,
        threshold: f64,
        threads: Option<u32>,
    ) -> AsyncTask<Pass<dedup::Deduplicator>> {
        self.pass(threads, move |dedup| {
            dedup.verify(threshold).map(|()| Vec::new())
        })
    }

    #[napi]
    pub fn roots(&self) -> Uint32Array {
        guard(&self.0).roots().into()
    }

    #[napi]
    pub fn similarity(&self) -> Float32Array {
        guard(&self.0).similarity().into()
    }

    /// Of pairs one after the other.
    #[napi]
    pub fn jaccard(&self, pairs: &[u32], threads: Option<u32>) -> Result<Float32Array> {
        let pairs: Vec<(u32, u32)> = pairs
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect();
        let dedup = guard(&self.0);
        let dedup = &*dedup;
        let found = with_threads(threads.unwrap_or(0) as usize, || dedup.jaccard(&pairs));
        Ok(found.map_err(failed)?.into())
    }

    #[napi]
    pub fn counts(&self) -> DuplicateCounts {
        let dedup = guard(&self.0);
        let (kept, clusters) = dedup.counts();
        DuplicateCounts {
            documents: dedup.documents(),
            kept,
            clusters,
            wordless: dedup.wordless(),
            spilled: dedup.spilled() as f64,
        }
    }

    /// The next lines of the output; empty at its end.
    #[napi]
    pub fn output(&self, bytes: u32) -> Result<Buffer> {
        let lines = guard(&self.0).output(bytes as usize);
        Ok(lines.map_err(failed)?.into())
    }

    /// The next bytes of a segment for an index; null at its end.
    #[napi]
    pub fn segment_piece(&self) -> Result<Option<Buffer>> {
        let piece = guard(&self.0).segment_piece();
        Ok(piece.map_err(failed)?.map(Buffer::from))
    }

    /// Lines of those documents of a batch that stay, with their texts; batches come again in their order.
    #[napi]
    pub fn kept_lines(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Pass<dedup::Deduplicator>>> {
        let texts = batch.shared()?;
        Ok(self.pass(threads, move |dedup| dedup.kept_lines(&texts)))
    }

    fn pass(
        &self,
        threads: Option<u32>,
        work: impl FnOnce(&mut dedup::Deduplicator) -> io::Result<Vec<u8>> + Send + 'static,
    ) -> AsyncTask<Pass<dedup::Deduplicator>> {
        Pass::task(&self.0, threads, work)
    }
}

type Work<T> = Box<dyn FnOnce(&mut T) -> io::Result<Vec<u8>> + Send>;

/// Work on a deduplicator; its bytes are empty where nothing is to be told.
pub struct Pass<T> {
    dedup: Arc<Mutex<T>>,
    threads: usize,
    work: Option<Work<T>>,
}

impl<T: Send + 'static> Pass<T> {
    fn task(
        dedup: &Arc<Mutex<T>>,
        threads: Option<u32>,
        work: impl FnOnce(&mut T) -> io::Result<Vec<u8>> + Send + 'static,
    ) -> AsyncTask<Self> {
        AsyncTask::new(Self {
            dedup: dedup.clone(),
            threads: threads.unwrap_or(0) as usize,
            work: Some(Box::new(work)),
        })
    }
}

impl<T: Send + 'static> Task for Pass<T> {
    type Output = Vec<u8>;
    type JsValue = Buffer;

    fn compute(&mut self) -> Result<Vec<u8>> {
        let Some(work) = self.work.take() else {
            return Ok(Vec::new());
        };
        let mut dedup = guard(&self.dedup);
        let dedup = &mut *dedup;
        with_threads(self.threads, || work(dedup)).map_err(failed)
    }

    fn resolve(&mut self, _env: Env, bytes: Vec<u8>) -> Result<Buffer> {
        Ok(bytes.into())
    }
}

#[napi(object)]
pub struct UnitOptions {
    pub paragraphs: bool,
    pub min_words: u32,
    pub occurrences: u32,
    pub folder: String,
    pub memory_bytes: f64,
}

#[napi(object)]
pub struct UnitCounts {
    pub units: f64,
    pub removed: f64,
    pub removed_bytes: f64,
    pub emptied: u32,
    pub repeated: f64,
    pub spilled: f64,
}

#[napi]
pub struct UnitDeduplicator(Arc<Mutex<dedup::UnitDeduplicator>>);

#[napi]
impl UnitDeduplicator {
    #[napi(constructor)]
    pub fn new(options: UnitOptions) -> Self {
        let unit = if options.paragraphs {
            Unit::Paragraph
        } else {
            Unit::Line
        };
        Self(Arc::new(Mutex::new(dedup::UnitDeduplicator::new(
            unit,
            options.min_words as usize,
            options.occurrences,
            Path::new(&options.folder),
            options.memory_bytes as usize,
        ))))
    }

    #[napi]
    pub fn add(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Pass<dedup::UnitDeduplicator>>> {
        let texts = batch.shared()?;
        Ok(self.pass(threads, move |dedup| dedup.add(&texts).map(|()| Vec::new())))
    }

    #[napi]
    pub fn count(&self, threads: Option<u32>) -> AsyncTask<Pass<dedup::UnitDeduplicator>> {
        self.pass(threads, |dedup| dedup.count().map(|()| Vec::new()))
    }

    /// Lines of the batch without its repeated units.
    #[napi]
    pub fn remove(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Pass<dedup::UnitDeduplicator>>> {
        let texts = batch.shared()?;
        Ok(self.pass(threads, move |dedup| Ok(dedup.remove(&texts))))
    }

    #[napi]
    pub fn counts(&self) -> UnitCounts {
        let dedup = guard(&self.0);
        let totals = dedup.totals;
        UnitCounts {
            units: totals.units as f64,
            removed: totals.removed as f64,
            removed_bytes: totals.removed_bytes as f64,
            emptied: totals.emptied,
            repeated: dedup.repeated() as f64,
            spilled: dedup.spilled() as f64,
        }
    }

    fn pass(
        &self,
        threads: Option<u32>,
        work: impl FnOnce(&mut dedup::UnitDeduplicator) -> io::Result<Vec<u8>> + Send + 'static,
    ) -> AsyncTask<Pass<dedup::UnitDeduplicator>> {
        Pass::task(&self.0, threads, work)
    }
}

fn guard<T>(dedup: &Mutex<T>) -> MutexGuard<'_, T> {
    dedup.lock().unwrap_or_else(PoisonError::into_inner)
}

fn failed(error: io::Error) -> Error {
    Error::new(Status::GenericFailure, error.to_string())
}
