//! Telephone numbers: international ones (E.164 after `+`), national forms that nothing else is written like, and any
//! number behind a word such as `Tel:`. Sums, dates, versions and tables of numbers are passed over.

use super::{Kind, Span, character_before, ip, is_digit_at};

pub fn find(text: &str, spans: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let number = Number::read(text, at);
        match number.span(text) {
            Some((start, end)) => {
                spans.push(Span {
                    start,
                    end,
                    kind: Kind::Phone,
                });
                at = end;
            }
            None => at = number.end,
        }
    }
}

/// Digits in groups with single separators between: everything that could be one telephone number.
struct Number {
    start: usize,
    end: usize,
    digits: Few<u8, 18>,
    /// Digits of each group.
    groups: Few<usize, 9>,
    /// What stands between the groups.
    separators: Few<Separator, 9>,
    /// Whether an open bracket stands right before, or `+`.
    bracket: bool,
    plus: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Separator {
    Space,
    Dash,
    Dot,
    Slash,
    /// `)` with or without a space.
    Close,
    /// ` (`, or `(0)` as in `+44 (0)20`.
    Open,
}

/// A list that needs no memory of its own: texts are full of numbers.
struct Few<T, const MOST: usize> {
    items: [T; MOST],
    length: usize,
}

impl<T: Copy, const MOST: usize> Few<T, MOST> {
    fn new(filler: T) -> Self {
        Self {
            items: [filler; MOST],
            length: 0,
        }
    }

    /// What is more than fits is left out: `Number::read` stops before.
    fn push(&mut self, item: T) {
        if self.length < MOST {
            self.items[self.length] = item;
            self.length += 1;
        }
    }
}

impl<T, const MOST: usize> std::ops::Deref for Few<T, MOST> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items[..self.length]
    }
}

/// More groups than a telephone number has.
const MOST_GROUPS: usize = 8;
const MOST_DIGITS: usize = 17;

impl Number {
    fn read(text: &str, start: usize) -> Self {
        let bytes = text.as_bytes();
        let before = |back: usize| start.checked_sub(back).map_or(b' ', |at| bytes[at]);
        let bracket = before(1) == b'(';
        let plus = before(1) == b'+' || (bracket && before(2) == b'+');
        let mut number = Self {
            start,
            end: start,
            digits: Few::new(b'0'),
            groups: Few::new(0),
            separators: Few::new(Separator::Space),
            bracket,
            plus,
        };
        loop {
            let first = number.end;
            while is_digit_at(bytes, number.end) {
                if number.digits.len() <= MOST_DIGITS {
                    number.digits.push(bytes[number.end]);
                }
                number.end += 1;
            }
            number.groups.push(number.end - first);
            if number.groups.len() > MOST_GROUPS || number.digits.len() > MOST_DIGITS {
                return number;
            }
            let Some((separator, length)) = separator(bytes, number.end) else {
                return number;
            };
            number.separators.push(separator);
            number.end += length;
        }
    }

    /// Where the telephone number is, if it is one.
    fn span(&self, text: &str) -> Option<(usize, usize)> {
        let count = self.digits.len();
        if !(7..=15).contains(&count) || !self.ends_well(text) {
            return None;
        }
        let start = self.start - usize::from(self.bracket) - usize::from(self.plus);
        let known = if self.plus {
            starts_well(text, start) && self.is_international()
        } else {
            starts_well(text, start)
                && !beside_numbers(text, start, self.end)
                && !in_a_sum(text, start, self.end)
                && !ip::dotted_quad(text.as_bytes(), self.start)
                && (self.is_national() || self.is_labelled(text, start))
        };
        (known && !self.is_fictitious()).then_some((start, self.end))
    }

    fn ends_well(&self, text: &str) -> bool {
        let bytes = text.as_bytes();
        let mut after = text[self.end..].chars();
        let next = after.next().unwrap_or(' ');
        if next.is_alphanumeric() || matches!(next, '_' | '%' | '°' | '$' | '€' | '£' | '=' | '^')
        {
            return false;
        }
        !(matches!(next, '.' | ',' | '-' | '/' | ':' | '+' | '*')
            && is_digit_at(bytes, self.end + 1))
    }

