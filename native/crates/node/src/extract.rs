//! Binding of the `extract` kernels.

use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::extract;
use std::time::Duration;

#[napi(object)]
pub struct PageInput {
    pub bytes: Buffer,
    /// Whether the bytes begin with an HTTP status line and headers.
    pub is_http: bool,
    pub content_type: Option<String>,
}

/// The text of a page, or the reason why there is none.
#[napi(object)]
pub struct PageText {
    pub text: String,
    pub title: String,
    pub language: String,
    pub charset: String,
    pub mime: String,
    pub replaced: u32,
    pub failure: Option<String>,
}

#[napi(object)]
pub struct ExtractOptions {
    /// 0 or nothing for all cores.
    pub threads: Option<u32>,
    /// Whether what readers wrote below an article belongs to it.
    pub comments: Option<bool>,
    /// What one page may take.
    pub max_milliseconds: Option<u32>,
}

/// Extracts a batch of pages on many threads; the results come in the order of the pages.
#[napi]
pub fn extract_pages(
    pages: Vec<PageInput>,
    options: Option<ExtractOptions>,
) -> AsyncTask<ExtractPages> {
    let mut limits = extract::Limits::default();
    let mut threads = 0;
    if let Some(options) = options {
        threads = options.threads.unwrap_or(0) as usize;
        limits.comments = options.comments.unwrap_or(limits.comments);
        if let Some(time) = options.max_milliseconds {
            limits.max_time = Duration::from_millis(time.into());
        }
    }
    AsyncTask::new(ExtractPages {
        pages,
        limits,
        threads,
    })
}

pub struct ExtractPages {
    pages: Vec<PageInput>,
    limits: extract::Limits,
    threads: usize,
}

impl Task for ExtractPages {
    type Output = Vec<PageText>;
    type JsValue = Vec<PageText>;

    fn compute(&mut self) -> Result<Vec<PageText>> {
        let pages: Vec<extract::Page> = self
            .pages
            .iter()
            .map(|page| extract::Page {
                bytes: &page.bytes,
                is_http: page.is_http,
                content_type: page.content_type.as_deref(),
            })
            .collect();
        Ok(extract::extract_batch(&pages, self.limits, self.threads)
            .into_iter()
            .map(to_js)
            .collect())
    }

    fn resolve(&mut self, _env: Env, texts: Vec<PageText>) -> Result<Vec<PageText>> {
        Ok(texts)
    }
}

fn to_js(result: std::result::Result<extract::Extracted, String>) -> PageText {
    let (page, failure) = match result {
        Ok(page) => (page, None),
        Err(reason) => (extract::Extracted::default(), Some(reason)),
    };
    PageText {
        text: page.text,
        title: page.title,
        language: page.language,
        charset: page.charset.to_string(),
        mime: page.mime,
        replaced: page.replaced as u32,
        failure,
    }
}
