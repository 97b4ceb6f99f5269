//! Every way in which pages write maths becomes `$…$` or `$$…$$` before anything else is looked at, which would drop
//! or double it: MathJax scripts, KaTeX, MathML with and without a TeX annotation, pictures with TeX as alternative
//! text. What was drawn from them goes. Delimiters that are plain text (`\(…\)`, `$…$`) stay as they are.

use super::clock::Clock;
use super::dom::{Dom, NodeId};
use super::tag::{Name, Tag};
use super::{entities, mathml, parse};
use memchr::memmem;

pub fn rewrite(dom: &mut Dom, html: &str, clock: &Clock) -> Result<(), String> {
    // What MathJax 2 drew goes where the scripts are that it was drawn from.
    let has_scripts = memmem::find(html.as_bytes(), b"math/tex").is_some()
        || memmem::find(html.as_bytes(), b"math/mml").is_some();
    let mut behind = 0;
    for id in 1..dom.len() {
        if id.is_multiple_of(4096) {
            clock.check()?;
        }
        // What lies in a formula that is dealt with already.
        if id < behind {
            continue;
        }
        let found = match dom.tag(id) {
            Tag::Script => script(dom, id, clock),
            Tag::Math => {
                let display = dom.attribute(id, Name::Display) == Some("block");
                Some((tex_of_math(dom, id), display))
            }
            Tag::MjxContainer => drawn(dom, id, is_display(dom, id)),
            Tag::Span | Tag::Div => match dom.class(id) {
                "" => None,
                class => by_class(dom, id, class, has_scripts, clock),
            },
            Tag::Img => image(dom, id),
            _ => None,
        };
        if let Some((tex, display)) = found {
            behind = dom.end(id);
            replace(dom, id, &tex, display);
        }
    }
    Ok(())
}

fn script(dom: &Dom, id: NodeId, clock: &Clock) -> Option<(String, bool)> {
    let kind = dom.attribute(id, Name::Type)?;
    let display = kind.contains("display");
    if kind.starts_with("math/tex") {
        Some((dom.text_below(id), display))
    } else if kind.starts_with("math/mml") {
        Some((tex_of_source(&dom.text_below(id), clock)?, display))
    } else {
        None
    }
}

fn by_class(
    dom: &Dom,
    id: NodeId,
    class: &str,
    has_scripts: bool,
    clock: &Clock,
) -> Option<(String, bool)> {
    let has = |name: &str| class.split_ascii_whitespace().any(|other| other == name);
    if class.starts_with("katex") && (has("katex") || has("katex-display")) {
        return drawn(dom, id, has("katex-display"));
    }
    if class.contains("mwe-math-element") {
        return drawn(
            dom,
            id,
            class.contains("block") || class.contains("display"),
        );
    }
    if class.contains("MathJax") {
        if let Some(source) = dom.attribute(id, Name::DataMathml)
            && !has_scripts
        {
            let source = entities::decode(source);
            return Some((tex_of_source(&source, clock)?, source.contains("\"block\"")));
        }
        let is_drawing = [
            "MathJax",
            "MathJax_Display",
            "MathJax_SVG",
            "MathJax_SVG_Display",
            "MathJax_CHTML",
            "MathJax_Preview",
            "MJXc-display",
            "mjx-chtml",
        ];
        // Nothing is written for it: its script stands beside it.
        if has_scripts && is_drawing.iter().any(|name| has(name)) {
            return Some((String::new(), false));
        }
        return None;
    }
    // Pandoc's sources, which a script of the page would have drawn.
    if has("math") && (has("inline") || has("display")) {
        let only = dom.node(id).first;
        if only != super::dom::NONE && only == dom.node(id).last && dom.tag(only) == Tag::Text {
            let text = dom.text(only);
            let is_marked = text.contains('$') || text.contains("\\(") || text.contains("\\[");
            return (!is_marked).then(|| (text.into_owned(), has("display")));
        }
    }
    None
}

fn is_display(dom: &Dom, id: NodeId) -> bool {
    dom.attribute(id, Name::Display) == Some("true")
        || dom.attribute(id, Name::Display) == Some("block")
}

