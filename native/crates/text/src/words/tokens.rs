//! Tokens for counting: spaCy's English tokenizer rule by rule (prefixes, suffixes, infixes, contractions, addresses),
//! because datatrove's thresholds were chosen on its tokens, where punctuation counts.

use super::characters::{is_letter, is_punctuation, is_space, stands_alone};
use unicode_general_category::{GeneralCategory, get_general_category};
use xxhash_rust::xxh3::xxh3_64;

#[derive(Clone, Copy, Debug)]
pub struct Token {
    pub start: usize,
    pub end: usize,
    /// Code points.
    pub characters: u32,
    pub hash: u64,
    /// Has a character that is no punctuation.
    pub is_word: bool,
    pub has_letter: bool,
}

/// Puts the tokens of a text into `tokens`: each chunk between spaces loses prefixes and suffixes until none is left,
/// what remains is kept whole (an address, an abbreviation), split as a contraction, or split at infixes.
pub fn split_tokens(text: &str, tokens: &mut Vec<Token>) {
    tokens.clear();
    let mut splitter = Splitter {
        text,
        tokens,
        suffixes: Vec::new(),
    };
    let bytes = text.as_bytes();
    let (mut at, mut start, mut plain) = (0, usize::MAX, true);
    while at < bytes.len() {
        let byte = bytes[at];
        let (space, next) = if byte < 128 {
            (is_space(byte as char), at + 1)
        } else {
            let character = text[at..].chars().next().unwrap_or(' ');
            (is_space(character), at + character.len_utf8())
        };
        if !space {
            if start == usize::MAX {
                (start, plain) = (at, true);
            }
            plain &= byte.is_ascii_alphabetic();
        } else if start != usize::MAX {
            splitter.chunk(start, at, plain);
            start = usize::MAX;
        }
        at = next;
    }
    if start != usize::MAX {
        splitter.chunk(start, bytes.len(), plain);
    }
}

struct Splitter<'a> {
    text: &'a str,
    tokens: &'a mut Vec<Token>,
    suffixes: Vec<(usize, usize)>,
}

impl Splitter<'_> {
    /// `plain`: nothing but ASCII letters, where only a few words are more than one token.
    fn chunk(&mut self, mut start: usize, mut end: usize, plain: bool) {
        if plain {
            let head = bare_contraction(&self.text.as_bytes()[start..end]);
            if head > 0 {
                self.push_plain(start, start + head);
            }
            return self.push_plain(start + head, end);
        }
        let first_token = self.tokens.len();
        self.suffixes.clear();
        let mut whole = false;
        while start < end {
            let rest = &self.text[start..end];
            if is_special(rest) {
                whole = true;
                break;
            }
            if contraction(rest).is_some() {
                break;
            }
            let prefix = prefix_length(rest);
            if prefix > 0 {
                self.push(start, start + prefix);
                start += prefix;
                if start == end {
                    break;
                }
                if is_special(&self.text[start..end]) {
                    whole = true;
                    break;
                }
            }
            let suffix = suffix_length(&self.text[start..end]);
            if suffix > 0 {
                self.suffixes.push((end - suffix, end));
                end -= suffix;
            }
            if prefix == 0 && suffix == 0 {
                break;
            }
        }
        if start < end {
            let rest = &self.text[start..end];
            if whole {
                self.push(start, end);
            } else if let Some((first, second)) = contraction(rest) {
                self.push(start, start + first);
                self.push(start + first, start + second);
                self.push(start + second, end);
            } else if is_address(rest) {
                self.push(start, end);
            } else {
                self.infixes(start, end);
            }
        }
        while let Some((start, end)) = self.suffixes.pop() {
            self.push(start, end);
        }
        self.merge_special(first_token);
    }

    /// spaCy looks for its special cases once more when a chunk is split: neighbours that spell one become one token.
    fn merge_special(&mut self, first: usize) {
        let mut to = first;
        let mut at = first;
        while at < self.tokens.len() {
            let mut token = self.tokens[at];
            at += 1;
            if let Some(next) = self.tokens.get(at)
                && token.characters == 1
                && next.end - token.start <= 6
                && is_merged(&self.text[token.start..next.end])
            {
                token.end = next.end;
                token.characters += next.characters;
                token.hash = xxh3_64(&self.text.as_bytes()[token.start..token.end]);
                token.is_word |= next.is_word;
                token.has_letter |= next.has_letter;
                at += 1;
            }
            self.tokens[to] = token;
            to += 1;
        }
        self.tokens.truncate(to);
    }

    fn infixes(&mut self, start: usize, end: usize) {
        let text = self.text;
        let (mut from, mut at, mut before) = (start, start, None);
        while at < end {
            let rest = &text[at..end];
            let Some(character) = rest.chars().next() else {
                break;
            };
            let length = match before {
                Some(before) => infix_length(before, character, rest),
                None => {
                    usize::from(is_icon(character) || stands_alone(character))
                        * character.len_utf8()
                }
            };
            if length > 0 {
                self.push(from, at);
                self.push(at, at + length);
                at += length;
                from = at;
                before = text[..at].chars().next_back();
            } else {
                at += character.len_utf8();
                before = Some(character);
            }
        }
        self.push(from, end);
    }

    fn push_plain(&mut self, start: usize, end: usize) {
        self.tokens.push(Token {
            start,
            end,
            characters: (end - start) as u32,
            hash: xxh3_64(&self.text.as_bytes()[start..end]),
            is_word: true,
            has_letter: true,
        });
    }

    fn push(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        let token = &self.text[start..end];
        let mut characters = 0;
        let (mut is_word, mut has_letter) = (false, false);
        for character in token.chars() {
            characters += 1;
            is_word = is_word || !is_punctuation(character);
            has_letter = has_letter || is_letter(character);
        }
        self.tokens.push(Token {
            start,
            end,
            characters,
            hash: xxh3_64(token.as_bytes()),
            is_word,
            has_letter,
        });
    }
}

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

