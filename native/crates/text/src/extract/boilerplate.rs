//! Takes the furniture of a page away: menus, banners that ask for consent, share buttons, teasers, footers.

use dom_query::{Document, NodeRef};

pub fn remove(document: &Document) {
    document
        .select(
            "script, style, noscript, template, iframe, svg, canvas, object, embed, audio, video, button, select, \
             input, textarea, dialog, nav, [role=navigation], [role=dialog], [role=alertdialog], [role=search], \
             [role=contentinfo], [hidden], sup.reference, .mw-editsection, .noprint",
        )
        .remove();
    for node in document
        .select("div, section, ul, ol, aside, footer, header, p, span, form, table")
        .nodes()
    {
        if node.parent().is_some() && is_furniture(node) {
            node.remove_from_parent();
        }
    }
}

fn is_furniture(node: &NodeRef) -> bool {
    if node.has_name("footer") {
        // An article's own footer may hold its last words; the page's does not.
        return !node
            .ancestors_it(Some(8))
            .any(|parent| parent.has_name("article"));
    }
    let hidden = node.attr("style").is_some_and(|style| {
        let style = style.replace(' ', "").to_ascii_lowercase();
        style.contains("display:none") || style.contains("visibility:hidden")
    });
    if hidden {
        return true;
    }
    let class = node.class().unwrap_or_default();
    let id = node.id_attr().unwrap_or_default();
    if class.is_empty() && id.is_empty() {
        return false;
    }
    let names = format!("{class} {id}").to_ascii_lowercase();
    let marked = names.split_ascii_whitespace().any(|name| {
        STARTS.iter().any(|start| name.starts_with(start))
            || WORDS.iter().any(|word| has_word(name, word))
    });
    // A page may put such a word on its outermost box.
    marked && !holds_article(node)
}

const STARTS: [&str; 22] = [
    "comment-form",
    "comment-respond",
    "comments",
    "commentlist",
    "disqus",
    "authorbox",
    "author-box",
    "post-author",
    "kommentare",
    "teaser",
    "cookie",
    "consent",
    "gdpr",
    "onetrust",
    "cc-window",
    "sharedaddy",
    "addtoany",
    "jp-relatedposts",
    "breadcrumb",
    "newsletter",
    "sp_message",
    "usercentrics",
];

const WORDS: [&str; 24] = [
    "respond",
    "login",
    "cart",
    "warenkorb",
    "recommended",
    "recommendations",
    "trackback",
    "cookie",
    "cookies",
    "consent",
    "share",
    "sharing",
    "social",
    "newsletter",
    "breadcrumbs",
    "related",
    "navbar",
    "menu",
    "pagination",
    "pager",
    "advert",
    "advertisement",
    "banner",
    "promo",
];

/// Whether a class name has the word between its hyphens and underscores.
fn has_word(name: &str, word: &str) -> bool {
    name.split(['-', '_', ':']).any(|part| part == word)
}

fn holds_article(node: &NodeRef) -> bool {
    node.descendants_it()
        .any(|child| child.has_name("article") || child.has_name("main") || child.has_name("h1"))
}
