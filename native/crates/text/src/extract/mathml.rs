//! Presentation MathML to TeX, for pages that carry no TeX beside it. Covers what school and encyclopaedia pages
//! use; unknown elements give their text.

use dom_query::NodeRef;

const MAX_DEPTH: usize = 64;

pub fn to_tex(math: &NodeRef) -> String {
    row(math, 0)
}

fn row(node: &NodeRef, depth: usize) -> String {
    node.children_it(false)
        .map(|child| element(&child, depth + 1))
        .collect()
}

fn element(node: &NodeRef, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return node.text().to_string();
    }
    if node.is_text() {
        return node.text().trim().to_string();
    }
    let Some(name) = node.node_name() else {
        return String::new();
    };
    let part = |index: usize| {
        node.children_it(false)
            .filter(NodeRef::is_element)
            .nth(index)
            .map(|child| element(&child, depth + 1))
            .unwrap_or_default()
    };
    match &*name {
        "mi" => identifier(node.text().trim()),
        "mn" => node.text().trim().to_string(),
        "mo" => operator(node.text().trim()),
        "mtext" => format!("\\text{{{}}}", node.text().trim()),
        "mspace" => " ".into(),
        "msup" => format!("{}^{}", group(&part(0)), group(&part(1))),
        "msub" => format!("{}_{}", group(&part(0)), group(&part(1))),
        "msubsup" | "munderover" => {
            format!(
                "{}_{}^{}",
                group(&part(0)),
                group(&part(1)),
                group(&part(2))
            )
        }
        "munder" => format!("{}_{}", group(&part(0)), group(&part(1))),
        "mover" => match part(1).as_str() {
            "¯" | "‾" | "-" => format!("\\overline{{{}}}", part(0)),
            "^" | "ˆ" => format!("\\hat{{{}}}", part(0)),
            "~" | "˜" => format!("\\tilde{{{}}}", part(0)),
            "\\to " | "→" => format!("\\vec{{{}}}", part(0)),
            over => format!("{}^{}", group(&part(0)), group(over)),
        },
        "mfrac" => format!("\\frac{{{}}}{{{}}}", part(0), part(1)),
        "msqrt" => format!("\\sqrt{{{}}}", row(node, depth)),
        "mroot" => format!("\\sqrt[{}]{{{}}}", part(1), part(0)),
        "mfenced" => format!("({})", row(node, depth)),
        "mtr" | "mlabeledtr" => {
            let cells: Vec<String> = node
                .children_it(false)
                .filter(NodeRef::is_element)
                .map(|cell| row(&cell, depth + 1))
                .collect();
            cells.join(" & ")
        }
        "mtable" => {
            let rows: Vec<String> = node
                .children_it(false)
                .filter(NodeRef::is_element)
                .map(|line| element(&line, depth + 1))
                .collect();
            format!("\\begin{{matrix}}{}\\end{{matrix}}", rows.join(" \\\\ "))
        }
        "annotation" | "annotation-xml" => String::new(),
        _ => row(node, depth),
    }
}

/// Braces around anything longer than one character.
fn group(tex: &str) -> String {
    if tex.chars().count() == 1 {
        tex.to_string()
    } else {
        format!("{{{tex}}}")
    }
}

fn identifier(text: &str) -> String {
    const FUNCTIONS: [&str; 14] = [
        "sin", "cos", "tan", "cot", "log", "ln", "exp", "lim", "max", "min", "det", "gcd", "sup",
        "inf",
    ];
    if FUNCTIONS.contains(&text) {
        format!("\\{text} ")
    } else {
        symbol(text)
    }
}

fn operator(text: &str) -> String {
    match text {
        "\u{2061}" | "\u{2062}" | "\u{2063}" | "\u{2064}" => String::new(),
        "−" => "-".into(),
        "{" | "}" => format!("\\{text}"),
        other => symbol(other),
    }
}

fn symbol(text: &str) -> String {
    let name = match text {
        "α" => "alpha",
        "β" => "beta",
        "γ" => "gamma",
        "δ" => "delta",
        "ε" | "ϵ" => "epsilon",
        "θ" => "theta",
        "λ" => "lambda",
        "μ" => "mu",
        "π" => "pi",
        "ρ" => "rho",
        "σ" => "sigma",
        "τ" => "tau",
        "φ" | "ϕ" => "phi",
        "ψ" => "psi",
        "ω" => "omega",
        "Γ" => "Gamma",
        "Δ" => "Delta",
        "Σ" => "Sigma",
        "Ω" => "Omega",
        "∞" => "infty",
        "∑" => "sum",
        "∏" => "prod",
        "∫" => "int",
        "∂" => "partial",
        "∇" => "nabla",
        "≤" => "le",
        "≥" => "ge",
        "≠" => "ne",
        "≈" => "approx",
        "±" => "pm",
        "×" => "times",
        "÷" => "div",
        "⋅" | "·" => "cdot",
        "∈" => "in",
        "⊂" => "subset",
        "∪" => "cup",
        "∩" => "cap",
        "→" => "to",
        "⇒" => "Rightarrow",
        "…" => "ldots",
        "⋯" => "cdots",
        other => return other.to_string(),
    };
    format!("\\{name} ")
}
