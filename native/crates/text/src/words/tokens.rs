//! Tokens for counting: spaCy's English tokenizer rule by rule (prefixes, suffixes, infixes, contractions, addresses),
//! because datatrove's thresholds were chosen on its tokens, where punctuation counts.

use super::addresses::is_address;
use super::affixes::{infix_length, is_icon, prefix_length, suffix_length};
use super::characters::{is_letter, is_punctuation, is_space, is_word_letter, stands_alone};
use super::hash::hash_token;
use super::segments::{Segmentation, for_each_segment, run_length};
use super::special::{Special, bare_contraction, is_whole, special};

#[derive(Clone, Copy, Debug)]
pub struct Token {
    /// In bytes.
    pub start: u32,
    pub end: u32,
    /// Code points.
    pub characters: u32,
    /// Has a character that is no punctuation.
    pub is_word: bool,
    pub has_letter: bool,
    pub hash: u64,
}

impl Token {
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start as usize..self.end as usize]
    }
}

/// Puts the tokens of a text into `tokens`: each chunk between spaces loses prefixes and suffixes until none is left,
/// what remains is kept whole (an address, an abbreviation), split as a contraction, or split at infixes. Text past
/// 4 GiB is not looked at.
pub fn split_tokens(text: &str, segmentation: Segmentation, tokens: &mut Vec<Token>) {
    tokens.clear();
    append_tokens(text, 0, segmentation, tokens);
}

/// Adds the tokens of a piece of a text, which begins at `offset` of it.
pub fn append_tokens(
    text: &str,
    offset: usize,
    segmentation: Segmentation,
    tokens: &mut Vec<Token>,
) {
    let bytes = text.as_bytes();
    let bytes = &bytes[..bytes.len().min((u32::MAX as usize).saturating_sub(offset))];
    let mut splitter = Splitter {
        text,
        offset: offset as u32,
        segmentation,
        tokens,
        suffixes: Vec::new(),
    };
    let mut at = 0;
    while at < bytes.len() {
        let class = CLASS[bytes[at] as usize];
        if class == SPACE {
            at += 1;
            continue;
        }
        let (start, mut classes, mut others) = (at, 0, 0);
        while at < bytes.len() {
            let class = CLASS[bytes[at] as usize];
            if class & (SPACE | MAY_BE_SPACE) != 0 && (class == SPACE || space_at(text, at) > 0) {
                break;
            }
            classes |= class;
            others += usize::from(class != LETTER);
            at += 1;
        }
        if at > start {
            splitter.chunk(start, at, classes, others);
        } else {
            at += space_at(text, at);
        }
    }
}

/// The bytes of the white space of more than one byte that stands here, if any does.
fn space_at(text: &str, at: usize) -> usize {
    match text[at..].chars().next() {
        Some(character) if is_space(character) => character.len_utf8(),
        _ => 0,
    }
}

const LETTER: u8 = 1;
const SPACE: u8 = 2;
/// ASCII that is neither a letter nor white space.
const MARK: u8 = 4;
const HIGH: u8 = 8;
/// The first byte of some white space.
const MAY_BE_SPACE: u8 = 16;

const CLASS: [u8; 256] = {
    let mut table = [MARK; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphabetic() {
            table[byte] = LETTER;
        } else if matches!(value, b'\t'..=b'\r' | b' ' | 0x1c..=0x1f) {
            table[byte] = SPACE;
        } else if matches!(value, 0xc2 | 0xe1 | 0xe2 | 0xe3) {
            table[byte] = HIGH | MAY_BE_SPACE;
        } else if value >= 128 {
            table[byte] = HIGH;
        }
        byte += 1;
    }
    table
};

struct Splitter<'a> {
    text: &'a str,
    offset: u32,
    segmentation: Segmentation,
    tokens: &'a mut Vec<Token>,
    suffixes: Vec<(usize, usize)>,
}

