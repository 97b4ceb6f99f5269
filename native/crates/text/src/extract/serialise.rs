//! A tree as plain text in the manner of Markdown: headings, lists, table rows and fenced code, no other marks.
//! The walk is a loop, not a recursion, whatever the depth.

use dom_query::{Document, NodeRef};

/// The text below a node.
pub fn to_text(root: &NodeRef) -> String {
    let mut writer = Writer::default();
    let Some(mut node) = root.first_child() else {
        return String::new();
    };
    loop {
        if writer.enter(&node)
            && let Some(child) = node.first_child()
        {
            node = child;
            continue;
        }
        loop {
            writer.leave(&node);
            if let Some(next) = node.next_sibling() {
                node = next;
                break;
            }
            match node.parent() {
                Some(parent) if parent.id != root.id => node = parent,
                _ => return writer.finish(),
            }
        }
    }
}

/// Turns every code block into `<pre class="language-x">` with nothing but text in it, so that no highlighter's
/// markup and no clean-up of the extractor can change it.
pub fn mark_code(document: &Document) {
    document
        .select("pre .lineno, pre .linenumber, pre .line-number, pre .line-numbers-rows, td.gutter, td.linenos, .highlight .lineno")
        .remove();
    for pre in document.select("pre").nodes() {
        if pre.parent().is_none() {
            continue;
        }
        let language = code_language(pre).unwrap_or_default();
        for line_break in pre
            .descendants()
            .iter()
            .filter(|child| child.has_name("br"))
        {
            line_break.replace_with_html("\n");
        }
        let text = pre.text().to_string();
        pre.remove_all_attrs();
        if !language.is_empty() {
            pre.set_attr("class", &format!("language-{language}"));
        }
        pre.set_text(text);
    }
}

/// From the class of the block, of the `code` in it or of the boxes around it.
fn code_language(pre: &NodeRef) -> Option<String> {
    let inner = pre.descendants_it().find(|child| child.has_name("code"));
    let around = pre.ancestors_it(Some(2)).collect::<Vec<_>>();
    std::iter::once(*pre)
        .chain(inner)
        .chain(around)
        .find_map(|node| {
            if let Some(language) = node
                .attr("data-lang")
                .or_else(|| node.attr("data-language"))
            {
                return plausible(&language);
            }
            let class = node.class()?.to_ascii_lowercase();
            let mut names = class.split_ascii_whitespace().peekable();
            while let Some(name) = names.next() {
                for prefix in ["language-", "lang-", "highlight-source-", "brush:"] {
                    if let Some(language) = name.strip_prefix(prefix) {
                        let following = names.peek().copied().unwrap_or_default();
                        return plausible(if language.is_empty() {
                            following
                        } else {
                            language
                        });
                    }
                }
                if name == "sourcecode" {
                    return plausible(names.peek().copied().unwrap_or_default());
                }
            }
            None
        })
}

fn plausible(language: &str) -> Option<String> {
    let language = language.trim().trim_end_matches(';').to_ascii_lowercase();
    let good = (1..=20).contains(&language.len())
        && language
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'#' | b'-' | b'.'));
    (good && language != "none" && language != "plaintext").then_some(language)
}

#[derive(Default)]
struct Writer {
    out: String,
    /// Line ends owed before the next text.
    line_ends: usize,
    space: bool,
    /// For each open list: the next number, or nothing in an unordered one.
    lists: Vec<Option<usize>>,
    /// How many data tables are open; inside one, cells stay on their row's line.
    tables: usize,
    layout_tables: Vec<bool>,
    marker: String,
}

