//! The running text in a page of prose and code.

/// In bytes: a longer code span or tag is none, only a mark without its partner.
const LONGEST_SPAN: usize = 300;

/// Words of running text with single spaces between. Code spans, tags, addresses and names such as `utf8_decode` are
/// mostly ASCII in any language and would outvote the few signs of a Chinese sentence.
pub fn prose_letters(text: &str, most: usize) -> String {
    let mut letters = String::with_capacity(text.len().min(4 * most));
    let (mut rest, mut count) = (text, 0);
    while count < most {
        let Some(at) = rest.find(['`', '<']) else {
            add_words(rest, most, &mut count, &mut letters);
            break;
        };
        add_words(&rest[..at], most, &mut count, &mut letters);
        let closing = if rest.as_bytes()[at] == b'<' {
            b'>'
        } else {
            b'`'
        };
        let window = &rest.as_bytes()[at + 1..rest.len().min(at + LONGEST_SPAN)];
        let length = window
            .iter()
            .position(|&byte| byte == closing || byte == b'\n');
        rest = match length {
            Some(length) if window[length] == closing => &rest[at + length + 2..],
            _ => &rest[at + 1..],
        };
    }
    letters
}

fn add_words(text: &str, most: usize, count: &mut usize, letters: &mut String) {
    for chunk in text.split_whitespace() {
        if *count >= most {
            return;
        }
        let word = chunk.trim_matches(|character: char| {
            character.is_ascii() && !character.is_ascii_alphabetic()
        });
        let code = |byte: u8| {
            byte.is_ascii() && !byte.is_ascii_alphabetic() && byte != b'\'' && byte != b'-'
        };
        if word.is_empty()
            || word.bytes().any(code)
            || chunk.starts_with(['-', '$', '/', '\\', '@'])
        {
            continue;
        }
        *count += word.chars().count();
        letters.push_str(word);
        letters.push(' ');
    }
}

/// Every letter, whatever it stands in.
pub fn all_letters(text: &str, most: usize) -> String {
    let mut letters = String::with_capacity(text.len().min(4 * most));
    for character in text.chars().take(4 * most) {
        let ascii_mark =
            character.is_ascii() && !character.is_ascii_alphabetic() && character != '\'';
        letters.push(if ascii_mark || character.is_numeric() {
            ' '
        } else {
            character
        });
    }
    letters
}
