//! Binding of fastText models, URL lists and masking.

use crate::background::{Background, background};
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::fasttext::FastText;
use smolforge_text::mask;
use smolforge_text::threads::with_threads;
use smolforge_text::urls::{self, List, UrlLists};
use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;

#[napi]
pub struct FastTextModel {
    model: Arc<FastText>,
}

#[napi(object)]
pub struct FastTextDescription {
    pub dimensions: u32,
    pub words: u32,
    pub loss: String,
    pub quantised: bool,
}

#[napi(object)]
pub struct FastTextPredictions {
    pub counts: Uint32Array,
    pub labels: Uint32Array,
    pub probabilities: Float32Array,
}

#[napi]
impl FastTextModel {
    #[napi(constructor)]
    pub fn new(path: String) -> Result<Self> {
        let open = |error: std::io::Error| invalid(&error.to_string());
        let file = File::open(&path).map_err(open)?;
        let length = file.metadata().map_err(open)?.len() as usize;
        let model = FastText::read(BufReader::with_capacity(1 << 20, file), length)
            .map_err(|reason| invalid(&reason))?;
        Ok(Self {
            model: Arc::new(model),
        })
    }

    #[napi]
    pub fn labels(&self) -> Vec<String> {
        self.model.labels().to_vec()
    }

    #[napi]
    pub fn description(&self) -> FastTextDescription {
        let found = self.model.description();
        FastTextDescription {
            dimensions: found.dimensions as u32,
            words: found.words as u32,
            loss: found.loss.to_string(),
            quantised: found.quantised,
        }
    }

    #[napi]
    pub fn predict(
        &self,
        texts: Vec<String>,
        most: u32,
        threshold: f64,
        threads: Option<u32>,
    ) -> AsyncTask<Background<FastTextPredictions>> {
        let model = self.model.clone();
        background(move || {
            let found = on(threads, || {
                model.predict(&texts, most as usize, threshold as f32)
            });
            let counts: Vec<u32> = found.iter().map(|labels| labels.len() as u32).collect();
            let (labels, probabilities): (Vec<u32>, Vec<f32>) = found.into_iter().flatten().unzip();
            Ok(FastTextPredictions {
                counts: counts.into(),
                labels: labels.into(),
                probabilities: probabilities.into(),
            })
        })
    }
}

#[napi(js_name = "UrlLists")]
pub struct NodeUrlLists {
    lists: UrlLists,
}

#[napi]
impl NodeUrlLists {
    #[napi(constructor)]
    pub fn new(
        words: Vec<String>,
        soft_words: Vec<String>,
        subwords: Vec<String>,
        soft_threshold: u32,
    ) -> Self {
        let lists = UrlLists::new(&words, &soft_words, &subwords, soft_threshold as usize);
        Self { lists }
    }

    /// Whole lines of a list: 0 blocked domains, 1 blocked addresses, 2 allowed domains, 3 the only domains.
    #[napi]
    pub fn add(&mut self, list: u32, lines: &[u8]) -> Result<u32> {
        let list = match list {
            0 => List::BlockedDomains,
            1 => List::BlockedUrls,
            2 => List::AllowedDomains,
            3 => List::OnlyDomains,
            _ => return Err(invalid("no such list")),
        };
        Ok(self.lists.add(list, lines) as u32)
    }

    #[napi]
    pub fn settle(&mut self) -> u32 {
        self.lists.settle();
        self.lists.entries() as u32
    }

    /// For each address what it met; see `Found` in the kernel.
    #[napi]
    pub fn check(&self, urls: Vec<String>, threads: Option<u32>) -> Uint8Array {
        let found = on(threads, || self.lists.check(&urls));
        found
            .iter()
            .map(|&found| found as u8)
            .collect::<Vec<u8>>()
            .into()
    }
}

#[napi]
pub fn registered_domains(urls: Vec<String>) -> Vec<String> {
    on(None, || urls::domains_of(&urls))
}

#[napi(object)]
pub struct MaskReplacements {
    pub email: Vec<String>,
    pub ip: Vec<String>,
    pub phone: Vec<String>,
    pub secret: Vec<String>,
    pub only_public_ips: bool,
    pub any_email_suffix: bool,
}

#[napi(object)]
pub struct MaskedTexts {
    /// Indices of the texts that changed, and what they are now.
    pub changed: Uint32Array,
    pub texts: Vec<String>,
    /// [texts x kinds].
    pub counts: Uint32Array,
}

#[napi]
pub fn mask_kinds() -> Vec<String> {
    mask::KINDS.map(String::from).to_vec()
}

#[napi]
pub fn mask_texts(
    texts: Vec<String>,
    replacements: MaskReplacements,
    threads: Option<u32>,
) -> AsyncTask<Background<MaskedTexts>> {
    let replacements = mask::Replacements {
        email: replacements.email,
        ip: replacements.ip,
        phone: replacements.phone,
        secret: replacements.secret,
        only_public_ips: replacements.only_public_ips,
        any_email_suffix: replacements.any_email_suffix,
    };
    background(move || {
        let masked = on(threads, || mask::mask(&texts, &replacements));
        let counts: Vec<u32> = masked.iter().flat_map(|one| one.counts).collect();
        let (changed, texts): (Vec<u32>, Vec<String>) = (0..)
            .zip(masked)
            .filter_map(|(index, one)| Some((index, one.text?)))
            .unzip();
        Ok(MaskedTexts {
            changed: changed.into(),
            texts,
            counts: counts.into(),
        })
    })
}

fn on<R: Send>(threads: Option<u32>, work: impl FnOnce() -> R + Send) -> R {
    with_threads(threads.unwrap_or(0) as usize, work)
}

fn invalid(reason: &str) -> Error {
    Error::new(Status::InvalidArg, reason)
}