impl Splitter<'_> {
    /// `classes` of the bytes in it, and how many of them are no ASCII letter.
    fn chunk(&mut self, start: usize, end: usize, classes: u8, others: usize) {
        if classes == LETTER {
            return self.letters(start, end);
        }
        if classes == LETTER | MARK && others == 1 {
            // A word with one mark at its end; a dot may belong to an abbreviation.
            let bytes = self.text.as_bytes();
            if matches!(
                bytes[end - 1],
                b',' | b':' | b';' | b'!' | b'?' | b')' | b'"' | b']'
            ) {
                self.letters(start, end - 1);
                return self.push_mark(end - 1);
            }
            if bytes[end - 1] == b'.' && is_long_lower(&bytes[start..end - 1]) {
                self.letters(start, end - 1);
                return self.push_mark(end - 1);
            }
        }
        if classes & !(LETTER | HIGH | MAY_BE_SPACE) == 0 {
            let word = &self.text[start..end];
            let mut characters = 0;
            let whole = word.chars().all(|character| {
                characters += 1;
                character.is_ascii() || is_word_letter(character)
            });
            if whole {
                return self.push_word(start, end, characters);
            }
        }
        self.affixes(start, end);
    }

    /// Nothing but ASCII letters, where only a few words are more than one token.
    fn letters(&mut self, start: usize, end: usize) {
        let head = bare_contraction(&self.text.as_bytes()[start..end]);
        if head > 0 {
            self.push_word(start, start + head, head as u32);
        }
        self.push_word(start + head, end, (end - start - head) as u32);
    }

    fn affixes(&mut self, mut start: usize, mut end: usize) {
        let first_token = self.tokens.len();
        self.suffixes.clear();
        let mut found = Special::None;
        while start < end {
            found = special(&self.text[start..end]);
            if found != Special::None {
                break;
            }
            let prefix = prefix_length(&self.text[start..end]);
            if prefix > 0 {
                self.push(start, start + prefix);
                start += prefix;
                if start == end {
                    break;
                }
                found = special(&self.text[start..end]);
                if found != Special::None {
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
            match found {
                Special::Whole => self.push(start, end),
                Special::Split(first, second) => {
                    self.push(start, start + first);
                    self.push(start + first, start + second);
                    self.push(start + second, end);
                }
                Special::None if is_address(&self.text[start..end]) => self.push(start, end),
                Special::None => self.infixes(start, end),
            }
        }
        while let Some((start, end)) = self.suffixes.pop() {
            self.push(start, end);
        }
        self.merge_special(first_token);
    }

    /// spaCy looks for its special cases once more when a chunk is split: neighbours that spell one become one token.
    fn merge_special(&mut self, first: usize) {
        if self.tokens.len() < first + 2 {
            return;
        }
        let mut to = first;
        let mut at = first;
        while at < self.tokens.len() {
            let run = self.special_run(at);
            self.tokens[to] = if run > 1 {
                let (start, end) = (self.tokens[at].start, self.tokens[at + run - 1].end);
                let word = (start - self.offset) as usize..(end - self.offset) as usize;
                token_of(&self.text[word], start)
            } else {
                self.tokens[at]
            };
            at += run;
            to += 1;
        }
        self.tokens.truncate(to);
    }

    /// How many tokens from here on spell a special case; 1 where none does.
    fn special_run(&self, at: usize) -> usize {
        let start = self.tokens[at].start;
        for run in (2..=MOST_MERGED).rev() {
            let Some(last) = self.tokens.get(at + run - 1) else {
                continue;
            };
            if last.end - start > LONGEST_MERGED {
                continue;
            }
            let word = (start - self.offset) as usize..(last.end - self.offset) as usize;
            if is_whole(&self.text[word]) {
                return run;
            }
        }
        1
    }

    fn infixes(&mut self, start: usize, end: usize) {
        let text = self.text;
        let bytes = text.as_bytes();
        let (mut from, mut at, mut before) = (start, start, None);
        while at < end {
            if bytes[at].is_ascii_alphanumeric() {
                before = Some(bytes[at] as char);
                at += 1;
                continue;
            }
            let rest = &text[at..end];
            let Some(character) = rest.chars().next() else {
                break;
            };
            if self.segmentation == Segmentation::Dictionary && stands_alone(character) {
                self.push(from, at);
                let run = run_length(rest);
                let mut segment_start = at;
                for_each_segment(&rest[..run], |boundary| {
                    self.push(segment_start, at + boundary);
                    segment_start = at + boundary;
                });
                at += run;
                from = at;
                before = text[..at].chars().next_back();
                continue;
            }
            let length = match before {
                Some(before) => infix_length(before, character, rest),
                None => usize::from(is_icon(character)) * character.len_utf8(),
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

    #[inline]
    fn push_word(&mut self, start: usize, end: usize, characters: u32) {
        self.tokens.push(Token {
            start: self.offset + start as u32,
            end: self.offset + end as u32,
            characters,
            hash: hash_token(&self.text.as_bytes()[start..end]),
            is_word: true,
            has_letter: true,
        });
    }

    /// One ASCII punctuation mark.
    #[inline]
    fn push_mark(&mut self, at: usize) {
        self.tokens.push(Token {
            start: self.offset + at as u32,
            end: self.offset + at as u32 + 1,
            characters: 1,
            hash: hash_token(&self.text.as_bytes()[at..at + 1]),
            is_word: false,
            has_letter: false,
        });
    }

    fn push(&mut self, start: usize, end: usize) {
        if start >= end {
            return;
        }
        let token = token_of(&self.text[start..end], self.offset + start as u32);
        self.tokens.push(token);
    }
}

/// Tokens that may become one, and the bytes of that one.
const MOST_MERGED: usize = 4;
const LONGEST_MERGED: u32 = 8;

/// The token that a word is, wherever it was found.
fn token_of(word: &str, start: u32) -> Token {
    let mut characters = 0;
    let (mut is_word, mut has_letter) = (false, false);
    for character in word.chars() {
        characters += 1;
        is_word = is_word || !is_punctuation(character);
        has_letter = has_letter || is_letter(character);
    }
    Token {
        start,
        end: start + word.len() as u32,
        characters,
        hash: hash_token(word.as_bytes()),
        is_word,
        has_letter,
    }
}

/// The tokens that somebody else split a text into, found in it one after the other; none where a word is not there.
pub fn tokens_of_words(text: &str, words: &[String]) -> Option<Vec<Token>> {
    let mut at = 0;
    words
        .iter()
        .filter(|word| !word.is_empty())
        .map(|word| {
            let start = at + text[at..].find(word.as_str())?;
            at = start + word.len();
            Some(token_of(word, u32::try_from(start).ok()?))
        })
        .collect()
}

/// No abbreviation: those that begin with a small letter have four characters at most.
fn is_long_lower(word: &[u8]) -> bool {
    word.len() > 4 && word[0].is_ascii_lowercase() && word[word.len() - 1].is_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let mut tokens = Vec::new();
        split_tokens(text, Segmentation::Dictionary, &mut tokens);
        tokens.iter().map(|token| token.of(text)).collect()
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
    }
}
