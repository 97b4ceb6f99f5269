//! A page nested thousands deep makes tree builders quadratic and recursive code overflow: tags below a depth are
//! left out before parsing, their text stays.

use std::borrow::Cow;

pub struct Flattened<'a> {
    pub html: Cow<'a, str>,
    /// How deep it nests and how many start tags it has, roughly.
    pub deepest: usize,
    pub elements: usize,
}

/// The document with no element deeper than about `max_depth`. Pages that are flat enough pass as they are.
pub fn limit_depth(html: &str, max_depth: usize) -> Flattened<'_> {
    let bytes = html.as_bytes();
    let mut out: Option<String> = None;
    let mut copied = 0;
    let mut depth = 0usize;
    let mut dropped = 0usize;
    let (mut deepest, mut elements) = (0, 0);
    let mut at = 0;
    while let Some(found) = bytes[at..].iter().position(|&b| b == b'<') {
        let start = at + found;
        if bytes[start..].starts_with(b"<!--") {
            at = html[start..]
                .find("-->")
                .map_or(bytes.len(), |end| start + end + 3);
            continue;
        }
        let closing = bytes.get(start + 1) == Some(&b'/');
        let name_at = start + 1 + usize::from(closing);
        let name_end = bytes[name_at..]
            .iter()
            .position(|b| !b.is_ascii_alphanumeric() && *b != b'-')
            .map_or(bytes.len(), |n| name_at + n);
        if name_end == name_at || !bytes[name_at].is_ascii_alphabetic() {
            at = start + 1;
            continue;
        }
        let end = tag_end(bytes, name_end);
        let name = html[name_at..name_end].to_ascii_lowercase();
        at = end;
        elements += usize::from(!closing);
        if !closing
            && matches!(
                name.as_str(),
                "script" | "style" | "textarea" | "title" | "xmp"
            )
        {
            at = raw_text_end(bytes, end, &name);
            continue;
        }
        if !nests(&name) || bytes[..end].ends_with(b"/>") {
            continue;
        }
        let drop = if closing {
            let drop = dropped > 0;
            dropped = dropped.saturating_sub(1);
            depth = if drop { depth } else { depth.saturating_sub(1) };
            drop
        } else {
            let drop = depth >= max_depth;
            dropped += usize::from(drop);
            depth += usize::from(!drop);
            deepest = deepest.max(depth);
            drop
        };
        if drop {
            let out = out.get_or_insert_with(|| String::with_capacity(html.len()));
            out.push_str(&html[copied..start]);
            out.push(' ');
            copied = end;
        }
    }
    let html = match out {
        Some(mut out) => {
            out.push_str(&html[copied..]);
            Cow::Owned(out)
        }
        None => Cow::Borrowed(html),
    };
    Flattened {
        html,
        deepest,
        elements,
    }
}

/// Elements whose end is implied by what follows, and those that have no end, do not pile up.
fn nests(name: &str) -> bool {
    !matches!(
        name,
        "p" | "li"
            | "dt"
            | "dd"
            | "tr"
            | "td"
            | "th"
            | "thead"
            | "tbody"
            | "tfoot"
            | "option"
            | "optgroup"
            | "colgroup"
            | "col"
            | "rp"
            | "rt"
            | "html"
            | "head"
            | "body"
            | "br"
            | "hr"
            | "img"
            | "input"
            | "meta"
            | "link"
            | "area"
            | "base"
            | "embed"
            | "param"
            | "source"
            | "track"
            | "wbr"
            | "frame"
            | "basefont"
            | "path"
            | "use"
    )
}

fn tag_end(bytes: &[u8], from: usize) -> usize {
    let mut quote = 0u8;
    for (i, &b) in bytes[from..].iter().enumerate() {
        match (quote, b) {
            (0, b'>') => return from + i + 1,
            (0, b'"' | b'\'') => quote = b,
            (q, b) if q == b => quote = 0,
            _ => {}
        }
    }
    bytes.len()
}

fn raw_text_end(bytes: &[u8], from: usize, name: &str) -> usize {
    let mut at = from;
    while let Some(found) = bytes[at..].windows(2).position(|w| w == b"</") {
        let start = at + found + 2;
        if bytes.len() >= start + name.len()
            && bytes[start..start + name.len()].eq_ignore_ascii_case(name.as_bytes())
        {
            return start - 2;
        }
        at = start;
    }
    bytes.len()
}
