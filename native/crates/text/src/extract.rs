//! HTML to text with maths, code, lists and tables kept and the page's furniture left out: one page or a batch on
//! all threads. The article is found by `dom_smoothie` (Readability); a page it finds too little on is read as a
//! whole.

mod boilerplate;
mod charset;
mod depth;
mod http;
mod mathml;
mod maths;
mod serialise;

use dom_query::Document;
use dom_smoothie::{Config, Readability};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// A page as a crawler stored it: an HTTP response with its headers, or the body alone.
pub struct Page<'a> {
    pub bytes: &'a [u8],
    pub is_http: bool,
    /// `Content-Type` of the body where there are no HTTP headers.
    pub content_type: Option<&'a str>,
}

#[derive(Debug, Default, Clone)]
pub struct Extracted {
    pub text: String,
    pub title: String,
    /// The page's own word on its language, empty if it says nothing.
    pub language: String,
    pub charset: &'static str,
    pub mime: String,
    /// Characters that could not be read and became U+FFFD.
    pub replaced: usize,
}

/// Depth times elements; a long page of 50,000 elements that nests 25 deep is below it.
const MAX_ARTICLE_WORK: usize = 2_000_000;

#[derive(Clone, Copy)]
pub struct Limits {
    /// Larger bodies are refused, after decompression too.
    pub max_page_bytes: usize,
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_page_bytes: 32 << 20,
            max_depth: 256,
        }
    }
}

/// One result for each page, in order; an error is the reason why there is no text.
pub fn extract_batch(pages: &[Page], limits: Limits) -> Vec<Result<Extracted, String>> {
    pool().install(|| {
        pages
            .par_iter()
            .with_max_len(1)
            .map(|page| {
                catch_unwind(AssertUnwindSafe(|| extract(page, limits)))
                    .unwrap_or_else(|_| Err("the extractor failed on this page".into()))
            })
            .collect()
    })
}

/// The text of one page.
pub fn extract(page: &Page, limits: Limits) -> Result<Extracted, String> {
    let response = if page.is_http {
        http::read_response(page.bytes, limits.max_page_bytes)?
    } else {
        http::Response::plain(page.bytes, page.content_type)
    };
    if response.body.len() > limits.max_page_bytes {
        return Err(format!(
            "a page larger than {} bytes",
            limits.max_page_bytes
        ));
    }
    let mime = match response.mime.as_str() {
        "" if http::looks_like_html(&response.body) => "text/html".to_string(),
        other => other.to_string(),
    };
    let is_html = matches!(mime.as_str(), "text/html" | "application/xhtml+xml");
    if !is_html && mime != "text/plain" {
        return Err(format!(
            "no page but {}",
            if mime.is_empty() {
                "something unknown"
            } else {
                &mime
            }
        ));
    }
    let decoded = charset::decode(&response.body, response.charset.as_deref(), is_html);
    let mut page = if is_html {
        extract_html(&decoded.text, limits)
    } else {
        Extracted {
            text: decoded.text.clone(),
            ..Extracted::default()
        }
    };
    page.charset = decoded.charset;
    page.mime = mime;
    page.replaced = decoded.replaced;
    if page.text.contains('\0') {
        page.replaced += page.text.matches('\0').count();
        page.text = page.text.replace('\0', "\u{fffd}");
    }
    if page.text.trim().is_empty() {
        return Err("no text on the page".into());
    }
    Ok(page)
}

/// The text of an HTML document.
pub fn extract_html(html: &str, limits: Limits) -> Extracted {
    let page = depth::limit_depth(html, limits.max_depth);
    let document = Document::from(page.html.as_ref());
    let title = squash(&document.select_single("title").text());
    let language = document
        .select_single("html")
        .attr("lang")
        .map(|l| l.to_string())
        .unwrap_or_default();
    prepare(&document);
    let whole = serialise::to_text(&document.root());
    // Readability walks everything below each level several times: a page made to be slow is not given to it.
    let article = if page.deepest * page.elements > MAX_ARTICLE_WORK {
        String::new()
    } else {
        read_article(document)
    };
    let text = if is_enough(&article, &whole) {
        article
    } else {
        body_paragraphs(&whole)
    };
    Extracted {
        text,
        title,
        language,
        ..Extracted::default()
    }
}

fn prepare(document: &Document) {
    maths::rewrite(document);
    serialise::mark_code(document);
    boilerplate::remove(document);
}

fn read_article(document: Document) -> String {
    let config = Config {
        keep_classes: true,
        disable_json_ld: true,
        ..Config::default()
    };
    let Ok(mut readability) = Readability::with_document(document, None, Some(config)) else {
        return String::new();
    };
    match readability.parse() {
        Ok(article) => serialise::to_text(&Document::fragment(article.content).root()),
        Err(_) => String::new(),
    }
}

/// An article that is short, or has less than half of the page's prose, was cut in the wrong place.
fn is_enough(article: &str, whole: &str) -> bool {
    article.len() >= 250 && prose_bytes(article) * 20 >= prose_bytes(whole) * 9
}

/// Bytes in lines that are long enough to be sentences.
fn prose_bytes(text: &str) -> usize {
    text.lines()
        .map(str::len)
        .filter(|&length| length > 120)
        .sum()
}

/// The body's paragraphs: what stands before the first and after the last line of prose is the page's frame, and so
/// are short lines without an end between them.
fn body_paragraphs(whole: &str) -> String {
    let lines: Vec<&str> = whole.lines().collect();
    let is_prose = |line: &&str| line.len() > 120;
    let Some(first) = lines.iter().position(is_prose) else {
        return whole.to_string();
    };
    let last = lines.iter().rposition(is_prose).unwrap_or(first);
    let mut fenced = false;
    let mut kept: Vec<&str> = Vec::new();
    for line in &lines[first..=last] {
        fenced ^= line.starts_with("```");
        let frame = !line.is_empty()
            && line.len() < 40
            && !line.ends_with(['.', '!', '?', ':', '”', '"', '$']);
        if fenced || !frame || line.starts_with(['#', '-', '`', ' ']) || line.contains(" | ") {
            kept.push(line);
        }
    }
    kept.join("\n")
}

fn squash(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Threads with a stack that is known, whatever the one that calls has.
fn pool() -> &'static rayon::ThreadPool {
    static POOL: OnceLock<rayon::ThreadPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let threads = std::env::var("SMOLFORGE_THREADS")
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(0);
        let named = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .stack_size(32 << 20)
            .thread_name(|i| format!("extract-{i}"))
            .build();
        match named {
            Ok(pool) => pool,
            Err(error) => panic!("no threads for extraction: {error}"),
        }
    })
}

#[cfg(test)]
mod tests;
