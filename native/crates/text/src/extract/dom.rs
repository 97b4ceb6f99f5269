//! A page as a tree: nodes in one array in document order, so a parent always comes before what is in it and sums
//! over subtrees are one loop from the end. Text and attributes stay slices of the page.

use super::entities;
use super::tag::{Name, Tag};
use std::borrow::Cow;

pub type NodeId = u32;
/// No node.
pub const NONE: NodeId = u32::MAX;
pub const ROOT: NodeId = 0;

pub struct Node<'a> {
    pub tag: Tag,
    /// Taken out of the page, with all that is in it.
    pub dropped: bool,
    pub parent: NodeId,
    pub first: NodeId,
    pub last: NodeId,
    pub next: NodeId,
    /// The first of its attributes and their number.
    attributes: u32,
    attribute_count: u32,
    /// Of a text node: what it says, character references not yet replaced unless `is_plain`.
    raw: Cow<'a, str>,
    is_plain: bool,
}

pub struct Dom<'a> {
    pub nodes: Vec<Node<'a>>,
    attributes: Vec<(Name, &'a str)>,
}

impl<'a> Dom<'a> {
    pub fn new(capacity: usize) -> Self {
        let mut dom = Self {
            nodes: Vec::with_capacity(capacity),
            attributes: Vec::with_capacity(capacity / 2),
        };
        dom.push(Tag::Document, NONE, Cow::Borrowed(""), true);
        dom
    }

    pub fn len(&self) -> NodeId {
        self.nodes.len() as NodeId
    }

