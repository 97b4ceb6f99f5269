use super::*;

fn read(line: &[u8]) -> Result<(String, Option<String>, u64), &'static str> {
    let mut arena = Vec::new();
    let found = read_line(line, &mut arena)?;
    let string = |range: Range<u32>| {
        String::from_utf8(arena[range.start as usize..range.end as usize].to_vec()).unwrap()
    };
    Ok((string(found.text), found.id.map(string), found.replaced))
}

#[test]
fn unescapes_as_json_parse_does() {
    let line = br#" {"te\u0078t" : "a\"\\\/\b\f\n\r\t\u20ac\ud83d\ude00 \u00e9" , "id":-1.5e3 } "#;
    let expected = "a\"\\/\u{8}\u{c}\n\r\t\u{20ac}\u{1f600} \u{e9}";
    assert_eq!(read(line), Ok((expected.into(), Some("-1.5e3".into()), 0)));
    assert_eq!(
        read(br#"{"text":"a","text":"b","id":null}"#),
        Ok(("b".into(), None, 0))
    );
}

#[test]
fn replaces_half_pairs_and_broken_utf8_and_counts_them() {
    let line = br#"{"text":"\ud83d!\ude00\ud83d\u0041","id":"\ud800"}"#;
    let text = "\u{fffd}!\u{fffd}\u{fffd}A";
    assert_eq!(
        read(line),
        Ok((text.into(), Some("\"\u{fffd}\"".into()), 4))
    );
    let line = b"{\"text\":\"a\xff\xfeb\xc3\xa9\"}";
    assert_eq!(read(line), Ok(("a\u{fffd}\u{fffd}b\u{e9}".into(), None, 2)));
}

#[test]
fn refuses_what_is_no_json() {
    let deep = [b"{\"text\":\"a\",\"x\":".to_vec(), vec![b'['; 600]].concat();
    let broken: [&[u8]; 16] = [
        b"{",
        b"[]",
        b"{\"text\":1}",
        b"{\"text\":\"a\"",
        b"{\"text\":\"a\"}}",
        b"{\"text\":\"a\",}",
        b"{\"text\":\"a\" \"b\":1}",
        b"{\"text\":\"a\x01\"}",
        b"{\"text\":\"a\\q\"}",
        b"{\"text\":\"a\\u12g4\"}",
        b"{\"text\":\"a\",\"n\":01}",
        b"{\"text\":\"a\",\"n\":1.}",
        b"{\"text\":\"a\",\"n\":tru}",
        b"{text:\"a\"}",
        b"{\"text\":\"a\\",
        &deep,
    ];
    for line in broken {
        assert!(read(line).is_err(), "{}", String::from_utf8_lossy(line));
    }
}

#[test]
fn finds_the_end_of_plain_text_at_every_place() {
    for length in 0..40 {
        for stop in [b'"', b'\\', 0x1f, 0] {
            let mut bytes = "é\u{7f}~!".repeat(8).into_bytes();
            bytes.truncate(length);
            bytes.push(stop);
            bytes.extend(b"more text and \" after");
            assert_eq!(plain_end(&bytes, 0), length);
        }
    }
}

#[test]
fn writes_strings_that_it_reads_again() {
    let text = "a\"b\\c\n\t\r\u{0}\u{1f} é😀";
    let mut out = b"{\"text\":".to_vec();
    push_json_string(text, &mut out);
    out.push(b'}');
    assert_eq!(read(&out), Ok((text.into(), None, 0)));
}
