//! How much text, link text and prose lies below each node, in one loop over the page.

use super::clock::Clock;
use super::dom::{Dom, NONE, ROOT};
use super::tag::Tag;

#[derive(Clone, Copy, Default)]
pub struct Size {
    /// Bytes of text without the white space around each piece.
    pub text: u32,
    /// Bytes of it in links.
    pub link: u32,
    pub links: u32,
    /// Bytes outside of links in blocks that are long enough to be sentences.
    pub prose: u32,
    /// Bytes of text of the block itself and the inline elements in it.
    pub own: u32,
    pub own_link: u32,
    /// Headings that are a link to another page.
    pub link_headings: u32,
}

/// A block with this many bytes outside of links is prose.
pub const PROSE: u32 = 80;

/// Sizes by node; what was dropped counts nothing.
pub fn measure(dom: &Dom, clock: &Clock) -> Result<Vec<Size>, String> {
    let count = dom.len() as usize;
    let mut sizes = vec![Size::default(); count];
    // For each node the block whose line it is on and whether it is in a link.
    let mut block = vec![ROOT; count];
    let mut linked = vec![false; count];
    let mut gone = vec![false; count];
    for id in 0..dom.len() {
        if id.is_multiple_of(8192) {
            clock.check()?;
        }
        let node = dom.node(id);
        let at = id as usize;
        let parent = node.parent;
        if parent != NONE {
            block[at] = block[parent as usize];
            linked[at] = linked[parent as usize];
            gone[at] = gone[parent as usize];
        }
        if node.dropped {
            gone[at] = true;
        }
        if gone[at] {
            continue;
        }
        match node.tag {
            Tag::Text => {
                let length = dom.raw(id).trim_ascii().len() as u32;
                if length > 0 {
                    let own = &mut sizes[block[at] as usize];
                    own.own += length;
                    if linked[at] {
                        own.own_link += length;
                    }
                    sizes[at].text = length;
                    sizes[at].link = if linked[at] { length } else { 0 };
                }
            }
            Tag::A => {
                linked[at] = true;
                sizes[at].links = 1;
            }
            tag if tag.is_block() => block[at] = id,
            _ => {}
        }
    }
    for id in (1..dom.len()).rev() {
        let node = dom.node(id);
        let size = &mut sizes[id as usize];
        if node.tag.is_block() && size.own - size.own_link >= PROSE {
            size.prose += size.own - size.own_link;
        }
        if node.tag.is_heading() && size.own > 0 && size.own_link * 10 >= size.own * 9 {
            size.link_headings = 1;
        }
        let size = *size;
        let above = &mut sizes[node.parent as usize];
        above.text += size.text;
        above.link += size.link;
        above.links += size.links;
        above.prose += size.prose;
        above.link_headings += size.link_headings;
    }
    Ok(sizes)
}

/// The share of text in links, one where there is no text.
pub fn link_density(size: &Size) -> f32 {
    if size.text == 0 {
        return 1.0;
    }
    size.link as f32 / size.text as f32
}
