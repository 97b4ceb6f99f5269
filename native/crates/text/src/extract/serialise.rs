//! A tree as plain text in the manner of Markdown: headings, lists, table rows and fenced code, no other marks.
//! The walk is a loop, not a recursion, whatever the depth.

use super::clock::Clock;
use super::code;
use super::dom::{Dom, NONE, NodeId};
use super::tag::{Name, Tag};

/// The text of a node and what is below it.
pub fn to_text(dom: &Dom, root: NodeId, clock: &Clock) -> Result<String, String> {
    let mut writer = Writer::default();
    let mut at = root;
    let mut steps = 0usize;
    loop {
        steps += 1;
        if steps.is_multiple_of(4096) {
            clock.check()?;
        }
        let first = dom.node(at).first;
        if !dom.node(at).dropped && writer.enter(dom, at) && first != NONE {
            at = first;
            continue;
        }
        loop {
            if !dom.node(at).dropped {
                writer.leave(dom, at);
            }
            if at == root {
                return Ok(writer.finish());
            }
            let next = dom.node(at).next;
            if next != NONE {
                at = next;
                break;
            }
            at = dom.node(at).parent;
        }
    }
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line ends owed before the next text.
    line_ends: usize,
    space: bool,
    /// For each open list: the next number, or nothing in an unordered one.
    lists: Vec<Option<i64>>,
    /// How many data tables are open; inside one, cells stay on their row's line.
    tables: usize,
    layout_tables: Vec<bool>,
    marker: String,
}

impl Writer {
    /// Whether the walk goes into the node.
    fn enter(&mut self, dom: &Dom, id: NodeId) -> bool {
        use Tag::*;
        let tag = dom.tag(id);
        match tag {
            Text => {
                let text = dom.text(id);
                if text.contains('\u{ad}') {
                    self.text(&text.replace('\u{ad}', ""));
                } else {
                    self.text(&text);
                }
                return false;
            }
            Pre => {
                self.code(dom, id);
                return false;
            }
            Br => self.line(1),
            Hr => self.line(2),
            H1 | H2 | H3 | H4 | H5 | H6 => {
                self.line(2);
                let level = tag as usize - H1 as usize + 1;
                self.marker = "#".repeat(level) + " ";
            }
            Ul | Ol | Menu | Dir => {
                self.line(if self.lists.is_empty() { 2 } else { 1 });
                let start = dom
                    .attribute(id, Name::Start)
                    .and_then(|start| start.trim().parse().ok());
                self.lists.push((tag == Ol).then(|| start.unwrap_or(1)));
            }
            Li => {
                self.line(1);
                let depth = self.lists.len().saturating_sub(1).min(8);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        if let Some(value) = dom
                            .attribute(id, Name::Value)
                            .and_then(|v| v.trim().parse().ok())
                        {
                            *number = value;
                        }
                        *number = number.wrapping_add(1);
                        format!("{}. ", number.wrapping_sub(1))
                    }
                    _ => "- ".to_string(),
                };
                self.marker = format!("{}{mark}", "  ".repeat(depth));
            }
            Table => {
                let layout = is_layout(dom, id);
                self.layout_tables.push(layout);
                self.line(2);
                self.tables += usize::from(!layout);
            }
            Tr => {
                if self.inside_data_table() {
                    self.row();
                } else {
                    self.line(1);
                }
            }
            Td | Th if !self.inside_data_table() => self.line(1),
            P | Blockquote | Figure | Dl => self.line(2),
            tag if tag.is_block() => self.line(1),
            _ => {}
        }
        true
    }

    fn leave(&mut self, dom: &Dom, id: NodeId) {
        use Tag::*;
        match dom.tag(id) {
            H1 | H2 | H3 | H4 | H5 | H6 => {
                self.marker.clear();
                self.line(2);
            }
            Ul | Ol | Menu | Dir => {
                self.lists.pop();
                self.line(if self.lists.is_empty() { 2 } else { 1 });
            }
            Li => {
                self.marker.clear();
                self.line(1);
            }
            Table => {
                if self.layout_tables.pop() == Some(false) {
                    self.tables -= 1;
                }
                self.line(2);
            }
            Td | Th if self.inside_data_table() => {
                let mut next = dom.node(id).next;
                while next != NONE && (dom.node(next).dropped || !matches!(dom.tag(next), Td | Th))
                {
                    next = dom.node(next).next;
                }
                if next != NONE && !self.out.is_empty() {
                    self.flush_space();
                    self.out.push_str(" |");
                    self.space = true;
                }
            }
            Td | Th => self.line(1),
            P | Blockquote | Figure | Dl => self.line(2),
            Br | Hr | Pre => {}
            tag if tag.is_block() => self.line(1),
            _ => {}
        }
    }

    fn inside_data_table(&self) -> bool {
        self.layout_tables.last() == Some(&false)
    }

    fn line(&mut self, count: usize) {
        if self.tables > 0 && self.inside_data_table() {
            self.space = true;
            return;
        }
        self.line_ends = self.line_ends.max(count);
        self.space = false;
    }

    fn row(&mut self) {
        self.line_ends = self.line_ends.max(1);
        self.space = false;
    }

    fn flush_space(&mut self) {
        if self.out.is_empty() {
            self.line_ends = 0;
        }
        if self.line_ends > 0 {
            for _ in 0..self.line_ends {
                self.out.push('\n');
            }
        } else if self.space && !self.out.is_empty() && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        self.line_ends = 0;
        self.space = false;
        self.out.push_str(&self.marker);
        self.marker.clear();
    }

    fn text(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.space = true;
        }
        for word in text.split_whitespace() {
            self.flush_space();
            self.out.push_str(word);
            self.space = true;
        }
        if !text.ends_with(char::is_whitespace) && !text.is_empty() {
            self.space = false;
        }
    }

    fn code(&mut self, dom: &Dom, id: NodeId) {
        let text = code::text(dom, id);
        let text = text.trim_matches('\n').trim_end();
        if text.trim().is_empty() {
            return;
        }
        let language = code::language(dom, id).unwrap_or_default();
        self.line_ends = 2;
        self.space = false;
        self.flush_space();
        // A fence is longer than any run of its sign within.
        let fence = "`".repeat(longest_run(text).max(2) + 1);
        self.out
            .push_str(&format!("{fence}{language}\n{text}\n{fence}"));
        self.line_ends = 2;
    }

    fn finish(self) -> String {
        self.out.trim_end().to_string()
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// A table that arranges the page and not data: it holds paragraphs, headings or further tables, or has one column.
fn is_layout(dom: &Dom, table: NodeId) -> bool {
    use Tag::*;
    let mut cells = 0;
    let mut rows = 0;
    for child in dom.descendants(table).take(2000) {
        match dom.tag(child) {
            Table | H1 | H2 | H3 | H4 | Ul | Ol | Pre | Blockquote | Form => return true,
            P if dom.text_below(child).len() > 200 => return true,
            Td | Th => cells += 1,
            Tr => rows += 1,
            _ => {}
        }
    }
    cells <= rows
}
