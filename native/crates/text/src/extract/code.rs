//! Code blocks: their text as it stands, without line numbers, and their language.

use super::dom::{Dom, NodeId};
use super::tag::{Name, Tag};

/// The code of a `pre` with its white space.
pub fn text(dom: &Dom, pre: NodeId) -> String {
    let mut out = String::new();
    let mut walk = dom.descendants(pre);
    while let Some(id) = walk.next() {
        match dom.tag(id) {
            Tag::Text => out.push_str(&dom.text(id)),
            Tag::Br => out.push('\n'),
            _ if is_line_number(dom, id) => walk.skip_below(id),
            // Highlighters that put each line into a block of its own.
            tag if tag.is_block() && !out.is_empty() && !out.ends_with('\n') => out.push('\n'),
            _ => {}
        }
    }
    out
}

fn is_line_number(dom: &Dom, id: NodeId) -> bool {
    dom.class(id).split_ascii_whitespace().any(|name| {
        matches!(
            name,
            "lineno"
                | "linenos"
                | "linenumber"
                | "line-number"
                | "line-numbers-rows"
                | "gutter"
                | "ln"
                | "hljs-ln-numbers"
        )
    })
}

/// From the class of the block, of the `code` in it or of the boxes around it.
pub fn language(dom: &Dom, pre: NodeId) -> Option<String> {
    let inner = dom
        .descendants(pre)
        .take(8)
        .find(|&child| dom.tag(child) == Tag::Code);
    std::iter::once(pre)
        .chain(inner)
        .chain(dom.ancestors(pre).take(3))
        .find_map(|node| of_node(dom, node))
}

fn of_node(dom: &Dom, node: NodeId) -> Option<String> {
    if let Some(language) = dom
        .attribute(node, Name::DataLang)
        .or_else(|| dom.attribute(node, Name::DataLanguage))
    {
        return plausible(language);
    }
    let class = dom.class(node).to_ascii_lowercase();
    let mut names = class.split_ascii_whitespace().peekable();
    while let Some(name) = names.next() {
        for prefix in [
            "language-",
            "lang-",
            "highlight-source-",
            "highlight-",
            "brush:",
        ] {
            if let Some(language) = name.strip_prefix(prefix) {
                let following = names.peek().copied().unwrap_or_default();
                return plausible(if language.is_empty() {
                    following
                } else {
                    language
                });
            }
        }
        if matches!(name, "sourcecode" | "hljs") && names.peek().is_some() {
            return plausible(names.peek().copied().unwrap_or_default());
        }
    }
    None
}

fn plausible(language: &str) -> Option<String> {
    let language = language.trim().trim_end_matches(';').to_ascii_lowercase();
    let good = (1..=20).contains(&language.len())
        && language
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'#' | b'-' | b'.'));
    let is_none = matches!(
        language.as_str(),
        "none" | "plaintext" | "text" | "default" | "nohighlight"
    );
    (good && !is_none).then_some(language)
}
