//! Takes the furniture of a page away: first by what elements are, then by what their names say, the larger ones
//! only if they do not hold the text of the page.

use super::clock::Clock;
use super::dom::{Dom, NodeId, ROOT};
use super::measure::{Size, link_density};
use super::names::{self, Marks};
use super::tag::{Name, Tag};
use rustc_hash::FxHashMap;

/// Drops what is never text: scripts, forms' controls, pictures, navigation, hidden parts.
pub fn drop_elements(dom: &mut Dom, clock: &Clock) -> Result<(), String> {
    for id in 1..dom.len() {
        if id.is_multiple_of(8192) {
            clock.check()?;
        }
        let drop = match dom.tag(id) {
            Tag::Noscript => text_bytes(dom, id) < MIN_NOSCRIPT,
            tag => is_no_text(tag) || is_marked(dom, id),
        };
        if drop {
            dom.drop_node(id);
        }
    }
    Ok(())
}

/// Some pages carry their whole text for readers without scripts.
const MIN_NOSCRIPT: usize = 1000;

fn text_bytes(dom: &Dom, id: NodeId) -> usize {
    dom.descendants(id)
        .filter(|&child| {
            dom.tag(child) == Tag::Text && !is_no_text(dom.tag(dom.node(child).parent))
        })
        .map(|child| dom.raw(child).trim_ascii().len())
        .sum()
}

fn is_no_text(tag: Tag) -> bool {
    use Tag::*;
    matches!(
        tag,
        Script
            | Style
            | Template
            | Iframe
            | Noembed
            | Noframes
            | Svg
            | Canvas
            | Object
            | Embed
            | Audio
            | Video
            | Map
            | Button
            | Select
            | Datalist
            | Input
            | Textarea
            | Progress
            | Dialog
            | Nav
            | Menu
            | Search
            | Head
            | Title
            | Rp
            | Rt
            | Figcaption
            | Legend
            | Label
    )
}

fn is_marked(dom: &Dom, id: NodeId) -> bool {
    dom.attributes(id).iter().any(|(name, value)| match name {
        Name::Hidden => true,
        Name::AriaHidden => *value == "true" && !matches!(dom.tag(id), Tag::Body | Tag::Html),
        Name::Role => matches!(
            *value,
            "navigation"
                | "dialog"
                | "alertdialog"
                | "search"
                | "contentinfo"
                | "menu"
                | "menubar"
                | "tooltip"
        ),
        Name::Style => is_hiding(value),
        Name::Class => value.contains("mw-editsection"),
        _ => false,
    })
}

fn is_hiding(style: &str) -> bool {
    let has = |word: &str| memchr::memmem::find(style.as_bytes(), word.as_bytes()).is_some();
    if !["none", "NONE", "None", "hidden"]
        .iter()
        .any(|word| has(word))
    {
        return false;
    }
    let mut letters = style.bytes().filter(|b| !b.is_ascii_whitespace());
    let style: Vec<u8> = letters
        .by_ref()
        .take(200)
        .map(|b| b.to_ascii_lowercase())
        .collect();
    memchr::memmem::find(&style, b"display:none").is_some()
        || memchr::memmem::find(&style, b"visibility:hidden").is_some()
}

/// Drops what its names call furniture. `sizes` are those before; a part that holds much of the page's prose stays.
/// Returns what readers wrote below the article, which is dropped too.
pub fn drop_named(
    dom: &mut Dom,
    sizes: &[Size],
    marks: &[Marks],
    clock: &Clock,
) -> Result<Vec<NodeId>, String> {
    let whole = sizes[0];
    let below = comments_below(dom, sizes, marks, &whole);
    let mut comments = Vec::new();
    let mut leads: FxHashMap<&str, usize> = FxHashMap::default();
    for id in 1..dom.len() {
        if marks[id as usize] & names::LEAD != 0 {
            *leads.entry(dom.class(id)).or_default() += 1;
        }
    }
    let mut behind = 0;
    for id in 1..dom.len() {
        if id.is_multiple_of(8192) {
            clock.check()?;
        }
        if id < behind {
            continue;
        }
        let tag = dom.tag(id);
        if tag == Tag::Text
            || matches!(tag, Tag::Html | Tag::Body | Tag::Main)
            || dom.node(id).dropped
        {
            continue;
        }
        let is_teaser = marks[id as usize] & names::LEAD != 0
            && marks[id as usize] & names::BODY == 0
            && (leads[dom.class(id)] > 2 || link_density(&sizes[id as usize]) > 0.3);
        let size = &sizes[id as usize];
        let share = size.prose as f32 / whole.prose.max(1) as f32;
        if marks[id as usize] & names::COMMENTS != 0 {
            if below && !holds_article(dom, id, marks) {
                // The outermost goes, and what is furniture in it, in case it is wanted.
                if comments.last().is_none_or(|&last| id >= dom.end(last)) {
                    dom.drop_node(id);
                    comments.push(id);
                }
            }
            continue;
        }
        if is_teaser && share < 0.2 || is_furniture(dom, id, marks[id as usize], size, &whole) {
            dom.drop_node(id);
            behind = dom.end(id);
        }
    }
    Ok(comments)
}

/// Whether what is called comments stands below an article, or is all that there is: a thread.
fn comments_below(dom: &Dom, sizes: &[Size], marks: &[Marks], whole: &Size) -> bool {
    let (mut comments, mut frame) = (0, 0);
    let mut walk = dom.descendants(ROOT);
    while let Some(id) = walk.next() {
        if marks[id as usize] & names::COMMENTS != 0 && !holds_article(dom, id, marks) {
            comments += sizes[id as usize].prose;
            walk.skip_below(id);
        } else if matches!(dom.tag(id), Tag::Aside | Tag::Footer)
            || marks[id as usize] & (names::FURNITURE | names::FRAME | names::SIDE) != 0
                && !holds_article(dom, id, marks)
        {
            frame += sizes[id as usize].prose;
            walk.skip_below(id);
        }
    }
    let rest = whole.prose.saturating_sub(comments + frame);
    rest >= 300 && rest * 20 >= whole.prose
}

/// Whole pages carry such names too, as `comments-open`.
fn holds_article(dom: &Dom, id: NodeId, marks: &[Marks]) -> bool {
    matches!(dom.tag(id), Tag::Html | Tag::Body | Tag::Main)
        || marks[id as usize] & names::BODY != 0
        || dom.descendants(id).any(|child| {
            dom.tag(child) == Tag::H1 || dom.attribute(child, Name::ItemProp) == Some("articleBody")
        })
}

fn is_furniture(dom: &Dom, id: NodeId, marks: Marks, size: &Size, whole: &Size) -> bool {
    let tag = dom.tag(id);
    // Of the prose of the page, which part would go.
    let share = size.prose as f32 / whole.prose.max(1) as f32;
    let is_large = share > 0.4;
    if matches!(tag, Tag::Aside | Tag::Footer) {
        return !is_large;
    }
    if tag == Tag::Form {
        return share < 0.2;
    }
    if marks & names::HIDDEN != 0 {
        return share < 0.2;
    }
    if marks & names::FURNITURE != 0 {
        return !is_large;
    }
    if marks & names::FRAME != 0 && marks & names::BODY == 0 {
        return share < 0.1
            && (link_density(size) > 0.3 || size.prose == 0)
            && !holds_title(dom, id);
    }
    if marks & names::SIDE != 0 && marks & names::BODY == 0 {
        return share < 0.2;
    }
    false
}

fn holds_title(dom: &Dom, id: NodeId) -> bool {
    dom.descendants(id)
        .take(200)
        .any(|child| dom.tag(child) == Tag::H1)
}
