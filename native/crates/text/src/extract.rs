//! HTML to text with maths, code, lists and tables kept and the page's furniture left out: one page or a batch on
//! many threads. `parse` makes a tree, `maths` rewrites formulas, `boilerplate` takes away what is no text by what
//! elements are and how they are called, `article` finds the box that holds the text, `serialise` and `tidy` write it.

mod article;
mod boilerplate;
mod charset;
mod clock;
mod code;
mod dom;
mod entities;
mod http;
mod mathml;
mod maths;
mod measure;
mod names;
mod parse;
mod serialise;
mod tag;
mod tidy;

use crate::threads::with_threads;
use clock::Clock;
use dom::Dom;
use measure::measure;
use names::{Marks, Names};
use rayon::prelude::*;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;
use tag::{Name, Tag};

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

#[derive(Clone, Copy)]
pub struct Limits {
    /// Larger bodies are refused, after decompression too.
    pub max_page_bytes: usize,
    /// A page that takes longer is given up.
    pub max_time: Duration,
    /// Whether what readers wrote below an article belongs to it.
    pub comments: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_page_bytes: 128 << 20,
            max_time: Duration::from_secs(10),
            comments: false,
        }
    }
}

/// One result for each page, in order; an error is the reason why there is no text. `threads`: 0 for all cores.
pub fn extract_batch(
    pages: &[Page],
    limits: Limits,
    threads: usize,
) -> Vec<Result<Extracted, String>> {
    with_threads(threads, || {
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
        extract_html(&decoded.text, limits)?
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

/// Less is no article where comments are there too.
const MIN_TEXT: usize = 250;

/// The text of an HTML document; an error when it takes too long.
pub fn extract_html(html: &str, limits: Limits) -> Result<Extracted, String> {
    let clock = Clock::new(limits.max_time);
    let mut dom = parse::parse(html, &clock)?;
    let (title, language) = head(&dom);
    maths::rewrite(&mut dom, html, &clock)?;
    boilerplate::drop_elements(&mut dom, &clock)?;
    let marks = marks(&dom);
    let sizes = measure(&dom, &clock)?;
    let comments = boilerplate::drop_named(&mut dom, &sizes, &marks, &clock)?;
    let sizes = measure(&dom, &clock)?;
    let root = article::find(&dom, &sizes, &marks);
    article::prune(&mut dom, root, &sizes);
    let mut text = String::new();
    for lead in article::leads(&dom, root, &sizes, &marks) {
        text.push_str(&serialise::to_text(&dom, lead, &clock)?);
        text.push_str("\n\n");
    }
    text.push_str(&serialise::to_text(&dom, root, &clock)?);
    // Little text and many contributions: the page is a thread that calls its posts comments.
    if limits.comments || text.trim().len() < MIN_TEXT {
        let article = root..dom.end(root);
        for id in comments.into_iter().filter(|id| !article.contains(id)) {
            dom.keep_node(id);
            text.push_str("\n\n");
            text.push_str(&serialise::to_text(&dom, id, &clock)?);
        }
    }
    let text = tidy::tidy(&text);
    Ok(Extracted {
        text,
        title,
        language,
        ..Extracted::default()
    })
}

fn head(dom: &Dom) -> (String, String) {
    let (mut title, mut language) = (String::new(), String::new());
    for id in 1..dom.len() {
        match dom.tag(id) {
            Tag::Html if language.is_empty() => {
                let said = dom
                    .attribute(id, Name::Lang)
                    .or_else(|| dom.attribute(id, Name::XmlLang));
                language = said.unwrap_or_default().to_string();
            }
            Tag::Title if title.is_empty() => title = squash(&dom.text_below(id)),
            Tag::Body => break,
            _ => {}
        }
    }
    (title, language)
}

/// What the names of each element say.
fn marks(dom: &Dom) -> Vec<Marks> {
    let mut names = Names::new();
    let mut marks = vec![0; dom.len() as usize];
    for id in 1..dom.len() {
        let (mut class, mut own) = ("", "");
        for (name, value) in dom.attributes(id) {
            match name {
                Name::Class => class = value,
                Name::Id => own = value,
                _ => {}
            }
        }
        marks[id as usize] = names.marks(class, own);
    }
    marks
}

fn squash(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
