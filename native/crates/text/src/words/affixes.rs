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

/// What spaCy's rules take for a letter: of the alphabets with case, and anything of some scripts without.
fn is_alpha(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_alphabetic();
    }
    match character as u32 {
        0x80..=0x52f
        | 0x1d00..=0x1fff
        | 0x2c60..=0x2c7f
        | 0xa722..=0xa7fa
        | 0xab30..=0xab64
        | 0xff21..=0xff5a => character.is_alphabetic(),
        code => matches!(code,
            0x591..=0x5f4 | 0x620..=0x64a | 0x66e..=0x6d5 | 0x6e5..=0x6ff | 0x750..=0x77f | 0x8a0..=0x8bd
                | 0x900..=0x97f | 0x980..=0x9ff | 0xb80..=0xcff | 0xd80..=0xdff | 0x1100..=0x139f
                | 0x2e80..=0x2fdf | 0x2ff0..=0x30ff | 0x31c0..=0x31ef | 0x3200..=0x4dbf | 0x4e00..=0x9fff
                | 0xac00..=0xd7af | 0xf900..=0xfdfb | 0xfe70..=0xfefc | 0x20000..=0x2ebef),
    }
}

/// Letters of scripts without case are of both cases to spaCy.
pub fn is_lower(character: char) -> bool {
    is_alpha(character) && !character.is_uppercase()
}

fn is_upper(character: char) -> bool {
    is_alpha(character) && !character.is_lowercase()
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
    let letter = |character: Option<char>| character.is_some_and(is_alpha);
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
        ',' => is_alpha(before) && letter(next()),
        ':' | '<' | '>' | '=' | '/' => {
            (is_alpha(before) || before.is_ascii_digit()) && letter(next())
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
                && (is_alpha(before) || before.is_ascii_digit())
                && letter(rest[bytes..].chars().next());
            return if splits { bytes } else { 0 };
        }
        _ => is_icon(character),
    };
    usize::from(split) * character.len_utf8()
}

/// In bytes.
const LONGEST_UNIT: usize = 10;
#[rustfmt::skip]
const UNITS: [&str; 91] = [
    "km", "km²", "km³", "m", "m²", "m³", "dm", "dm²", "dm³", "cm", "cm²", "cm³", "mm", "mm²", "mm³", "ha", "µm", "nm",
    "yd", "in", "ft", "kg", "g", "mg", "µg", "t", "lb", "oz", "m/s", "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb",
    "MB", "kb", "KB", "gb", "GB", "tb", "TB", "T", "G", "M", "K", "%", "км", "км²", "км³", "м", "м²", "м³", "дм", "дм²",
    "дм³", "см", "см²", "см³", "мм", "мм²", "мм³", "нм", "кг", "г", "мг", "м/с", "км/ч", "кПа", "Па", "мбар", "Кб",
    "КБ", "кб", "Мб", "МБ", "мб", "Гб", "ГБ", "гб", "Тб", "ТБ", "тб", "كم", "م", "سم", "مم", "جم", "كغ", "كوب",
];
