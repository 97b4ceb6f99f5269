//! Every way in which pages write maths becomes `$…$` or `$$…$$` before extraction, which would drop or double it:
//! MathJax scripts, KaTeX, MathML with and without a TeX annotation, pictures with TeX as alternative text.
//! Delimiters that are plain text (`\(…\)`, `$…$`) stay as they are.

use super::mathml;
use dom_query::{Document, NodeRef};

pub fn rewrite(document: &Document) {
    let scripts = document.select("script[type^='math/tex']");
    if scripts.exists() {
        // What MathJax drew from the scripts.
        document
            .select(".MathJax, .MathJax_Display, .MathJax_SVG, .MathJax_SVG_Display, .MathJax_CHTML, .MathJax_Preview")
            .remove();
        for script in scripts.nodes() {
            let display = script.attr("type").is_some_and(|t| t.contains("display"));
            replace(script, &script.text(), display);
        }
    }
    for node in document.select(".katex").nodes() {
        if is_gone(node) {
            continue;
        }
        let display = ancestor_has_class(node, "katex-display");
        if let Some(tex) = math_inside(node) {
            replace(node, &tex, display);
        }
    }
    for node in document.select("mjx-container, .mwe-math-element").nodes() {
        if is_gone(node) {
            continue;
        }
        let display = node.attr("display").is_some_and(|d| &*d == "true")
            || node
                .class()
                .is_some_and(|c| c.contains("display") || c.contains("block"));
        if let Some(tex) = math_inside(node) {
            replace(node, &tex, display);
        }
    }
    for node in document.select("math").nodes() {
        if is_gone(node) {
            continue;
        }
        let display = node.attr("display").is_some_and(|d| &*d == "block");
        let tex = tex_of_math(node);
        replace(node, &tex, display);
    }
    for image in document.select("img[alt]").nodes() {
        let Some(alt) = image.attr("alt") else {
            continue;
        };
        let class = image.class().unwrap_or_default();
        let marked = class.split_ascii_whitespace().any(|name| {
            name.starts_with("mwe-math-fallback")
                || matches!(name, "tex" | "latex" | "math" | "MathTeX" | "mathjax")
        });
        if marked || alt.starts_with("{\\displaystyle") || alt.starts_with("\\displaystyle") {
            replace(image, &alt, class.contains("fallback-image-display"));
        }
    }
}

fn math_inside(node: &NodeRef) -> Option<String> {
    let math = node.descendants_it().find(|child| child.has_name("math"))?;
    Some(tex_of_math(&math))
}

fn tex_of_math(math: &NodeRef) -> String {
    let annotation = math.descendants_it().find(|child| {
        child.has_name("annotation")
            && child
                .attr("encoding")
                .is_some_and(|e| e.to_ascii_lowercase().contains("tex"))
    });
    if let Some(annotation) = annotation {
        return annotation.text().to_string();
    }
    match math.attr("alttext") {
        Some(alt) if !alt.trim().is_empty() => alt.to_string(),
        _ => mathml::to_tex(math),
    }
}

fn replace(node: &NodeRef, tex: &str, display: bool) {
    let tex = clean(tex);
    if tex.is_empty() {
        node.remove_from_parent();
        return;
    }
    let escaped = tex
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    if display {
        node.replace_with_html(format!("<span> $${escaped}$$ </span>"));
    } else {
        node.replace_with_html(format!("<span>${escaped}$</span>"));
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
    tex.trim_matches('$').trim().to_string()
}

fn is_gone(node: &NodeRef) -> bool {
    node.parent().is_none()
}

fn ancestor_has_class(node: &NodeRef, class: &str) -> bool {
    node.ancestors_it(Some(2))
        .any(|parent| parent.has_class(class))
}
