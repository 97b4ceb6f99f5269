//! Pages that are made, or broken, to fail or to be slow.

use super::*;

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
