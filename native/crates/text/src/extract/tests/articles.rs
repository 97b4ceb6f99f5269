//! Which part of a page is kept.

use super::*;

#[test]
fn a_questions_answers_are_kept_in_order_and_the_boxes_around_them_are_not() {
    let answer = |class: &str, name: &str| {
        format!(
            "<div class='{class}'><div class='votecell'>17</div><div class='s-prose' itemprop='text'><p>{name} explains in a \
             sentence of some length how a loop over pairs is written in this language.</p><pre><code class='lang-rust'>for \
             pair in v.windows(2) {{\n    use_pair(pair);\n}}</code></pre></div><div class='user-info'>joined \
             2012</div></div>"
        )
    };
    let page = format!(
        "<html><body><nav>Tour Help</nav><div id='content'><h1>Pairs in a loop</h1>{}<h2>2 Answers</h2><div id='answers'>{}{}\
         </div></div><div class='sidebar'>Linked questions</div></body></html>",
        answer("question", "Asking"),
        answer("answer", "Anna"),
        answer("answer", "Berta"),
    );
    let text = extract_html(&page, Limits::default()).unwrap().text;
    let places: Vec<_> = ["Asking", "Anna", "Berta"]
        .iter()
        .map(|name| text.find(name).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    assert_eq!(
        text.matches("```rust\nfor pair in v.windows(2) {\n    use_pair(pair);\n}\n```")
            .count(),
        3
    );
    for unwanted in ["17", "joined", "Tour", "Linked"] {
        assert!(!text.contains(unwanted), "{unwanted}\n{text}");
    }
}

#[test]
fn a_boards_posts_are_kept_even_where_one_is_much_longer() {
    let post = |text: &str| {
        format!(
            "<div class='post bg2'><div class='inner'><div class='postprofile'>Posts: 4711</div><div class='postbody'>\
                 <div class='content'>{text}</div></div><div class='signature'>my motto</div></div></div>"
        )
    };
    let long = "A long account of what was tried, in what order and with what result. ".repeat(12);
    let page = format!(
        "<html><body><div id='page-body'>{}{}{}</div></body></html>",
        post("Short and first: it does not start at all."),
        post(&long),
        post("Thanks, that was it.")
    );
    let text = extract_html(&page, Limits::default()).unwrap().text;
    for wanted in ["Short and first", "A long account", "Thanks, that was it."] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("4711") && !text.contains("motto"), "{text}");
}

#[test]
fn comments_below_an_article_come_only_when_they_are_asked_for() {
    let article =
        "<p>The article says what it has to say in sentences that are long enough to count as prose, and then some more.</p>"
            .repeat(8);
    let page = format!(
        "<html><body><article><h1>Title</h1>{article}</article><div id='comments'><ol class='comment-list'><li class='comment'>\
         <p>A reader disagrees at some length, politely, and gives three reasons for it in all.</p></li></ol></div></body></html>"
    );
    for comments in [false, true] {
        let limits = Limits {
            comments,
            ..Limits::default()
        };
        let text = extract_html(&page, limits).unwrap().text;
        assert_eq!(text.contains("A reader disagrees"), comments);
        assert!(text.contains("what it has to say"));
    }
}

#[test]
fn a_thread_that_calls_its_posts_comments_is_kept_beside_a_foot_with_prose() {
    let foot =
        "The company that runs this site says here who it is, and that it loves you. ".repeat(5);
    let more = "<div class='comment'><p>And another reader has this to say about the matter, for what it is worth today.</p></div>".repeat(9);
    let page = format!(
        "<html><body><h1>No signal</h1><div class='comment'><p>Since the update the phone finds no network in the tunnel and \
         none at home either, which is new.</p></div><div class='comment'><p>Mine does the same.</p></div>{more}<footer><p>{foot}\
         </p></footer></body></html>"
    );
    let text = extract_html(&page, Limits::default()).unwrap().text;
    for wanted in ["Since the update", "Mine does the same."] {
        assert!(text.contains(wanted), "{text}");
    }
    assert!(!text.contains("The company"), "{text}");
}

#[test]
fn what_leads_to_other_pages_and_repeats_is_left_out_of_the_article() {
    let text = text_of(
        "<div class='box'><h3><a href='/a'>Another story</a></h3><p>Short teaser of it.</p></div>\
         <ul><li><a href='/b'>Read also this</a></li><li><a href='/c'>And that</a></li></ul>\
         <p>Advertisement</p><figure><img src=x><figcaption>Photo: Somebody</figcaption></figure>\
         <p>A para&shy;graph with <a href='/d'>a link</a> &amp; more that belongs here.</p>",
    );
    for unwanted in [
        "Another story",
        "teaser",
        "Read also",
        "And that",
        "Advertisement",
        "Photo",
    ] {
        assert!(!text.contains(unwanted), "{unwanted}\n{text}");
    }
    assert!(
        text.contains("A paragraph with a link & more that belongs here."),
        "{text}"
    );
    assert_eq!(
        text.matches("This sentence is here").count(),
        5,
        "the second copy of a block goes"
    );
}
