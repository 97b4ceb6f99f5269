//! The last pass over a text, by lines: repeated blocks, headings that nothing follows, words that mark an advert.

use rustc_hash::FxHashSet;

/// A shorter line may well come twice.
const MIN_REPEATED: usize = 60;

pub fn tidy(text: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut seen: FxHashSet<&str> = FxHashSet::default();
    let mut fence = "";
    for line in text.lines() {
        if !fence.is_empty() {
            if line == fence {
                fence = "";
            }
            kept.push(line);
            continue;
        }
        if line.starts_with("```") {
            fence = &line[..line.bytes().take_while(|&b| b == b'`').count()];
            kept.push(line);
            continue;
        }
        if is_advert_mark(line) || (line.len() >= MIN_REPEATED && !seen.insert(line)) {
            continue;
        }
        if level(line) > 0 {
            drop_empty_headings(&mut kept, level(line));
        }
        kept.push(line);
    }
    drop_empty_headings(&mut kept, 1);
    let mut out = String::with_capacity(text.len());
    for line in kept {
        // No more than one empty line between two others.
        if line.is_empty() && (out.is_empty() || out.ends_with("\n\n")) {
            continue;
        }
        out.push_str(line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// Headings at the end, before one of the same rank or a higher one, head nothing.
fn drop_empty_headings(kept: &mut Vec<&str>, next: usize) {
    loop {
        while kept.last().is_some_and(|line| line.is_empty()) {
            kept.pop();
        }
        let last = kept.last().map_or(0, |line| level(line));
        if last == 0 || last < next {
            break;
        }
        kept.pop();
    }
    if !kept.is_empty() {
        kept.push("");
    }
}

/// The rank of a heading, zero of another line.
fn level(line: &str) -> usize {
    let signs = line.bytes().take(7).take_while(|&b| b == b'#').count();
    if (1..=6).contains(&signs) && line.as_bytes().get(signs) == Some(&b' ') {
        signs
    } else {
        0
    }
}

fn is_advert_mark(line: &str) -> bool {
    if line.len() > 40 {
        return false;
    }
    let words = line
        .trim_matches(|c: char| !c.is_alphanumeric())
        .to_lowercase();
    matches!(
        words.as_str(),
        "advertisement"
            | "advertising"
            | "advert"
            | "sponsored"
            | "sponsored content"
            | "anzeige"
            | "werbung"
            | "publicité"
            | "publicidad"
            | "publicidade"
            | "pubblicità"
            | "advertentie"
            | "reklama"
            | "реклама"
            | "annonse"
            | "annons"
    )
}
