//! Finds where on a page its text is, and takes out what is left of the furniture there.

use super::dom::{Dom, NONE, NodeId, ROOT};
use super::measure::{Size, link_density};
use super::names::{self, Marks};
use super::tag::{Name, Tag};

/// Less prose than this is not yet an article.
const MIN_PROSE: u32 = 200;

/// The node that holds the article: the one that its names or its element call so and that has enough of the page's
/// prose, or else the smallest box with most of it.
pub fn find(dom: &Dom, sizes: &[Size], marks: &[Marks]) -> NodeId {
    let densest = densest(dom, sizes);
    let target = sizes[densest as usize].prose;
    if let Some(thread) = thread(dom, sizes, marks) {
        return thread;
    }
    let mut best = (0.0f32, NONE);
    for id in 1..dom.len() {
        let size = &sizes[id as usize];
        if size.prose < MIN_PROSE || !dom.tag(id).is_container() {
            continue;
        }
        let grade = grade(dom, id, marks[id as usize]);
        if grade == 0.0 {
            continue;
        }
        let share = size.prose as f32 / target.max(1) as f32;
        if share < 0.3 {
            continue;
        }
        let score = grade * share.min(1.0);
        if score > best.0 {
            best = (score, id);
        }
    }
    if best.1 == NONE { densest } else { best.1 }
}

/// The box around all contributions, where most of the prose is in two or more that are called so and none has
/// nearly all of it.
fn thread(dom: &Dom, sizes: &[Size], marks: &[Marks]) -> Option<NodeId> {
    let (mut posts, mut prose, mut largest) = (Vec::new(), 0, 0);
    let mut walk = dom.descendants(ROOT);
    while let Some(id) = walk.next() {
        let text = dom.attribute(id, Name::ItemProp) == Some("text");
        if (marks[id as usize] & names::POST == 0 && !text)
            || !(dom.tag(id).is_block() || dom.tag(id) == Tag::Span)
            || matches!(dom.tag(id), Tag::Body | Tag::Html)
            || holds_several(dom, id, marks)
        {
            continue;
        }
        walk.skip_below(id);
        let size = &sizes[id as usize];
        let own = size.text - size.link;
        if own >= 20 {
            posts.push(id);
            prose += own;
            largest = largest.max(own);
        }
    }
    let is_thread = posts.len() >= 2
        && prose * 2 >= sizes[ROOT as usize].prose.max(1)
        && (largest as f32) < prose as f32 * 0.98;
    if !is_thread {
        return None;
    }
    let (first, last) = (posts[0], posts[posts.len() - 1]);
    dom.ancestors(first).find(|&box_| dom.end(box_) > last)
}

/// A box that holds two contributions is none itself.
fn holds_several(dom: &Dom, id: NodeId, marks: &[Marks]) -> bool {
    let mut found = 0;
    let mut walk = dom.descendants(id);
    while let Some(child) = walk.next() {
        if marks[child as usize] & names::POST != 0 {
            found += 1;
            walk.skip_below(child);
        }
        if found == 2 {
            return true;
        }
    }
    false
}

/// What the article begins with where that stands before its text and not in it, at most two parts.
pub fn leads(dom: &Dom, root: NodeId, sizes: &[Size], marks: &[Marks]) -> Vec<NodeId> {
    let mut found: Vec<NodeId> = Vec::new();
    let mut title = 0;
    let mut walk = dom.descendants(ROOT);
    while let Some(id) = walk.next() {
        if id >= root {
            break;
        }
        let size = &sizes[id as usize];
        if dom.tag(id) == Tag::H1 {
            title = id;
            found.clear();
        }
        let holds_root = dom.end(id) > root;
        if holds_root || dom.tag(id) == Tag::Text {
            continue;
        }
        let is_line = matches!(dom.tag(id), Tag::H2 | Tag::H3) && title != 0 && size.text >= 60;
        let is_lead = marks[id as usize] & names::LEAD != 0 && size.text >= 40;
        if (is_line || is_lead) && size.text < 2000 && link_density(size) < 0.3 {
            found.push(id);
            walk.skip_below(id);
        }
    }
    found.split_off(found.len().saturating_sub(2))
}