    pub fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id as usize]
    }

    pub fn tag(&self, id: NodeId) -> Tag {
        self.nodes[id as usize].tag
    }

    /// Adds an element behind what its parent holds; `attributes` is where its own begin in the common list.
    pub fn add_element(&mut self, tag: Tag, parent: NodeId, attributes: usize) -> NodeId {
        let id = self.push(tag, parent, Cow::Borrowed(""), true);
        let count = self.attributes.len() - attributes;
        let node = &mut self.nodes[id as usize];
        node.attributes = attributes as u32;
        node.attribute_count = count as u32;
        id
    }

    pub fn add_text(&mut self, text: &'a str, parent: NodeId, is_plain: bool) -> NodeId {
        self.push(Tag::Text, parent, Cow::Borrowed(text), is_plain)
    }

    pub fn add_attribute(&mut self, name: Name, value: &'a str) {
        self.attributes.push((name, value));
    }

    pub fn attribute_total(&self) -> usize {
        self.attributes.len()
    }

    fn push(&mut self, tag: Tag, parent: NodeId, raw: Cow<'a, str>, is_plain: bool) -> NodeId {
        let id = self.nodes.len() as NodeId;
        self.nodes.push(Node {
            tag,
            dropped: false,
            parent,
            first: NONE,
            last: NONE,
            next: NONE,
            attributes: 0,
            attribute_count: 0,
            raw,
            is_plain,
        });
        if parent != NONE {
            let before = self.nodes[parent as usize].last;
            if before == NONE {
                self.nodes[parent as usize].first = id;
            } else {
                self.nodes[before as usize].next = id;
            }
            self.nodes[parent as usize].last = id;
        }
        id
    }

    /// Makes a text node of an element: what was in it is gone.
    pub fn become_text(&mut self, id: NodeId, text: String) {
        for below in id + 1..self.end(id) {
            self.nodes[below as usize].dropped = true;
        }
        let node = &mut self.nodes[id as usize];
        node.tag = Tag::Text;
        node.raw = Cow::Owned(text);
        node.is_plain = true;
        node.first = NONE;
        node.last = NONE;
        node.attribute_count = 0;
    }

    /// The first node behind all that is below a node: what is below lies together.
    pub fn end(&self, id: NodeId) -> NodeId {
        let mut last = id;
        while self.node(last).last != NONE {
            last = self.node(last).last;
        }
        last + 1
    }

    pub fn drop_node(&mut self, id: NodeId) {
        self.nodes[id as usize].dropped = true;
    }

    /// Takes a part in again.
    pub fn keep_node(&mut self, id: NodeId) {
        self.nodes[id as usize].dropped = false;
    }

    /// What a text node says; empty for an element.
    pub fn text(&self, id: NodeId) -> Cow<'_, str> {
        let node = self.node(id);
        if node.is_plain {
            Cow::Borrowed(&node.raw)
        } else {
            entities::decode(&node.raw)
        }
    }

    /// What a text node says as it stands in the page.
    pub fn raw(&self, id: NodeId) -> &str {
        &self.node(id).raw
    }

    pub fn attributes(&self, id: NodeId) -> &[(Name, &'a str)] {
        let node = self.node(id);
        let start = node.attributes as usize;
        &self.attributes[start..start + node.attribute_count as usize]
    }

    /// An attribute as it stands in the page, without its character references replaced.
    pub fn attribute(&self, id: NodeId, name: Name) -> Option<&'a str> {
        self.attributes(id)
            .iter()
            .find(|(other, _)| *other == name)
            .map(|(_, value)| *value)
    }

    pub fn class(&self, id: NodeId) -> &'a str {
        self.attribute(id, Name::Class).unwrap_or("")
    }

    pub fn has_class(&self, id: NodeId, class: &str) -> bool {
        self.class(id)
            .split_ascii_whitespace()
            .any(|name| name == class)
    }

    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        self.chain(self.node(id).first)
    }

    fn chain(&self, first: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut at = first;
        std::iter::from_fn(move || {
            while at != NONE {
                let id = at;
                at = self.node(id).next;
                if !self.node(id).dropped {
                    return Some(id);
                }
            }
            None
        })
    }

    pub fn ancestors(&self, id: NodeId) -> impl Iterator<Item = NodeId> + '_ {
        let mut at = self.node(id).parent;
        std::iter::from_fn(move || {
            if at == NONE {
                return None;
            }
            let id = at;
            at = self.node(id).parent;
            Some(id)
        })
    }

    /// Everything below a node in document order, without what was dropped. Mutable use goes by ids.
    pub fn descendants(&self, root: NodeId) -> Descendants<'_, 'a> {
        Descendants {
            dom: self,
            root,
            at: root,
        }
    }

    /// The text below a node, as it is.
    pub fn text_below(&self, root: NodeId) -> String {
        let mut out = String::new();
        if self.tag(root) == Tag::Text {
            out.push_str(&self.text(root));
        }
        for id in self.descendants(root) {
            match self.tag(id) {
                Tag::Text => out.push_str(&self.text(id)),
                Tag::Br => out.push('\n'),
                _ => {}
            }
        }
        out
    }
}

pub struct Descendants<'d, 'a> {
    dom: &'d Dom<'a>,
    root: NodeId,
    at: NodeId,
}

impl Descendants<'_, '_> {
    /// Leaves out what is below the node that came last.
    pub fn skip_below(&mut self, id: NodeId) {
        // The deepest last node of it: the walk goes on behind it.
        self.at = self.dom.end(id) - 1;
    }

    fn following(&self, from: NodeId) -> NodeId {
        let mut at = from;
        loop {
            if at == self.root {
                return NONE;
            }
            let next = self.dom.node(at).next;
            if next != NONE {
                return next;
            }
            at = self.dom.node(at).parent;
        }
    }
}

impl Iterator for Descendants<'_, '_> {
    type Item = NodeId;

    fn next(&mut self) -> Option<NodeId> {
        if self.at == NONE {
            return None;
        }
        let first = self.dom.node(self.at).first;
        let mut at = if first != NONE && !self.dom.node(self.at).dropped {
            first
        } else {
            self.following(self.at)
        };
        while at != NONE && self.dom.node(at).dropped {
            at = self.following(at);
        }
        self.at = at;
        (at != NONE).then_some(at)
    }
}