fn is_icon(character: char) -> bool {
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

fn prefix_length(chunk: &str) -> usize {
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

fn suffix_length(chunk: &str) -> usize {
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

fn infix_length(before: char, character: char, rest: &str) -> usize {
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
        '-' if before.is_ascii_digit() && next().is_some_and(|next| next.is_ascii_digit()) => true,
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
        _ => is_icon(character) || stands_alone(character),
    };
    usize::from(split) * character.len_utf8()
}

/// Where a contraction splits into two or three: `do|n't`, `would|n't|'ve`, `they|'ll`. Bytes from the start.
fn contraction(chunk: &str) -> Option<(usize, usize)> {
    if chunk.len() > 16 || !chunk.starts_with(|first: char| first.is_ascii_alphabetic()) {
        return None;
    }
    if !chunk.contains(['\'', '’']) {
        return None;
    }
    let lower = chunk.to_lowercase().replace('’', "'");
    let wide = chunk.contains('’');
    // The curly apostrophe takes two bytes more than the straight one.
    let apostrophe = if wide { 3 } else { 1 };
    let (stem, tail) = match lower.strip_suffix("'ve") {
        Some(stem) if stem.contains('\'') => (stem, apostrophe + 2),
        _ => (lower.as_str(), 0),
    };
    let head = if let Some(verb) = stem.strip_suffix("n't") {
        NEGATED.contains(&verb).then_some(verb.len())
    } else {
        let (word, ending) = stem.split_once('\'')?;
        let fits = match ending {
            "ll" | "d" | "re" | "s" => PRONOUNS.contains(&word),
            "ve" => PRONOUNS.contains(&word) || MODALS.contains(&word),
            "m" => word == "i",
            _ => false,
        };
        fits.then_some(word.len())
    }?;
    let second = chunk.len() - tail;
    (head < second && chunk.is_char_boundary(head) && chunk.is_char_boundary(second))
        .then_some((head, second))
}

/// Where a contraction without an apostrophe splits, 0 where there is none: `can|not`, `do|nt`, `i|m`.
fn bare_contraction(word: &[u8]) -> usize {
    let ends_like_one = matches!(word, [.., b't' | b'd' | b'l' | b'e' | b's' | b'm' | b'a']);
    if !(2..=8).contains(&word.len())
        || !ends_like_one
        || !word[1..].iter().all(u8::is_ascii_lowercase)
    {
        return 0;
    }
    let mut lower = [0; 8];
    let lower = &mut lower[..word.len()];
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    match BARE.binary_search_by(|(known, _)| known.as_bytes().cmp(lower)) {
        Ok(at) => BARE[at].1,
        Err(_) => 0,
    }
}

fn is_merged(pair: &str) -> bool {
    match pair.as_bytes() {
        [letter, b'.'] => letter.is_ascii_lowercase(),
        [
            b'\'' | b'(' | b')' | b'8' | b':' | b';' | b'<' | b'=' | b'[' | b']' | b'\\' | 0xe2,
            ..,
        ] => MERGED.contains(&pair),
        _ => false,
    }
}

fn is_special(chunk: &str) -> bool {
    if chunk.len() > 10 {
        return false;
    }
    match chunk.as_bytes() {
        [letter, b'.'] => letter.is_ascii_lowercase(),
        [first, .., b'.'] => {
            let likely =
                first.is_ascii_uppercase() || chunk.len() <= 4 && first.is_ascii_lowercase();
            likely && ABBREVIATIONS.contains(&chunk)
        }
        [b'\'', ..] => matches!(
            chunk,
            "'em" | "'cause" | "'ll" | "'re" | "'d" | "'s" | "'S" | "''"
        ),
        [first, ..] if first.is_ascii_punctuation() || chunk.len() < 4 => FACES.contains(&chunk),
        _ => matches!(chunk, "o'clock" | "O'clock" | "ma'am" | "Ma'am" | "and/or"),
    }
}

/// A web or mail address or a dotted name: spaCy's URL pattern, less its checks of address ranges.
fn is_address(chunk: &str) -> bool {
    if !chunk.contains('.') {
        return false;
    }
    let rest = match chunk.split_once("://") {
        Some((scheme, rest)) if scheme.len() >= 2 && scheme.bytes().all(is_scheme_byte) => rest,
        _ => chunk,
    };
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or("");
    let after = &rest[host.len()..];
    if let Some(port) = after.strip_prefix(':') {
        let digits = port.bytes().take_while(u8::is_ascii_digit).count();
        if !(2..=5).contains(&digits)
            || !matches!(port.as_bytes().get(digits), None | Some(b'/' | b'?' | b'#'))
        {
            return false;
        }
    }
    let mut labels = host.strip_suffix('.').unwrap_or(host).rsplit('.');
    let Some(top) = labels.next() else {
        return false;
    };
    let labels: Vec<&str> = labels.collect();
    let numbers = labels.len() == 3 && labels.iter().chain([&top]).all(is_octet);
    numbers
        || !labels.is_empty() && is_top_domain(top) && labels.iter().all(|label| is_label(label))
}

fn is_scheme_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'+' | b'-' | b'.')
}