    fn is_international(&self) -> bool {
        let digits = &self.digits;
        let dots = self.count(Separator::Dot);
        if dots == 1 || self.count(Separator::Slash) > 1 || !has_country_code(digits) {
            return false;
        }
        match digits[0] {
            b'1' => digits.len() == 11 && is_american(&digits[1..]),
            _ => digits.len() >= 9 || (digits.len() >= 8 && self.groups.len() > 1),
        }
    }

    fn is_national(&self) -> bool {
        use Separator::{Close, Dash, Dot, Open, Slash, Space};
        let (digits, groups, separators) =
            (&self.digits[..], &self.groups[..], &self.separators[..]);
        let all = |wanted: Separator| separators.iter().all(|&separator| separator == wanted);
        if self.bracket {
            return match (groups, separators) {
                ([3, 3, 4], [Close, Dash | Space | Dot]) => is_american(digits),
                // Brazil, Italy, the United Kingdom, Australia and others that write the area in brackets.
                ([2, 4 | 5, 4], [Close, Dash | Space]) => digits[0] != b'0' || digits[1] != b'0',
                ([3..=5, ..], [Close, ..]) if digits[0] == b'0' => {
                    (10..=12).contains(&digits.len())
                }
                _ => false,
            };
        }
        match (groups, separators) {
            ([3, 3, 4], _) if all(Dash) || all(Dot) => is_american(digits),
            ([1, 3, 3, 4], [Dash | Space, ..]) if digits[0] == b'1' => {
                (separators[1..] == [Dash, Dash]) && is_american(&digits[1..])
            }
            ([1, 3, 3, 4], [Open, Close, Dash | Space]) if digits[0] == b'1' => {
                is_american(&digits[1..])
            }
            // France, Belgium.
            ([2, 2, 2, 2, 2], _) if all(Space) || all(Dot) || all(Dash) => is_area(digits),
            // Germany, Austria, the Netherlands: area and the rest.
            ([3..=5, 6..=8], [Dash | Slash]) => {
                is_area(digits) && (10..=12).contains(&digits.len())
            }
            // The United Kingdom, Ireland, Australia, Japan, Korea, India.
            (
                [5, 6]
                | [5, 3, 3]
                | [4, 3, 4]
                | [3, 4, 4]
                | [2, 4, 4]
                | [4, 3, 3]
                | [3, 3, 4]
                | [3, 7]
                | [3, 8],
                _,
            ) => is_area(digits) && (all(Space) || all(Dash)),
            _ => false,
        }
    }

    /// Whatever its form, a number behind a word for telephone is one.
    fn is_labelled(&self, text: &str, start: usize) -> bool {
        let line = &text[floor(text, start.saturating_sub(32))..start];
        let line = &line[line.rfind('\n').map_or(0, |at| at + 1)..];
        let between = line.trim_end_matches(|character: char| " \t:：.=#\"'-(".contains(character));
        let gap = &line[between.len()..];
        let lower = between.to_lowercase();
        let lower = lower
            .trim_end_matches(" number")
            .trim_end_matches(" no")
            .trim_end_matches("_number");
        let Some(label) = LABELS.iter().find(|label| lower.ends_with(**label)) else {
            return false;
        };
        let whole = !lower[..lower.len() - label.len()]
            .ends_with(|character: char| character.is_ascii_alphabetic());
        let grouped = self.groups.len() > 1 && self.count(Separator::Dot) != 1;
        whole
            && (gap.contains([':', '：']) || (grouped && !gap.is_empty()) || self.digits.len() >= 9)
    }

    /// Numbers that no one has (555-0100 to 555-0199), such as we put in place of others.
    fn is_fictitious(&self) -> bool {
        let digits = &self.digits;
        digits.len() >= 7 && digits[..digits.len() - 2].ends_with(b"55501")
    }

