use super::*;

fn text_of(body: &str) -> String {
    let filler =
        "This sentence is here so that the page has an article that is long enough to be found. "
            .repeat(5);
    let html = format!(
        "<html><body><article><p>{filler}</p>{body}<p>{filler}</p></article></body></html>"
    );
    extract_html(&html, Limits::default()).unwrap().text
}

fn page<'a>(bytes: &'a [u8], content_type: &'a str) -> Page<'a> {
    Page {
        bytes,
        is_http: false,
        content_type: Some(content_type),
    }
}

#[test]
fn every_form_of_maths_becomes_tex_once() {
    let annotation = r#"<annotation encoding="application/x-tex">a^2</annotation>"#;
    let forms = [
        (r#"<p>so <script type="math/tex">a^2</script> is</p>"#.to_string(), "so $a^2$ is"),
        (
            r#"<p>so <span class="MathJax_Preview">a2</span><span class="MathJax">a2</span><script type="math/tex">a^2</script> is</p>"#.into(),
            "so $a^2$ is",
        ),
        (r#"<script type="math/tex; mode=display">a^2 < 3</script>"#.into(), "$$a^2 < 3$$"),
        (
            format!(r#"<p>so <span class="katex"><span class="katex-mathml"><math><semantics><mi>a</mi>{annotation}</semantics></math></span><span class="katex-html" aria-hidden="true">a2</span></span> is</p>"#),
            "so $a^2$ is",
        ),
        (format!("<p>so <math><semantics><msup><mi>a</mi><mn>2</mn></msup>{annotation}</semantics></math> is</p>"), "so $a^2$ is"),
        ("<p>so <math><mfrac><mi>a</mi><mn>12</mn></mfrac><mo>≤</mo><msub><mi>x</mi><mi>i</mi></msub></math> is</p>".into(), r"so $\frac{a}{12}\le x_i$ is"),
        (r#"<p>so <math alttext="a^2"><mi>b</mi></math> is</p>"#.into(), "so $a^2$ is"),
        (r#"<p>so <mjx-container><svg></svg><mjx-assistive-mml><math><mi>a</mi></math></mjx-assistive-mml></mjx-container> is</p>"#.into(), "so $a$ is"),
        (r#"<p>so <img class="mwe-math-fallback-image-inline" alt="{\displaystyle a^2}"> is</p>"#.into(), "so $a^2$ is"),
        (
            format!(r#"<p>so <span class="mwe-math-element"><span style="display: none"><math><semantics><mi>a</mi>{annotation}</semantics></math></span><img class="mwe-math-fallback-image-inline" alt="a^2"></span> is</p>"#),
            "so $a^2$ is",
        ),
        (r"<p>so \(a^2\) is</p>".into(), r"so \(a^2\) is"),
        ("<p>so $a^2$ is</p>".into(), "so $a^2$ is"),
    ];
    for (html, expected) in forms {
        let text = text_of(&html);
        assert!(text.contains(expected), "{html}\n{text}");
        assert!(
            !text.contains("a2"),
            "the drawn form is left beside the source: {html}"
        );
    }
}

#[test]
fn code_keeps_its_white_space_and_language() {
    let html = "<pre class=\"highlight\"><code class=\"language-rust\"><span>fn</span> main() {\n    if a &lt; b {\n\n\t    x();\n    }\n}\n</code></pre>";
    let text = text_of(html);
    assert!(
        text.contains("```rust\nfn main() {\n    if a < b {\n\n\t    x();\n    }\n}\n```"),
        "{text}"
    );
}

#[test]
fn lists_tables_and_headings_stay_readable() {
    let text = text_of(
        "<h2>Parts <b>of</b> it</h2><ul><li>one</li><li>two<ol><li>inner</li></ol></li></ul>\
         <table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>",
    );
    for expected in [
        "## Parts of it\n",
        "- one\n- two\n  1. inner",
        "a | b\n1 | 2",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
}

#[test]
fn menus_and_banners_are_left_out() {
    let text = text_of(
        "<nav>Home Imprint</nav><div class='cookie-banner'>We use cookies</div><div style='display: none'>hidden words</div>\
         <div id='onetrust-consent-sdk'>Accept</div><div class='social-share'>Share this</div>",
    );
    for unwanted in ["Imprint", "cookies", "hidden words", "Accept", "Share this"] {
        assert!(!text.contains(unwanted), "{unwanted}");
    }
}

#[test]
fn a_page_nested_twenty_thousand_deep_gives_its_text() {
    for tag in [
        "div",
        "b",
        "span",
        "blockquote",
        "font color=red",
        "table><tr><td",
        "ul><li",
    ] {
        let name = tag.split(['>', ' ']).next().unwrap();
        let html = format!(
            "{}deep inside{}",
            format!("<{tag}>").repeat(20_000),
            format!("</{name}>").repeat(20_000)
        );
        let bytes = format!("<html><body><p>before</p>{html}</body></html>");
        let text = extract(&page(bytes.as_bytes(), "text/html"), Limits::default())
            .unwrap()
            .text;
        assert!(text.contains("deep inside"), "{tag}");
    }
}

#[test]
fn the_charset_is_found_by_mark_then_header_then_page_then_guess() {
    let cases: [(&[u8], &str, &str, &str); 11] = [
        (b"c\0a\0f\0\xe9\0", "text/plain; charset=utf-16le", "caf\u{e9}", "UTF-16LE"),
        (b"\xc4\xe3\xba\xc3\x81\x30\x81\x30", "text/plain; charset=gb18030", "\u{4f60}\u{597d}\u{80}", "gb18030"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", "text/plain; charset=iso-8859-1", "caf\u{e9}", "UTF-8"),
        (b"\xff\xfec\0a\0f\0\xe9\0", "text/plain", "caf\u{e9}", "UTF-16LE"),
        (b"caf\xe9 \x93so\x94 - 5 \x80", "text/plain; charset=iso-8859-1", "caf\u{e9} \u{201c}so\u{201d} - 5 \u{20ac}", "windows-1252"),
        (b"caf\xc3\xa9", "text/plain; charset=utf-8", "caf\u{e9}", "UTF-8"),
        (b"caf\xe9 au lait, monsieur", "text/plain; charset=utf-8", "caf\u{e9} au lait, monsieur", "windows-1252"),
        (b"\x83\x65\x83\x58\x83\x67", "text/plain; charset=Shift_JIS", "\u{30c6}\u{30b9}\u{30c8}", "Shift_JIS"),
        (b"<meta charset='windows-1251'><p>\xcf\xf0\xe8\xe2\xe5\xf2</p>", "text/html", "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}", "windows-1251"),
        (
            b"<meta http-equiv=Content-Type content='text/html; charset=koi8-r'><p>\xf0\xd2\xc9\xd7\xc5\xd4</p>",
            "text/html",
            "\u{41f}\u{440}\u{438}\u{432}\u{435}\u{442}",
            "KOI8-R",
        ),
        (b"caf\xc3\xa9", "text/plain", "caf\u{e9}", "UTF-8"),
    ];
    for (bytes, content_type, text, charset) in cases {
        let found = extract(&page(bytes, content_type), Limits::default()).unwrap();
        assert_eq!(
            (found.text.as_str(), found.charset),
            (text, charset),
            "{content_type}"
        );
        assert_eq!(found.replaced, 0);
    }
}

#[test]
fn unreadable_bytes_and_zeros_are_replaced_and_counted() {
    let found = extract(
        &page(b"\xef\xbb\xbfa\0b\xffc", "text/plain"),
        Limits::default(),
    )
    .unwrap();
    assert_eq!(
        (found.text.as_str(), found.replaced),
        ("a\u{fffd}b\u{fffd}c", 2)
    );
}

#[test]
fn http_bodies_are_joined_and_unpacked_or_refused_with_a_reason() {
    let body = b"<html><body><p>Some words on a page.</p></body></html>";
    let response = |headers: &str, body: &[u8]| {
        let bytes = [
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{headers}\r\n").as_bytes(),
            body,
        ]
        .concat();
        extract(
            &Page {
                bytes: &bytes,
                is_http: true,
                content_type: None,
            },
            Limits {
                max_page_bytes: 1 << 20,
                ..Limits::default()
            },
        )
        .map(|found| found.text)
    };
    let gzip = |bytes: &[u8]| {
        let mut out = Vec::new();
        std::io::Read::read_to_end(
            &mut flate2::read::GzEncoder::new(bytes, flate2::Compression::new(6)),
            &mut out,
        )
        .unwrap();
        out
    };
    let words = "Some words on a page.";
    let chunked = [
        b"1a;x=y\r\n",
        &body[..26],
        b"\r\n",
        format!("{:x}\r\n", body.len() - 26).as_bytes(),
        &body[26..],
        b"\r\n0\r\n\r\n",
    ]
    .concat();
    assert_eq!(response("", body).unwrap(), words);
    assert_eq!(
        response("Transfer-Encoding: chunked\r\n", &chunked).unwrap(),
        words
    );
    assert_eq!(
        response("Transfer-Encoding: chunked\r\n", body).unwrap(),
        words,
        "joined already"
    );
    assert_eq!(
        response("Content-Encoding: gzip\r\n", &gzip(body)).unwrap(),
        words
    );
    assert_eq!(
        response("Content-Encoding: gzip\r\n", body).unwrap(),
        words,
        "unpacked already"
    );
    // Made by zlib.brotliCompressSync of Node.
    let brotli = b"\x8b\x0d\x80<p>Some words on a page.</p>\x03";
    assert_eq!(response("Content-Encoding: br\r\n", brotli).unwrap(), words);
    assert_eq!(
        response("Content-Encoding: br\r\n", body).unwrap(),
        words,
        "unpacked already"
    );
    assert!(
        response("Content-Encoding: br\r\n", &[0xff; 40])
            .unwrap_err()
            .contains("br")
    );
    let mut zstd = Vec::new();
    zstd::stream::copy_encode(&body[..], &mut zstd, 3).unwrap();
    assert_eq!(
        response("Content-Encoding: zstd\r\n", &zstd).unwrap(),
        words
    );
    assert!(
        response("Content-Encoding: compress\r\n", &[0x1f; 40])
            .unwrap_err()
            .contains("compress")
    );
    assert!(
        response("Content-Encoding: gzip\r\n", &gzip(&vec![b' '; 5 << 20]))
            .unwrap_err()
            .contains("larger")
    );
    let missing = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\n\r\n<p>no</p>";
    assert!(
        extract(
            &Page {
                bytes: missing,
                is_http: true,
                content_type: None
            },
            Limits::default()
        )
        .is_err()
    );
    assert!(
        extract(&page(b"\x89PNG", "image/png"), Limits::default())
            .unwrap_err()
            .contains("image/png")
    );
}

#[test]
fn a_batch_keeps_its_order() {
    let texts: Vec<String> = (0..300).map(|i| format!("page number {i}")).collect();
    let pages: Vec<Page> = texts
        .iter()
        .map(|text| page(text.as_bytes(), "text/plain"))
        .collect();
    for (result, text) in extract_batch(&pages, Limits::default(), 0)
        .iter()
        .zip(&texts)
    {
        assert_eq!(&result.as_ref().unwrap().text, text);
    }
}

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

#[test]
fn numbers_of_lists_and_entities_are_those_of_the_page() {
    let text = text_of(
        "<ol start=4><li>four<li>five<li value=9>nine</ol><p>&#8220;x&#x201d; &Auml;&euml &notin; &nosuch; &#150;</p>",
    );
    assert!(text.contains("4. four\n5. five\n9. nine"), "{text}");
    assert!(
        text.contains("\u{201c}x\u{201d} \u{c4}\u{eb} \u{2209} &nosuch; \u{2013}"),
        "{text}"
    );
}

#[test]
fn a_page_that_takes_too_long_is_given_back_as_such() {
    let page = "<p>words</p>".repeat(100_000);
    let limits = Limits {
        max_time: Duration::ZERO,
        ..Limits::default()
    };
    assert!(
        extract_html(&page, limits)
            .unwrap_err()
            .starts_with("too long")
    );
}

#[test]
fn pages_made_to_be_slow_take_no_longer_than_their_size_asks_for() {
    let n = 200_000;
    let pages = [
        "<!--".repeat(n),
        "<b>".repeat(n) + &"<div></b>".repeat(n),
        "<p><a>".repeat(n),
        "<table><tr><td>".repeat(n),
        "<li>".repeat(n),
        "<h1>".repeat(n),
        "</div>".repeat(n),
        "<math><mrow>".repeat(n),
        "<![CDATA[".repeat(n),
        "<pre>".repeat(n),
        "&".repeat(n),
        "<div class='comment'>".repeat(n),
        "<div class='message'>x y".repeat(n),
        "<script>".repeat(n),
        format!("<div class=\"{}\">x</div>", "cookie ".repeat(n)),
        format!("<p title='{}'>text</p>", "x".repeat(20 * n)),
        "<a href=\"".repeat(n),
    ];
    for page in pages {
        let page = format!("<html><body><p>before</p>{page}");
        let start = std::time::Instant::now();
        let _ = extract_html(&page, Limits::default()).unwrap();
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "{} took {:?}",
            &page[30..50],
            start.elapsed()
        );
    }
}

/// Pieces of pages put together at random, cut anywhere: whatever comes, there is a text or a reason.
#[test]
fn no_page_makes_the_extractor_fail() {
    const PIECES: [&str; 44] = [
        "<p>",
        "</p>",
        "<div class='comment post message'>",
        "</div>",
        "<table>",
        "<tr>",
        "<td>",
        "</table>",
        "<pre>",
        "</pre>",
        "<code class=language-x>",
        "<ul>",
        "<ol start=-9223372036854775808>",
        "<li value=9223372036854775807>",
        "</ul>",
        "<h2>",
        "</h3>",
        "<a href='x'>",
        "</a>",
        "<b>",
        "</b>",
        "<math>",
        "<msup>",
        "<mi>x</mi>",
        "<mfrac/>",
        "</math>",
        "<span class=katex>",
        "<annotation encoding=tex>",
        "<script type=math/tex>",
        "</script>",
        "<!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "&amp;",
        "&#x110000;",
        "&#",
        "&notin",
        "\0",
        "\u{e9}\u{ad}\u{1f600}",
        "Words of a sentence, which goes on, and on, until its end. ",
        "<article itemprop=articleBody>",
        "<aside hidden style='display: none'>",
        "<",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let pages: Vec<Vec<u8>> = (0..4000)
        .map(|_| {
            let mut page = Vec::new();
            for _ in 0..next(120) {
                page.extend_from_slice(PIECES[next(PIECES.len())].as_bytes());
                if next(20) == 0 {
                    page.push(next(256) as u8);
                }
            }
            page.truncate(page.len() - next(4).min(page.len()));
            page
        })
        .collect();
    let inputs: Vec<Page> = pages.iter().map(|bytes| page(bytes, "text/html")).collect();
    let limits = Limits {
        comments: true,
        ..Limits::default()
    };
    for (result, bytes) in extract_batch(&inputs, limits, 2).iter().zip(&pages) {
        let failed = result
            .as_ref()
            .err()
            .is_some_and(|reason| reason.contains("failed") || reason.contains("too long"));
        assert!(
            !failed,
            "{:?}: {}",
            result.as_ref().err(),
            String::from_utf8_lossy(bytes)
        );
    }
}
