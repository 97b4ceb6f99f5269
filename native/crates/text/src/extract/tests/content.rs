//! What of a page becomes text, and how.

use super::*;

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
