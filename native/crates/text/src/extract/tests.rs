use super::*;

mod articles;
mod bytes;
mod content;
mod hostile;

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
