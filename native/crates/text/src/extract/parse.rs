//! HTML to a tree, forgiving and in one pass: implied ends, void and raw elements and crossed inline tags are dealt
//! with; what only matters to a browser (frames, foster parents, restored formatting) is not. Linear in the page
//! whatever is in it: elements nested deeper than `MAX_DEPTH` are put beside each other.

use super::clock::Clock;
use super::dom::{Dom, NodeId, ROOT};
use super::tag::{Name, TAGS, Tag};
use memchr::{memchr, memmem};

pub const MAX_DEPTH: usize = 256;
/// How far up an end tag looks for its beginning.
const MAX_SEARCH: usize = 512;

/// The tree of a page; an error when its time is over.
pub fn parse<'a>(html: &'a str, clock: &Clock) -> Result<Dom<'a>, String> {
    let mut builder = Builder {
        dom: Dom::new(html.len() / 40 + 16),
        open: vec![Open {
            tag: Tag::Document,
            node: ROOT,
        }],
        counts: [0; TAGS],
    };
    let bytes = html.as_bytes();
    let mut at = 0;
    let mut steps = 0usize;
    // Behind here no comment ends; to look again and again would be quadratic.
    let mut last_comment = bytes.len();
    while at < bytes.len() {
        steps += 1;
        if steps.is_multiple_of(1024) {
            clock.check()?;
        }
        // Text up to the next thing that can be a tag.
        let mut start = at;
        let tag_at = loop {
            match memchr(b'<', &bytes[start..]) {
                None => break bytes.len(),
                Some(found) => {
                    let tag = start + found;
                    match bytes.get(tag + 1) {
                        Some(b'/' | b'!' | b'?') => break tag,
                        Some(letter) if letter.is_ascii_alphabetic() => break tag,
                        _ => start = tag + 1,
                    }
                }
            }
        };
        builder.text(&html[at..tag_at], false);
        if tag_at == bytes.len() {
            break;
        }
        at = match bytes[tag_at + 1] {
            b'!' if bytes[tag_at..].starts_with(b"<!--") => {
                comment_end(bytes, tag_at, &mut last_comment)
            }
            b'!' if bytes[tag_at..].starts_with(b"<![CDATA[")
                && builder.counts[Tag::Math as usize] > 0 =>
            {
                let end =
                    memmem::find(&bytes[tag_at..], b"]]>").map_or(bytes.len(), |n| tag_at + n);
                builder.text(&html[tag_at + 9..end.max(tag_at + 9)], true);
                (end + 3).min(bytes.len())
            }
            b'!' | b'?' => memchr(b'>', &bytes[tag_at..]).map_or(bytes.len(), |n| tag_at + n + 1),
            b'/' => end_tag(&mut builder, bytes, tag_at),
            _ => start_tag(&mut builder, html, tag_at),
        };
    }
    Ok(builder.dom)
}

fn comment_end(bytes: &[u8], start: usize, last_comment: &mut usize) -> usize {
    if bytes[start + 4..].starts_with(b">") {
        return start + 5;
    }
    if start < *last_comment {
        if let Some(found) = memmem::find(&bytes[start + 4..], b"-->") {
            return start + 4 + found + 3;
        }
        *last_comment = start;
    }
    // A comment without end: what is behind it is more likely the page than a remark.
    memchr(b'>', &bytes[start..]).map_or(bytes.len(), |n| start + n + 1)
}

fn end_tag(builder: &mut Builder, bytes: &[u8], start: usize) -> usize {
    let name_at = start + 2;
    let name_end = name_end(bytes, name_at);
    let end = memchr(b'>', &bytes[name_end..]).map_or(bytes.len(), |n| name_end + n + 1);
    let name = &bytes[name_at..name_end];
    if name.first().is_some_and(u8::is_ascii_alphabetic) {
        match Tag::named(name) {
            Tag::Br => {
                builder.open_element(Tag::Br, builder.dom.attribute_total());
            }
            Tag::Other => {}
            tag => builder.close(tag),
        }
    }
    end
}

fn name_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..]
        .iter()
        .position(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'>'))
        .map_or(bytes.len(), |n| from + n)
}