/// The source that lies inside of what was drawn.
fn drawn(dom: &Dom, id: NodeId, display: bool) -> Option<(String, bool)> {
    if let Some(tex) = dom.attribute(id, Name::DataLatex) {
        return Some((entities::decode(tex).into_owned(), display));
    }
    let mut parent = dom.ancestors(id);
    let display = display
        || parent
            .next()
            .is_some_and(|parent| dom.has_class(parent, "katex-display"));
    for child in dom.descendants(id) {
        match dom.tag(child) {
            Tag::Math => {
                let block = dom.attribute(child, Name::Display) == Some("block");
                return Some((tex_of_math(dom, child), display || block));
            }
            Tag::Img => {
                if let Some(alt) = dom.attribute(child, Name::Alt) {
                    return Some((entities::decode(alt).into_owned(), display));
                }
            }
            _ => {}
        }
    }
    None
}

fn tex_of_math(dom: &Dom, math: NodeId) -> String {
    let annotation = dom.descendants(math).find(|&child| {
        dom.tag(child) == Tag::Annotation
            && dom
                .attribute(child, Name::Encoding)
                .is_some_and(|encoding| encoding.to_ascii_lowercase().contains("tex"))
    });
    if let Some(annotation) = annotation {
        return dom.text_below(annotation);
    }
    match dom.attribute(math, Name::AltText) {
        Some(alt) if !alt.trim().is_empty() => entities::decode(alt).into_owned(),
        _ => mathml::to_tex(dom, math),
    }
}

/// MathML that a page carries as text.
fn tex_of_source(source: &str, clock: &Clock) -> Option<String> {
    let dom = parse::parse(source, clock).ok()?;
    let math = (1..dom.len()).find(|&id| dom.tag(id) == Tag::Math)?;
    Some(tex_of_math(&dom, math))
}

/// A picture of a formula: its alternative text is the source, or its address is.
fn image(dom: &Dom, id: NodeId) -> Option<(String, bool)> {
    let class = dom.class(id);
    let source = dom.attribute(id, Name::Src).unwrap_or("");
    let alt = dom.attribute(id, Name::Alt).unwrap_or("");
    let by_class = class.split_ascii_whitespace().any(|name| {
        name.starts_with("mwe-math-fallback")
            || matches!(name, "tex" | "latex" | "math" | "MathTeX" | "mathjax")
    });
    let by_source = [
        "latex.php?latex=",
        "/gif.latex?",
        "/svg.latex?",
        "/png.latex?",
        "mimetex.cgi?",
        "mathtex.cgi?",
    ]
    .iter()
    .find_map(|address| source.split_once(address));
    let is_tex = alt.starts_with("{\\displaystyle") || alt.starts_with("\\displaystyle");
    if !(by_class || is_tex || by_source.is_some()) {
        return None;
    }
    let display = class.contains("fallback-image-display");
    if !alt.trim().is_empty() {
        return Some((entities::decode(alt).into_owned(), display));
    }
    let (_, query) = by_source?;
    let query = query.split("&amp;bg=").next().unwrap_or(query);
    let query = query.split("&bg=").next().unwrap_or(query);
    Some((percent_decoded(query), display))
}

fn percent_decoded(query: &str) -> String {
    let mut out = Vec::with_capacity(query.len());
    let bytes = query.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = query
            .get(at + 1..at + 3)
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (bytes[at], code) {
            (b'%', Some(code)) => {
                out.push(code);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn replace(dom: &mut Dom, id: NodeId, tex: &str, display: bool) {
    let tex = clean(tex);
    if tex.is_empty() {
        dom.drop_node(id);
    } else if display {
        dom.become_text(id, format!(" $${tex}$$ "));
    } else {
        dom.become_text(id, format!("${tex}$"));
    }
}

/// One line, without the wrapper that wikis add and without delimiters of its own.
fn clean(tex: &str) -> String {
    let tex = tex.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut tex = tex.as_str();
    for wrapper in ["{\\displaystyle ", "{\\textstyle "] {
        if let Some(inner) = tex.strip_prefix(wrapper).and_then(|t| t.strip_suffix('}')) {
            tex = inner;
        }
    }
    let tex = tex.trim().strip_prefix("% <![CDATA[").unwrap_or(tex.trim());
    let tex = tex.strip_suffix("%]]>").unwrap_or(tex).trim();
    let tex = tex.strip_prefix("\\displaystyle ").unwrap_or(tex);
    let tex = ["\\(", "\\["]
        .iter()
        .zip(["\\)", "\\]"])
        .find_map(|(open, close)| tex.strip_prefix(open)?.strip_suffix(close))
        .unwrap_or(tex);
    tex.trim_matches('$').trim().to_string()
}
