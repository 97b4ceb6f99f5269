//! What spaCy's English rules cut off the front and the end of a chunk, and where they split within one.

use unicode_general_category::{GeneralCategory, get_general_category};

fn is_quote(character: char) -> bool {
    matches!(
        character,
        '\'' | '"'
            | '”'
            | '“'
            | '`'
            | '‘'
            | '´'
            | '’'
            | '‚'
            | ','
            | '„'
            | '»'
            | '«'
            | '「'
            | '」'
            | '『'
            | '』'
            | '（'
            | '）'
            | '〔'
            | '〕'
            | '【'
            | '】'
            | '《'
            | '》'
            | '〈'
            | '〉'
            | '\u{2329}'
            | '\u{232a}'
            | '⟦'
            | '⟧'
    )
}

fn is_stop(character: char) -> bool {
    matches!(
        character,
        '…' | ','
            | ':'
            | ';'
            | '!'
            | '?'
            | '¿'
            | '؟'
            | '¡'
            | '('
            | ')'
            | '['
            | ']'
            | '{'
            | '}'
            | '<'
            | '>'
            | '_'
            | '#'
            | '*'
            | '&'
            | '。'
            | '？'
            | '！'
            | '，'
            | '、'
            | '；'
            | '：'
            | '～'
            | '·'
            | '।'
            | '،'
            | '۔'
            | '؛'
            | '٪'
    )
}

fn is_currency(character: char) -> bool {
    matches!(
        character,
        '$' | '£' | '€' | '¥' | '฿' | '﷼' | '\u{20a0}'..='\u{20bf}'
    )
}

pub fn is_icon(character: char) -> bool {
    character as u32 >= 0xa6 && get_general_category(character) == GeneralCategory::OtherSymbol
}

fn is_hyphen(character: char) -> bool {
    matches!(character, '-' | '–' | '—' | '~')
}

/// Letters of scripts without case are of both cases to spaCy.
fn is_lower(character: char) -> bool {
    character.is_alphabetic() && !character.is_uppercase()
}

fn is_upper(character: char) -> bool {
    character.is_alphabetic() && !character.is_lowercase()
}

/// Two dots or more.
fn dots(rest: &str) -> usize {
    let dots = rest.bytes().take_while(|&byte| byte == b'.').count();
    if dots >= 2 { dots } else { 0 }
}

pub fn prefix_length(chunk: &str) -> usize {
    let mut characters = chunk.chars();
    let Some(first) = characters.next() else {
        return 0;
    };
    if first.is_ascii_alphabetic() {
        let sign = matches!(first, 'U' | 'C' | 'A').then(|| {
            ["US$", "C$", "A$"]
                .into_iter()
                .find(|sign| chunk.starts_with(sign))
        });
        return sign.flatten().map_or(0, str::len);
    }
    let alone = matches!(first, '§' | '%' | '=' | '—' | '–')
        || is_stop(first)
        || is_quote(first)
        || is_currency(first)
        || first == '+' && !characters.next().is_some_and(|next| next.is_ascii_digit())
        || is_icon(first);
    if alone { first.len_utf8() } else { dots(chunk) }
}

pub fn suffix_length(chunk: &str) -> usize {
    let mut characters = chunk.chars();
    let Some(last) = characters.next_back() else {
        return 0;
    };
    let before = characters.next_back();
    let after_digit = |rest: &str| rest.ends_with(|character: char| character.is_ascii_digit());
    match last {
        's' | 'S' if matches!(before, Some('\'' | '’')) => {
            return 1 + before.map_or(0, char::len_utf8);
        }
        '.' => {
            let run = chunk.bytes().rev().take_while(|&byte| byte == b'.').count();
            if run >= 2 {
                return run;
            }
            let Some(before) = before else { return 0 };
            let ends = before.is_ascii_digit()
                || is_lower(before)
                || matches!(before, '%' | '²' | '-' | '+' | '|' | '\\')
                || is_stop(before)
                || is_quote(before)
                || is_upper(before)
                    && characters.next_back().is_some_and(|second| {
                        is_upper(second) || second == '°' && matches!(before, 'F' | 'C' | 'K')
                    });
            return usize::from(ends);
        }
        '—' | '–' => return last.len_utf8(),
        '+' => return usize::from(before.is_some_and(|before| before.is_ascii_digit())),
        _ => {}
    }
    if is_stop(last) || is_quote(last) || is_icon(last) {
        return last.len_utf8();
    }
    if is_currency(last) {
        return if before.is_some_and(|before| before.is_ascii_digit()) {
            last.len_utf8()
        } else {
            0
        };
    }
    let tail = &chunk.as_bytes()[chunk.len().saturating_sub(LONGEST_UNIT + 1)..];
    if !tail.iter().any(u8::is_ascii_digit) {
        return 0;
    }
    let unit = UNITS
        .iter()
        .find(|unit| chunk.strip_suffix(**unit).is_some_and(after_digit));
    unit.map_or(0, |unit| unit.len())
}

pub fn infix_length(before: char, character: char, rest: &str) -> usize {
    let letter =
        |character: Option<char>| character.is_some_and(|character| character.is_alphabetic());
    if character.is_ascii_alphanumeric() {
        return 0;
    }
    let next = || rest[character.len_utf8()..].chars().next();
    let split = match character {
        '.' if dots(rest) > 0 => return dots(rest),
        '.' => {
            (is_lower(before) || is_quote(before))
                && next().is_some_and(|next| is_upper(next) || is_quote(next))
        }
        '…' => true,
        ',' => before.is_alphabetic() && letter(next()),
        ':' | '<' | '>' | '=' | '/' => {
            (before.is_alphabetic() || before.is_ascii_digit()) && letter(next())
        }
        '+' | '*' | '^' => {
            before.is_ascii_digit()
                && next().is_some_and(|next| next.is_ascii_digit() || next == '-')
        }
        '-' if before.is_ascii_digit()
            && next().is_some_and(|next| next.is_ascii_digit() || next == '-') =>
        {
            true
        }
        _ if is_hyphen(character) => {
            let longest = match character {
                '-' => 3,
                '—' => 2,
                _ => 1,
            };
            // One more than fits is enough to know: a rule of a million dashes is looked at once.
            let run = rest.chars().take(longest + 1);
            let run = run.take_while(|&next| next == character).count();
            let bytes = run * character.len_utf8();
            let splits = run <= longest
                && (before.is_alphabetic() || before.is_ascii_digit())
                && letter(rest[bytes..].chars().next());
            return if splits { bytes } else { 0 };
        }
        _ => is_icon(character),
    };
    usize::from(split) * character.len_utf8()
}

/// In bytes.
const LONGEST_UNIT: usize = 5;
const UNITS: [&str; 47] = [
    "km²", "km³", "km", "m²", "m³", "dm", "cm", "mm", "ha", "µm", "nm", "yd", "in", "ft", "kg",
    "mg", "µg", "lb", "oz", "m/s", "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb", "MB", "kb",
    "KB", "gb", "GB", "tb", "TB", "am", "pm", "g", "t", "T", "G", "M", "K", "m", "%", "a.m.",
    "p.m.", "км",
];