fn start_tag<'a>(builder: &mut Builder<'a>, html: &'a str, start: usize) -> usize {
    let bytes = html.as_bytes();
    let name_end = name_end(bytes, start + 1);
    let tag = Tag::named(&bytes[start + 1..name_end]);
    let first_attribute = builder.dom.attribute_total();
    let mut at = name_end;
    let mut closed_itself = false;
    loop {
        while bytes
            .get(at)
            .is_some_and(|b| b.is_ascii_whitespace() || *b == b'/')
        {
            closed_itself = bytes[at] == b'/';
            at += 1;
        }
        match bytes.get(at) {
            None => break,
            Some(b'>') => {
                at += 1;
                break;
            }
            Some(_) => closed_itself = false,
        }
        let name_at = at;
        at += 1;
        while bytes
            .get(at)
            .is_some_and(|b| !matches!(b, b'=' | b'>' | b'/') && !b.is_ascii_whitespace())
        {
            at += 1;
        }
        let name = &bytes[name_at..at];
        let mut value_at = at;
        while bytes.get(value_at).is_some_and(u8::is_ascii_whitespace) {
            value_at += 1;
        }
        let mut value = (at, at);
        if bytes.get(value_at) == Some(&b'=') {
            value_at += 1;
            while bytes.get(value_at).is_some_and(u8::is_ascii_whitespace) {
                value_at += 1;
            }
            match bytes.get(value_at) {
                Some(&quote @ (b'"' | b'\'')) => {
                    let end = memchr(quote, &bytes[value_at + 1..])
                        .map_or(bytes.len(), |n| value_at + 1 + n);
                    value = (value_at + 1, end);
                    at = (end + 1).min(bytes.len());
                }
                _ => {
                    let end = bytes[value_at..]
                        .iter()
                        .position(|b| *b == b'>' || b.is_ascii_whitespace())
                        .map_or(bytes.len(), |n| value_at + n);
                    value = (value_at, end);
                    at = end;
                }
            }
        }
        if let Some(name) = Name::named(name) {
            builder.dom.add_attribute(name, &html[value.0..value.1]);
        }
    }
    let id = builder.open_element(tag, first_attribute);
    if tag.is_raw() {
        let end = raw_end(bytes, at, &bytes[start + 1..name_end]);
        let is_plain = !matches!(tag, Tag::Title | Tag::Textarea);
        if end > at {
            builder.dom.add_text(&html[at..end], id, is_plain);
        }
        return memchr(b'>', &bytes[end..]).map_or(bytes.len(), |n| end + n + 1);
    }
    // `<x />` ends a foreign or unknown element; on others the stroke means nothing.
    if !(tag.is_void() || closed_itself && is_foreign(tag)) {
        builder.push(tag, id);
    }
    at
}

fn is_foreign(tag: Tag) -> bool {
    use Tag::*;
    matches!(
        tag,
        Other | Svg | Path | Use | Math | MjxContainer | Nothing
    ) || (Menclose..=Munderover).contains(&tag) && tag != Menu && tag != Meta && tag != Nav
}

/// Where the end tag of a raw element begins.
fn raw_end(bytes: &[u8], from: usize, name: &[u8]) -> usize {
    let mut at = from;
    while let Some(found) = memmem::find(&bytes[at..], b"</") {
        let start = at + found;
        if bytes
            .get(start + 2..start + 2 + name.len())
            .is_some_and(|other| other.eq_ignore_ascii_case(name))
        {
            return start;
        }
        at = start + 2;
    }
    bytes.len()
}

#[derive(Clone, Copy)]
struct Open {
    tag: Tag,
    node: NodeId,
}

struct Builder<'a> {
    dom: Dom<'a>,
    open: Vec<Open>,
    /// How many elements of a tag are open.
    counts: [u32; TAGS],
}

impl<'a> Builder<'a> {
    fn parent(&self) -> NodeId {
        self.open.last().map_or(ROOT, |top| top.node)
    }

    fn text(&mut self, text: &'a str, is_plain: bool) {
        if text.is_empty() {
            return;
        }
        let is_plain = is_plain || memchr(b'&', text.as_bytes()).is_none();
        self.dom.add_text(text, self.parent(), is_plain);
    }