fn is_octet(label: &&str) -> bool {
    label.len() <= 3 && label.parse::<u8>().is_ok()
}

fn is_top_domain(label: &str) -> bool {
    let length = label.chars().count();
    (2..=63).contains(&length) && label.chars().all(char::is_lowercase)
}

fn is_label(label: &str) -> bool {
    let edge = |character: char| character.is_ascii_alphanumeric() || character >= '\u{a1}';
    label.starts_with(edge)
        && label.ends_with(edge)
        && label
            .chars()
            .all(|character| edge(character) || character == '-' || character == '_')
}

const NEGATED: [&str; 23] = [
    "ai", "are", "ca", "could", "dare", "did", "do", "does", "had", "has", "have", "is", "may",
    "might", "must", "need", "ought", "sha", "should", "was", "were", "wo", "would",
];
const PRONOUNS: [&str; 20] = [
    "i", "you", "he", "she", "it", "we", "they", "who", "what", "when", "where", "why", "how",
    "there", "that", "this", "these", "those", "let", "not",
];
const MODALS: [&str; 5] = ["could", "should", "would", "might", "must"];
/// In bytes.
const LONGEST_UNIT: usize = 5;
const UNITS: [&str; 47] = [
    "km²", "km³", "km", "m²", "m³", "dm", "cm", "mm", "ha", "µm", "nm", "yd", "in", "ft", "kg",
    "mg", "µg", "lb", "oz", "m/s", "km/h", "kmh", "mph", "hPa", "Pa", "mbar", "mb", "MB", "kb",
    "KB", "gb", "GB", "tb", "TB", "am", "pm", "g", "t", "T", "G", "M", "K", "m", "%", "a.m.",
    "p.m.", "км",
];
const FACES: [&str; 24] = [
    ":)", ":(", ";)", ":-)", ";-)", ":-(", ":D", ":P", ":p", ":/", ":|", ":3", "<3", "=)", "=(",
    "=D", "8)", "8-)", "-_-", ":O", ":o", "(:", "):", "XD",
];
const ABBREVIATIONS: [&str; 84] = [
    "Adm.", "Ak.", "Ala.", "Apr.", "Ariz.", "Ark.", "Aug.", "Bros.", "Calif.", "Co.", "Colo.",
    "Conn.", "Corp.", "D.C.", "Dec.", "Del.", "Dr.", "E.G.", "E.g.", "Feb.", "Fla.", "Ga.", "Gen.",
    "Gov.", "I.E.", "I.e.", "Ia.", "Id.", "Ill.", "Inc.", "Ind.", "Jan.", "Jr.", "Jul.", "Jun.",
    "Kan.", "Kans.", "Ky.", "La.", "Ltd.", "Mar.", "Mass.", "Md.", "Messrs.", "Mich.", "Minn.",
    "Miss.", "Mo.", "Mont.", "Mr.", "Mrs.", "Ms.", "Mt.", "N.C.", "N.D.", "N.H.", "N.J.", "N.M.",
    "N.Y.", "Neb.", "Nev.", "Nov.", "Oct.", "Okla.", "Ore.", "Pa.", "Ph.D.", "Prof.", "Rep.",
    "Rev.", "S.C.", "Sen.", "Sep.", "Sept.", "St.", "Tenn.", "Va.", "Wash.", "a.m.", "p.m.",
    "e.g.", "i.e.", "vs.", "v.s.",
];

