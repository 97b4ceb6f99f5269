//! A text with the passes that were made over it: each is made when the first number of it is asked for.

use super::c4::{self, C4};
use super::code::{Code, describe_code};
use super::grams::HashCounts;
use super::lines::{Lines, describe_lines};
use super::repetition::{Gram, Repetition};
use super::{Options, ratio};
use crate::words::tokens::{Token, split_tokens};
use std::cell::{OnceCell, RefCell};

/// What is reused from one text to the next.
#[derive(Default)]
pub struct Scratch {
    counts: HashCounts,
    grams: Vec<Gram>,
    tokens: Vec<Vec<Token>>,
    lower: Vec<u8>,
}

pub struct Seen<'a> {
    pub text: &'a str,
    options: &'a Options,
    scratch: &'a RefCell<Scratch>,
    characters: OnceCell<usize>,
    tokens: OnceCell<Vec<Token>>,
    words: OnceCell<Words>,
    lines: OnceCell<Lines>,
    repetition: OnceCell<Repetition>,
    code: OnceCell<Code>,
    c4: OnceCell<C4>,
}

impl<'a> Seen<'a> {
    pub fn new(text: &'a str, options: &'a Options, scratch: &'a RefCell<Scratch>) -> Self {
        Self {
            text,
            options,
            scratch,
            characters: OnceCell::new(),
            tokens: OnceCell::new(),
            words: OnceCell::new(),
            lines: OnceCell::new(),
            repetition: OnceCell::new(),
            code: OnceCell::new(),
            c4: OnceCell::new(),
        }
    }

    pub fn with_tokens(self, tokens: Vec<Token>) -> Self {
        Self {
            tokens: OnceCell::from(tokens),
            ..self
        }
    }

    pub fn bytes(&self) -> f64 {
        self.text.len() as f64
    }

    pub fn characters(&self) -> f64 {
        *self.characters.get_or_init(|| self.text.chars().count()) as f64
    }

    /// A number of characters as a share of all of them.
    pub fn of_characters(&self, part: u64) -> f64 {
        ratio(part as f64, self.characters())
    }

    /// A number of something as a share of the tokens.
    pub fn of_tokens(&self, part: u64) -> f64 {
        ratio(part as f64, self.tokens().len() as f64)
    }

    pub fn tokens(&self) -> &[Token] {
        self.tokens.get_or_init(|| {
            let mut tokens = self.scratch.borrow_mut().tokens.pop().unwrap_or_default();
            split_tokens(self.text, self.options.segmentation, &mut tokens);
            tokens
        })
    }

    pub fn words(&self) -> &Words {
        self.words
            .get_or_init(|| Words::of(self.tokens(), &self.options.stop_words))
    }

    pub fn lines(&self) -> &Lines {
        self.lines.get_or_init(|| {
            let counts = &mut self.scratch.borrow_mut().counts;
            describe_lines(self.text, &self.options.fine_web, counts)
        })
    }

    pub fn repetition(&self) -> &Repetition {
        self.repetition.get_or_init(|| {
            let tokens = self.tokens();
            let scratch = &mut *self.scratch.borrow_mut();
            Repetition::of(tokens, &mut scratch.counts, &mut scratch.grams)
        })
    }

    pub fn code(&self) -> &Code {
        self.code
            .get_or_init(|| describe_code(self.text, self.characters() as usize))
    }

    pub fn c4(&self) -> &C4 {
        self.c4.get_or_init(|| {
            let tokens = self.tokens();
            let mut kept = self.scratch.borrow_mut().tokens.pop().unwrap_or_default();
            kept.clear();
            let lower = &mut self.scratch.borrow_mut().lower;
            c4::filter(self.text, tokens, self.options, kept, lower)
        })
    }

    /// What C4 leaves of the text, to be looked at in turn.
    pub fn left_by_c4(&self) -> Seen<'_> {
        let c4 = self.c4();
        let mut tokens = self.scratch.borrow_mut().tokens.pop().unwrap_or_default();
        tokens.clear();
        tokens.extend_from_slice(&c4.tokens);
        Seen::new(&c4.text, self.options, self.scratch).with_tokens(tokens)
    }

    /// Gives what can be used again back.
    pub fn finish(self) {
        let left = self.c4.into_inner().map(|c4| c4.tokens);
        let tokens = [self.tokens.into_inner(), left].into_iter().flatten();
        let scratch = &mut self.scratch.borrow_mut().tokens;
        scratch.extend(tokens.filter(|tokens| tokens.capacity() <= MOST_KEPT));
    }
}

/// Tokens: a huge text's are given back to the system.
const MOST_KEPT: usize = 1 << 20;

/// What Gopher counts of the tokens.
#[derive(Default)]
pub struct Words {
    /// Tokens with at least one character that is no punctuation.
    pub words: u64,
    /// In words.
    pub characters: u64,
    pub with_letter: u64,
    /// Different stop words that occur.
    pub stop_words: u32,
}

impl Words {
    fn of(tokens: &[Token], stop_words: &StopWords) -> Self {
        let mut found = Self::default();
        let mut met = vec![false; stop_words.hashes.len()];
        for token in tokens {
            found.words += u64::from(token.is_word);
            found.characters += u64::from(token.is_word) * u64::from(token.characters);
            found.with_letter += u64::from(token.has_letter);
            if stop_words.filter >> (token.hash & 63) & 1 != 0
                && let Some(at) = stop_words
                    .hashes
                    .iter()
                    .position(|&hash| hash == token.hash)
            {
                found.stop_words += u32::from(!met[at]);
                met[at] = true;
            }
        }
        found
    }
}

/// The hashes of words, and a filter that says at once of most words that they are none of them.
pub struct StopWords {
    hashes: Vec<u64>,
    filter: u64,
}

impl StopWords {
    pub fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hashes: Vec<u64> = words
            .into_iter()
            .map(|word| crate::words::hash::hash_token(word.as_bytes()))
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        let filter = hashes
            .iter()
            .fold(0, |filter, hash| filter | 1 << (hash & 63));
        Self { hashes, filter }
    }
}