    /// Puts an element into the tree after ending what it ends.
    fn open_element(&mut self, tag: Tag, first_attribute: usize) -> NodeId {
        use Tag::*;
        if tag.is_block() {
            self.end_within(P, is_button_scope);
        }
        match tag {
            Li => self.end_within(Li, |tag| {
                matches!(tag, Ul | Ol | Menu | Dir) || is_table_scope(tag)
            }),
            Dt | Dd => {
                self.end_within(Dt, |tag| tag == Dl || is_table_scope(tag));
                self.end_within(Dd, |tag| tag == Dl || is_table_scope(tag));
            }
            Choice => self.end_within(Choice, |tag| tag == Select),
            Td | Th => {
                self.end_within(Td, |tag| matches!(tag, Tr | Table));
                self.end_within(Th, |tag| matches!(tag, Tr | Table));
            }
            Tr => self.end_within(Tr, |tag| tag == Table),
            Tbody | Thead | Tfoot => {
                for section in [Tbody, Thead, Tfoot] {
                    self.end_within(section, |tag| tag == Table);
                }
            }
            // Links do not nest; one that was never ended does not make the rest of the page a link.
            A => self.forget(A),
            heading
                if heading.is_heading()
                    && self.open.last().is_some_and(|top| top.tag.is_heading()) =>
            {
                self.pop();
            }
            Body => self.end_within(Head, |_| false),
            _ => {}
        }
        let parent = self.parent();
        self.dom.add_element(tag, parent, first_attribute)
    }

    fn push(&mut self, tag: Tag, node: NodeId) {
        // Below the limit an element is put into the tree but takes nothing in.
        let node = if self.open.len() < MAX_DEPTH {
            node
        } else {
            self.parent()
        };
        self.open.push(Open { tag, node });
        self.counts[tag as usize] += 1;
    }

    fn pop(&mut self) {
        if self.open.len() > 1
            && let Some(top) = self.open.pop()
        {
            self.counts[top.tag as usize] -= 1;
        }
    }

    /// Where the innermost open element of a tag is on the stack, not looking behind a scope's border.
    fn find(&self, tag: Tag, is_border: impl Fn(Tag) -> bool) -> Option<usize> {
        if self.counts[tag as usize] == 0 {
            return None;
        }
        for (index, open) in self.open.iter().enumerate().rev().take(MAX_SEARCH) {
            if open.tag == tag {
                return Some(index);
            }
            if is_border(open.tag) {
                return None;
            }
        }
        None
    }

    /// Ends the element of this tag that is open within the scope, and what is in it.
    fn end_within(&mut self, tag: Tag, is_border: impl Fn(Tag) -> bool) {
        if let Some(index) = self.find(tag, is_border) {
            while self.open.len() > index.max(1) {
                self.pop();
            }
        }
    }

    /// An element is no longer open, but what is open within it stays so.
    fn forget(&mut self, tag: Tag) {
        if let Some(index) = self.find(tag, is_table_scope)
            && index > 0
        {
            self.open.remove(index);
            self.counts[tag as usize] -= 1;
        }
    }

    fn close(&mut self, tag: Tag) {
        use Tag::*;
        match tag {
            Html | Body => {}
            Table | Tr | Tbody | Thead | Tfoot => {
                self.end_within(tag, |other| other == Table && tag != Table)
            }
            Td | Th => self.end_within(tag, |other| other == Table),
            _ if tag.is_heading() => {
                let index = self.open.iter().rposition(|open| open.tag.is_heading());
                if let Some(index) = index.filter(|&index| index + MAX_SEARCH > self.open.len()) {
                    let tag = self.open[index].tag;
                    self.end_within(tag, is_table_scope);
                }
            }
            _ if tag.is_block() || is_box(tag) => self.end_within(tag, is_table_scope),
            _ => match self.find(tag, |other| other.is_block()) {
                Some(index) => {
                    while self.open.len() > index.max(1) {
                        self.pop();
                    }
                }
                // `<a><div></a>`: the div goes on.
                None => self.forget(tag),
            },
        }
    }
}

/// Elements that are no blocks but hold what is in them together.
fn is_box(tag: Tag) -> bool {
    use Tag::*;
    matches!(
        tag,
        Button
            | Select
            | Object
            | Svg
            | Math
            | Template
            | Noscript
            | Video
            | Audio
            | Canvas
            | Head
            | MjxContainer
    )
}

fn is_table_scope(tag: Tag) -> bool {
    use Tag::*;
    matches!(tag, Table | Td | Th | Caption | Template)
}

fn is_button_scope(tag: Tag) -> bool {
    is_table_scope(tag) || matches!(tag, Tag::Button | Tag::Object | Tag::Svg | Tag::Math)
}