impl Writer {
    /// Whether the walk goes into the node.
    fn enter(&mut self, node: &NodeRef) -> bool {
        if node.is_text() {
            self.text(&node.text());
            return false;
        }
        if !node.is_element() {
            return node.is_document() || node.is_fragment();
        }
        let Some(name) = node.node_name() else {
            return false;
        };
        match &*name {
            "head" | "script" | "style" | "noscript" | "template" | "iframe" | "svg" | "button"
            | "select" | "textarea" | "object" | "title" => return false,
            "pre" => {
                self.code(node);
                return false;
            }
            "br" => self.line(1),
            "hr" => self.line(2),
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.line(2);
                let level = usize::from(name.as_bytes()[1] - b'0');
                self.marker = format!("{} ", "#".repeat(level));
            }
            "ul" | "ol" => {
                self.line(if self.lists.is_empty() { 2 } else { 1 });
                self.lists.push((&*name == "ol").then_some(1));
            }
            "li" => {
                self.line(1);
                let depth = self.lists.len().saturating_sub(1).min(8);
                let mark = match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        format!("{}. ", *number - 1)
                    }
                    _ => "- ".to_string(),
                };
                self.marker = format!("{}{mark}", "  ".repeat(depth));
            }
            "table" => {
                let layout = is_layout(node);
                self.layout_tables.push(layout);
                self.line(2);
                self.tables += usize::from(!layout);
            }
            "tr" => {
                if self.inside_data_table() {
                    self.row();
                } else {
                    self.line(1);
                }
            }
            "td" | "th" if !self.inside_data_table() => self.line(1),
            "p" | "blockquote" | "figure" | "dl" => self.line(2),
            _ if is_block(&name) => self.line(1),
            _ => {}
        }
        true
    }

    fn leave(&mut self, node: &NodeRef) {
        let Some(name) = node.node_name() else { return };
        match &*name {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" => {
                self.marker.clear();
                self.line(2);
            }
            "ul" | "ol" => {
                self.lists.pop();
                self.line(if self.lists.is_empty() { 2 } else { 1 });
            }
            "li" => {
                self.marker.clear();
                self.line(1);
            }
            "table" => {
                if self.layout_tables.pop() == Some(false) {
                    self.tables -= 1;
                }
                self.line(2);
            }
            "td" | "th"
                if self.inside_data_table()
                    && node.next_element_sibling().is_some()
                    && !self.out.is_empty() =>
            {
                self.flush_space();
                self.out.push_str(" |");
                self.space = true;
            }
            "td" | "th" => self.line(1),
            "p" | "blockquote" | "figure" | "dl" => self.line(2),
            "br" | "hr" => {}
            _ if is_block(&name) => self.line(1),
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
        self.out.push_str(&std::mem::take(&mut self.marker));
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

    fn code(&mut self, node: &NodeRef) {
        let text = node.text();
        let text = text.trim_matches('\n').trim_end();
        if text.trim().is_empty() {
            return;
        }
        let language = node.class().unwrap_or_default();
        let language = language.strip_prefix("language-").unwrap_or_default();
        self.line_ends = 2;
        self.space = false;
        self.flush_space();
        self.out.push_str(&format!("```{language}\n{text}\n```"));
        self.line_ends = 2;
    }

    fn finish(self) -> String {
        self.out.trim_end().to_string()
    }
}

fn is_block(name: &str) -> bool {
    matches!(
        name,
        "div"
            | "section"
            | "article"
            | "main"
            | "header"
            | "footer"
            | "aside"
            | "nav"
            | "address"
            | "center"
            | "dt"
            | "dd"
            | "figcaption"
            | "form"
            | "fieldset"
            | "details"
            | "summary"
            | "caption"
            | "body"
            | "hgroup"
    )
}

/// A table that arranges the page and not data: it holds paragraphs, headings or further tables, or has one column.
fn is_layout(table: &NodeRef) -> bool {
    let mut cells = 0;
    let mut rows = 0;
    for child in table.descendants_it().take(2000) {
        let Some(name) = child.node_name() else {
            continue;
        };
        match &*name {
            "table" | "h1" | "h2" | "h3" | "h4" | "ul" | "ol" | "pre" | "blockquote" | "form" => {
                return true;
            }
            "p" if child.text().len() > 200 => return true,
            "td" | "th" => cells += 1,
            "tr" => rows += 1,
            _ => {}
        }
    }
    cells <= rows
}