/// Sorted. The word and the bytes of its first part.
#[rustfmt::skip]
const BARE: [(&str, usize); 99] = [
    ("aint", 2), ("arent", 3), ("cannot", 3), ("cant", 2), ("couldnt", 5), ("couldve", 5), ("darent", 4),
    ("didnt", 3), ("doesnt", 4), ("dont", 2), ("gonna", 3), ("gotta", 3), ("hadnt", 3), ("hasnt", 3),
    ("havent", 4), ("hed", 2), ("hes", 2), ("howd", 3), ("howll", 3), ("howre", 3), ("hows", 3),
    ("howve", 3), ("id", 1), ("im", 1), ("isnt", 2), ("itd", 2), ("itll", 2), ("ive", 1),
    ("maynt", 3), ("mightnt", 5), ("mightve", 5), ("mustnt", 4), ("mustve", 4), ("neednt", 4), ("notve", 3),
    ("oughtnt", 5), ("shant", 3), ("shes", 3), ("shouldnt", 6), ("shouldve", 6), ("thatd", 4), ("thatll", 4),
    ("thats", 4), ("thered", 5), ("therell", 5), ("therere", 5), ("theres", 5), ("thereve", 5), ("thesed", 5),
    ("thesell", 5), ("thesere", 5), ("theseve", 5), ("theyd", 4), ("theyll", 4), ("theyre", 4), ("theyve", 4),
    ("thisd", 4), ("thisll", 4), ("thiss", 4), ("thosed", 5), ("thosell", 5), ("thosere", 5), ("thoseve", 5),
    ("wasnt", 3), ("wed", 2), ("werent", 4), ("weve", 2), ("whatd", 4), ("whatll", 4), ("whatre", 4),
    ("whats", 4), ("whatve", 4), ("whend", 4), ("whenll", 4), ("whenre", 4), ("whens", 4), ("whenve", 4),
    ("whered", 5), ("wherell", 5), ("wherere", 5), ("wheres", 5), ("whereve", 5), ("whod", 3), ("wholl", 3),
    ("whos", 3), ("whove", 3), ("whyd", 3), ("whyll", 3), ("whyre", 3), ("whys", 3), ("whyve", 3),
    ("wont", 2), ("wouldnt", 5), ("wouldve", 5), ("yall", 1), ("youd", 3), ("youll", 3), ("youre", 3),
    ("youve", 3),
];
/// Faces and the like that are one token wherever their two characters meet.
#[rustfmt::skip]
const MERGED: [&str; 49] = [
    "''", "'S", "'d", "'s", "(:", "(;", "(=", "):", "8)", ":(", ":)", ":*", ":/", ":0", ":1", ":3", ":>", ":D", ":O", ":P", ":X", ":]", ":o", ":p", ":x", ":|", ":}", ";)", ";D", "<3", "=(", "=)", "=/", "=3", "=D", "=[", "=]", "=|", "[:", "[=", "\\n", "\\t", "]=", "‘S", "‘s", "’S", "’d", "’s", "’’",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let mut tokens = Vec::new();
        split_tokens(text, &mut tokens);
        tokens
            .iter()
            .map(|token| &text[token.start..token.end])
            .collect()
    }

    #[test]
    fn splits_as_spacy_does() {
        // Each line: the text and what spaCy 3.8's blank English pipeline makes of it.
        let cases: [(&str, &[&str]); 16] = [
            (
                "Hello, world! (yes)",
                &["Hello", ",", "world", "!", "(", "yes", ")"],
            ),
            (
                "I don't think they'll go.",
                &["I", "do", "n't", "think", "they", "'ll", "go", "."],
            ),
            (
                "John's U.S. visit, e.g. in N.Y.",
                &["John", "'s", "U.S.", "visit", ",", "e.g.", "in", "N.Y."],
            ),
            (
                "a well-known state-of-the-art",
                &[
                    "a", "well", "-", "known", "state", "-", "of", "-", "the", "-", "art",
                ],
            ),
            (
                "see https://example.com/a/b?c=1.",
                &["see", "https://example.com/a/b?c=1", "."],
            ),
            ("foo(bar)[1] = x.y;", &["foo(bar)[1", "]", "=", "x.y", ";"]),
            ("wait... what…", &["wait", "...", "what", "…"]),
            (
                "$5.20 or 10km, 3+4",
                &["$", "5.20", "or", "10", "km", ",", "3", "+", "4"],
            ),
            ("and/or c/d x=y", &["and/or", "c", "/", "d", "x", "=", "y"]),
            ("wouldn't've cannot", &["would", "n't", "'ve", "can", "not"]),
            (
                "\"quoted\" 'single'",
                &["\"", "quoted", "\"", "'", "single", "'"],
            ),
            ("it’s", &["it", "’s"]),
            ("mid.Sentence a,b", &["mid", ".", "Sentence", "a", ",", "b"]),
            (
                "2-3 day-2 17-year",
                &["2", "-", "3", "day-2", "17", "-", "year"],
            ),
            (
                "dont f(x): 4°C.",
                &["do", "nt", "f(x", "):", "4", "°", "C", "."],
            ),
            ("-x --y", &["-x", "--y"]),
        ];
        for (text, expected) in cases {
            assert_eq!(tokens(text), expected, "{text}");
        }
    }

    #[test]
    fn takes_any_text() {
        for text in [
            "",
            " \u{a0}\u{2003}",
            "日本語テキスト",
            "’’’n't've",
            "e\u{301}.",
            "\u{10ffff}..\u{10ffff}",
            "’ve’ve",
        ] {
            tokens(text);
        }
        assert_eq!(tokens("日本"), ["日", "本"]);
    }
}
