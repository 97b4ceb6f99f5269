//! Presentation MathML to TeX, for pages that carry no TeX beside it. Covers what school and encyclopaedia pages
//! use; unknown elements give their text.

use super::dom::{Dom, NodeId};
use super::tag::{Name, Tag};

const MAX_DEPTH: usize = 64;

pub fn to_tex(dom: &Dom, math: NodeId) -> String {
    row(dom, math, 0)
}

fn row(dom: &Dom, node: NodeId, depth: usize) -> String {
    dom.children(node)
        .map(|child| element(dom, child, depth + 1))
        .collect()
}

fn element(dom: &Dom, node: NodeId, depth: usize) -> String {
    use Tag::*;
    if depth > MAX_DEPTH {
        return dom.text_below(node);
    }
    let text = || {
        let text = dom.text_below(node);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let parts = || {
        dom.children(node)
            .filter(|&child| dom.tag(child) != Text)
            .collect::<Vec<_>>()
    };
    let part = |index: usize| {
        parts()
            .get(index)
            .map(|&child| element(dom, child, depth + 1))
            .unwrap_or_default()
    };
    match dom.tag(node) {
        Text => text(),
        Mi => styled(dom, node, identifier(&text())),
        Mn => styled(dom, node, text()),
        Mo => operator(&text()),
        Mtext | Ms => format!("\\text{{{}}}", text()),
        Mspace => " ".into(),
        Mphantom | Annotation | AnnotationXml | Nothing | Mprescripts => String::new(),
        Msup => format!("{}^{}", group(&part(0)), group(&part(1))),
        Msub => format!("{}_{}", group(&part(0)), group(&part(1))),
        Msubsup | Munderover => {
            format!(
                "{}_{}^{}",
                group(&part(0)),
                group(&part(1)),
                group(&part(2))
            )
        }
        Munder => match part(1).trim() {
            "⏟" | "︸" => format!("\\underbrace{{{}}}", part(0)),
            "_" | "\u{332}" | "¯" | "―" => format!("\\underline{{{}}}", part(0)),
            under => format!("{}_{}", group(&part(0)), group(under)),
        },
        Mover => over(&part(0), part(1).trim()),
        Mfrac => format!("\\frac{{{}}}{{{}}}", part(0).trim(), part(1).trim()),
        Msqrt => format!("\\sqrt{{{}}}", row(dom, node, depth).trim()),
        Mroot => format!("\\sqrt[{}]{{{}}}", part(1).trim(), part(0).trim()),
        Mfenced => {
            let open = dom.attribute(node, Name::Open).unwrap_or("(");
            let close = dom.attribute(node, Name::Close).unwrap_or(")");
            let inner: Vec<String> = parts()
                .into_iter()
                .map(|child| element(dom, child, depth + 1))
                .collect();
            format!("{}{}{}", operator(open), inner.join(","), operator(close))
        }
        Mmultiscripts => multiscripts(dom, node, depth),
        Mtr | Mlabeledtr => {
            let cells: Vec<String> = parts()
                .into_iter()
                .map(|cell| row(dom, cell, depth + 1).trim().to_string())
                .collect();
            cells.join(" & ")
        }
        Mtable => {
            let rows: Vec<String> = parts()
                .into_iter()
                .map(|line| element(dom, line, depth + 1))
                .collect();
            format!("\\begin{{matrix}}{}\\end{{matrix}}", rows.join(" \\\\ "))
        }
        _ => row(dom, node, depth),
    }
}

fn over(base: &str, mark: &str) -> String {
    let command = match mark {
        "¯" | "‾" | "-" | "―" | "\u{305}" => "overline",
        "^" | "ˆ" | "\u{302}" => "hat",
        "~" | "˜" | "\\sim" | "\u{303}" => "tilde",
        "\\to" | "→" | "\u{20d7}" => "vec",
        "˙" | "." | "\u{307}" => "dot",
        "¨" | ".." | "\u{308}" => "ddot",
        "⏞" | "︷" => "overbrace",
        mark => return format!("{}^{}", group(base), group(mark)),
    };
    format!("\\{command}{{{}}}", base.trim())
}

/// A base with indices behind it and, after `mprescripts`, before it.
fn multiscripts(dom: &Dom, node: NodeId, depth: usize) -> String {
    let mut parts = dom
        .children(node)
        .filter(|&child| dom.tag(child) != Tag::Text);
    let base = parts
        .next()
        .map(|base| element(dom, base, depth + 1))
        .unwrap_or_default();
    let (mut before, mut behind) = (String::new(), String::new());
    let mut is_before = false;
    let mut lower = true;
    for part in parts {
        if dom.tag(part) == Tag::Mprescripts {
            (is_before, lower) = (true, true);
            continue;
        }
        let tex = element(dom, part, depth + 1);
        if !tex.trim().is_empty() {
            let out = if is_before { &mut before } else { &mut behind };
            out.push(if lower { '_' } else { '^' });
            out.push_str(&group(&tex));
        }
        lower = !lower;
    }
    if before.is_empty() {
        format!("{}{behind}", group(&base))
    } else {
        format!("{{}}{before}{}{behind}", group(&base))
    }
}

/// Letters in a type face that means something.
fn styled(dom: &Dom, node: NodeId, tex: String) -> String {
    let command = match dom.attribute(node, Name::Mathvariant) {
        Some("bold") => "mathbf",
        Some("double-struck") => "mathbb",
        Some("script") => "mathcal",
        Some("fraktur") => "mathfrak",
        Some("sans-serif") => "mathsf",
        _ => return tex,
    };
    format!("\\{command}{{{}}}", tex.trim())
}

/// Braces around anything longer than one character.
fn group(tex: &str) -> String {
    let tex = tex.trim();
    if tex.chars().count() == 1 {
        tex.to_string()
    } else {
        format!("{{{tex}}}")
    }
}

fn identifier(text: &str) -> String {
    const FUNCTIONS: [&str; 28] = [
        "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "arcsin", "arccos",
        "arctan", "log", "ln", "lg", "exp", "lim", "limsup", "liminf", "max", "min", "det", "gcd",
        "sup", "inf", "dim", "ker", "arg",
    ];
    if FUNCTIONS.contains(&text) {
        format!("\\{text} ")
    } else if text.chars().count() > 1 && text.chars().all(char::is_alphabetic) {
        format!("\\mathrm{{{text}}}")
    } else {
        symbol(text)
    }
}

fn operator(text: &str) -> String {
    match text {
        "\u{2061}" | "\u{2062}" | "\u{2063}" | "\u{2064}" => String::new(),
        "−" => "-".into(),
        "{" | "}" | "%" | "#" | "&" => format!("\\{text}"),
        "‖" | "∥" => "\\|".into(),
        "lim" | "max" | "min" | "sup" | "inf" | "sin" | "cos" | "tan" | "log" | "ln" | "exp" => {
            identifier(text)
        }
        other => symbol(other),
    }
}

fn symbol(text: &str) -> String {
    let mut letters = text.chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else {
        return text.to_string();
    };
    match SYMBOLS.binary_search_by(|(symbol, _)| symbol.cmp(&letter)) {
        Ok(found) => format!("\\{} ", SYMBOLS[found].1),
        Err(_) => text.to_string(),
    }
}

/// By code point.
const SYMBOLS: [(char, &str); 155] = [
    ('¬', "neg"),
    ('°', "degree"),
    ('±', "pm"),
    ('·', "cdot"),
    ('×', "times"),
    ('÷', "div"),
    ('Γ', "Gamma"),
    ('Δ', "Delta"),
    ('Θ', "Theta"),
    ('Λ', "Lambda"),
    ('Ξ', "Xi"),
    ('Π', "Pi"),
    ('Σ', "Sigma"),
    ('Υ', "Upsilon"),
    ('Φ', "Phi"),
    ('Ψ', "Psi"),
    ('Ω', "Omega"),
    ('α', "alpha"),
    ('β', "beta"),
    ('γ', "gamma"),
    ('δ', "delta"),
    ('ε', "varepsilon"),
    ('ζ', "zeta"),
    ('η', "eta"),
    ('θ', "theta"),
    ('ι', "iota"),
    ('κ', "kappa"),
    ('λ', "lambda"),
    ('μ', "mu"),
    ('ν', "nu"),
    ('ξ', "xi"),
    ('π', "pi"),
    ('ρ', "rho"),
    ('ς', "varsigma"),
    ('σ', "sigma"),
    ('τ', "tau"),
    ('υ', "upsilon"),
    ('φ', "varphi"),
    ('χ', "chi"),
    ('ψ', "psi"),
    ('ω', "omega"),
    ('ϑ', "vartheta"),
    ('ϕ', "phi"),
    ('ϖ', "varpi"),
    ('ϱ', "varrho"),
    ('ϵ', "epsilon"),
    ('†', "dagger"),
    ('…', "ldots"),
    ('′', "prime"),
    ('ℂ', "mathbb{C}"),
    ('ℏ', "hbar"),
    ('ℑ', "Im"),
    ('ℓ', "ell"),
    ('ℕ', "mathbb{N}"),
    ('ℙ', "mathbb{P}"),
    ('ℚ', "mathbb{Q}"),
    ('ℜ', "Re"),
    ('ℝ', "mathbb{R}"),
    ('ℤ', "mathbb{Z}"),
    ('ℵ', "aleph"),
    ('←', "leftarrow"),
    ('↑', "uparrow"),
    ('→', "to"),
    ('↓', "downarrow"),
    ('↔', "leftrightarrow"),
    ('↦', "mapsto"),
    ('↪', "hookrightarrow"),
    ('⇀', "rightharpoonup"),
    ('⇌', "rightleftharpoons"),
    ('⇐', "Leftarrow"),
    ('⇒', "Rightarrow"),
    ('⇔', "Leftrightarrow"),
    ('∀', "forall"),
    ('∂', "partial"),
    ('∃', "exists"),
    ('∄', "nexists"),
    ('∅', "emptyset"),
    ('∇', "nabla"),
    ('∈', "in"),
    ('∉', "notin"),
    ('∋', "ni"),
    ('∏', "prod"),
    ('∐', "coprod"),
    ('∑', "sum"),
    ('∓', "mp"),
    ('∖', "setminus"),
    ('∗', "ast"),
    ('∘', "circ"),
    ('∙', "bullet"),
    ('√', "surd"),
    ('∝', "propto"),
    ('∞', "infty"),
    ('∠', "angle"),
    ('∣', "mid"),
    ('∤', "nmid"),
    ('∥', "parallel"),
    ('∧', "wedge"),
    ('∨', "vee"),
    ('∩', "cap"),
    ('∪', "cup"),
    ('∫', "int"),
    ('∬', "iint"),
    ('∭', "iiint"),
    ('∮', "oint"),
    ('∼', "sim"),
    ('≃', "simeq"),
    ('≅', "cong"),
    ('≈', "approx"),
    ('≍', "asymp"),
    ('≐', "doteq"),
    ('≜', "triangleq"),
    ('≠', "ne"),
    ('≡', "equiv"),
    ('≤', "le"),
    ('≥', "ge"),
    ('≪', "ll"),
    ('≫', "gg"),
    ('≲', "lesssim"),
    ('≳', "gtrsim"),
    ('≺', "prec"),
    ('≻', "succ"),
    ('⊂', "subset"),
    ('⊃', "supset"),
    ('⊆', "subseteq"),
    ('⊇', "supseteq"),
    ('⊕', "oplus"),
    ('⊖', "ominus"),
    ('⊗', "otimes"),
    ('⊢', "vdash"),
    ('⊤', "top"),
    ('⊥', "perp"),
    ('⊨', "models"),
    ('⋀', "bigwedge"),
    ('⋁', "bigvee"),
    ('⋂', "bigcap"),
    ('⋃', "bigcup"),
    ('⋅', "cdot"),
    ('⋆', "star"),
    ('⋮', "vdots"),
    ('⋯', "cdots"),
    ('⋱', "ddots"),
    ('⌈', "lceil"),
    ('⌉', "rceil"),
    ('⌊', "lfloor"),
    ('⌋', "rfloor"),
    ('□', "square"),
    ('△', "triangle"),
    ('⟨', "langle"),
    ('⟩', "rangle"),
    ('⟶', "longrightarrow"),
    ('⟹', "implies"),
    ('⟺', "iff"),
    ('⨁', "bigoplus"),
    ('⨂', "bigotimes"),
    ('𝔼', "mathbb{E}"),
];