    fn count(&self, wanted: Separator) -> usize {
        self.separators
            .iter()
            .filter(|&&separator| separator == wanted)
            .count()
    }
}

fn separator(bytes: &[u8], at: usize) -> Option<(Separator, usize)> {
    let rest = &bytes[at..bytes.len().min(at + 4)];
    let (separator, length) = match rest {
        [b')', b' ' | b'-', ..] => (Separator::Close, 2),
        [b')', ..] => (Separator::Close, 1),
        [b' ', b'(', b'0', b')'] => {
            return is_digit_at(bytes, at + 4).then_some((Separator::Open, 4));
        }
        [b' ', b'(', ..] => (Separator::Open, 2),
        [b' ', ..] => (Separator::Space, 1),
        [0xc2, 0xa0, ..] => (Separator::Space, 2),
        [b'-', ..] => (Separator::Dash, 1),
        [0xe2, 0x80, 0x90..=0x93, ..] => (Separator::Dash, 3),
        [b'.', ..] => (Separator::Dot, 1),
        [b'/', ..] => (Separator::Slash, 1),
        _ => return None,
    };
    is_digit_at(bytes, at + length).then_some((separator, length))
}

fn starts_well(text: &str, start: usize) -> bool {
    let before = character_before(text, start);
    !before.is_alphanumeric() && !"_.,-+/\\$€£#=^*)}]&%@~".contains(before)
        || text[..start].ends_with("tel=")
}

/// A row or a table of numbers: another number is the next word on either side.
fn beside_numbers(text: &str, start: usize, end: usize) -> bool {
    let spaces = |character: char| matches!(character, ' ' | '\t' | '\u{a0}' | ',' | ';' | '|');
    let before = text[..start].trim_end_matches(spaces);
    let after = text[end..].trim_start_matches(spaces);
    let digit_before =
        before.len() < start && before.ends_with(|character: char| character.is_ascii_digit());
    let digit_after = after.len() < text.len() - end
        && after.starts_with(|character: char| character.is_ascii_digit());
    digit_before || digit_after
}

fn in_a_sum(text: &str, start: usize, end: usize) -> bool {
    const OPERATORS: &str = "=+*/^<>−×÷±";
    let before = text[..start].trim_end_matches(' ');
    let after = text[end..].trim_start_matches(' ');
    (before.ends_with(|character: char| OPERATORS.contains(character)) && !before.ends_with('>'))
        || (after.starts_with(|character: char| OPERATORS.contains(character))
            && !after.starts_with('<'))
}

/// Area, exchange and line of the North American plan.
fn is_american(digits: &[u8]) -> bool {
    let part = |at: usize| (b'2'..=b'9').contains(&digits[at]) && digits[at + 1..at + 3] != *b"11";
    digits.len() == 10 && part(0) && part(3)
}

fn is_area(digits: &[u8]) -> bool {
    digits[0] == b'0' && digits[1] != b'0'
}

/// The calling codes of the International Telecommunication Union: one, two or three digits.
fn has_country_code(digits: &[u8]) -> bool {
    matches!(
        (digits[0], digits[1]),
        (b'1' | b'3' | b'4' | b'5' | b'6' | b'7' | b'9', _)
            | (b'2', b'0'..=b'7' | b'9')
            | (b'8', b'0' | b'1' | b'2' | b'4'..=b'8')
    )
}

const LABELS: [&str; 26] = [
    "tel",
    "tél",
    "telephone",
    "téléphone",
    "telefon",
    "telefono",
    "teléfono",
    "telefone",
    "telefoon",
    "puhelin",
    "phone",
    "cellphone",
    "mobile",
    "mobil",
    "handy",
    "fax",
    "faks",
    "whatsapp",
    "тел",
    "телефон",
    "факс",
    "电话",
    "電話",
    "전화",
    "โทร",
    "هاتف",
];

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}