/// How surely a box is called the article.
fn grade(dom: &Dom, id: NodeId, marks: Marks) -> f32 {
    let is_body = dom.attribute(id, Name::ItemProp).is_some_and(|value| {
        matches!(
            value,
            "articleBody" | "reviewBody" | "recipeInstructions" | "text"
        )
    });
    if is_body {
        return 1.0;
    }
    if marks & names::BODY != 0 {
        return 0.95;
    }
    if dom.tag(id) == Tag::Article {
        return 0.8;
    }
    if dom.tag(id) == Tag::Main || dom.attribute(id, Name::Role) == Some("main") {
        return 0.6;
    }
    0.0
}

/// The smallest box that has most of the prose.
fn densest(dom: &Dom, sizes: &[Size]) -> NodeId {
    let mut at = ROOT;
    loop {
        let whole = sizes[at as usize].prose;
        let below = dom
            .children(at)
            .max_by_key(|&child| sizes[child as usize].prose);
        match below {
            Some(child)
                if sizes[child as usize].prose * 10 >= whole * 8
                    && whole > 0
                    && !matches!(
                        dom.tag(child),
                        Tag::P | Tag::Text | Tag::Tr | Tag::Tbody | Tag::Ul | Tag::Ol | Tag::Li
                    ) =>
            {
                at = child;
            }
            _ => return at,
        }
    }
}

/// Drops lists and boxes of links within the article.
pub fn prune(dom: &mut Dom, root: NodeId, sizes: &[Size]) {
    let mut behind = 0;
    let whole = sizes[root as usize];
    for id in root + 1..dom.end(root) {
        if id < behind || dom.node(id).dropped {
            continue;
        }
        let size = &sizes[id as usize];
        if is_link_box(dom, id, size)
            || is_card_box(dom, id, size, &whole)
            || is_lone_link(dom, id, sizes)
        {
            dom.drop_node(id);
            behind = dom.end(id);
        }
    }
}

/// Boxes that lead to other articles: their headings are links and they hold little of the prose.
fn is_card_box(dom: &Dom, id: NodeId, size: &Size, whole: &Size) -> bool {
    use Tag::*;
    matches!(dom.tag(id), Div | Section | Article | Ul | Ol | Li)
        && size.link_headings > 0
        && size.prose * 8 < whole.prose
        && size.prose < 400 * size.link_headings
        && !dom
            .descendants(id)
            .any(|child| dom.tag(child).is_heading() && is_permalink(dom, child))
}

/// A heading that links to itself.
fn is_permalink(dom: &Dom, heading: NodeId) -> bool {
    dom.descendants(heading).any(|child| {
        dom.tag(child) == Tag::A
            && dom
                .attribute(child, Name::Href)
                .is_none_or(|href| href.contains('#'))
    })
}

/// A link that stands in a box beside paragraphs, not in one of them: back to the list, to the next page.
fn is_lone_link(dom: &Dom, id: NodeId, sizes: &[Size]) -> bool {
    if dom.tag(id) != Tag::A {
        return false;
    }
    let parent = dom.node(id).parent;
    let around = &sizes[parent as usize];
    dom.tag(parent).is_container()
        && around.own_link * 10 >= around.own * 9
        && around.text > around.own
        && sizes[id as usize].text < 100
}

fn is_link_box(dom: &Dom, id: NodeId, size: &Size) -> bool {
    use Tag::*;
    let density = link_density(size);
    match dom.tag(id) {
        Ul | Ol | Dl | Div | Section | Table | Form => {
            size.links > 0
                && (density > 0.8 || (density > 0.5 && size.prose == 0 && size.text < 500))
        }
        P => size.links > 0 && density > 0.9 && size.text < 200,
        H1 | H2 | H3 | H4 | H5 | H6 => false,
        _ => false,
    }
}
