//! From bytes to a page: charsets, HTTP, batches.

use super::*;

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
