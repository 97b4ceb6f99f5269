//! Tokens that are found in the text as they are written, before it is split into words (Hugging Face's added tokens).

use aho_corasick::{AhoCorasick, MatchKind};
use unicode_general_category::{GeneralCategory::*, get_general_category};

#[derive(Clone, Debug, Default)]
pub struct AddedToken {
    pub content: String,
    pub id: u32,
    /// Looked for in the normalised text that the others have left over, instead of in the text as it is.
    pub normalized: bool,
    /// Takes the white space before it.
    pub lstrip: bool,
    /// Takes the white space behind it.
    pub rstrip: bool,
    /// Only where no letter, digit, mark or underscore touches it.
    pub single_word: bool,
}

/// A piece of a text: what is left over, or a token.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Text(&'a str),
    Token(u32),
}

/// Finds the leftmost token, and of those that begin there the longest.
pub struct AddedTokens {
    tokens: Vec<AddedToken>,
    automaton: Option<AhoCorasick>,
}

impl AddedTokens {
    pub fn new(tokens: Vec<AddedToken>) -> Result<Self, String> {
        let tokens: Vec<_> = tokens
            .into_iter()
            .filter(|token| !token.content.is_empty())
            .collect();
        let automaton = if tokens.is_empty() {
            None
        } else {
            let builder = AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                .build(tokens.iter().map(|token| token.content.as_bytes()));
            Some(builder.map_err(|error| error.to_string())?)
        };
        Ok(Self { tokens, automaton })
    }

    /// Calls `each` with the pieces of the text in their order. The rules are those of Hugging Face's
    /// `AddedVocabulary::find_matches`: a token that is refused as no single word hides the tokens within it.
    pub fn split<'a>(&self, text: &'a str, mut each: impl FnMut(Piece<'a>)) {
        let mut from = 0;
        if let Some(automaton) = &self.automaton {
            for found in automaton.find_iter(text.as_bytes()) {
                let token = &self.tokens[found.pattern().as_usize()];
                let (mut start, mut end) = (found.start(), found.end());
                let (before, behind) = (&text[..start], &text[end..]);
                if token.single_word
                    && (before.chars().next_back().is_some_and(is_word)
                        || behind.chars().next().is_some_and(is_word))
                {
                    continue;
                }
                if token.lstrip {
                    start = before.trim_end().len().max(from);
                }
                if token.rstrip {
                    end += behind.len() - behind.trim_start().len();
                }
                if from < start {
                    each(Piece::Text(&text[from..start]));
                }
                each(Piece::Token(token.id));
                from = end;
            }
        }
        if from < text.len() {
            each(Piece::Text(&text[from..]));
        }
    }
}

/// `\w` of Unicode 16, which the regular expressions of Hugging Face's library are of: Rust's own tables are younger.
fn is_word(c: char) -> bool {
    let category = get_general_category(c);
    c.is_alphabetic() && category != Unassigned
        || matches!(
            category,
            NonspacingMark | SpacingMark | EnclosingMark | DecimalNumber | ConnectorPunctuation
        )
        || matches!(c, '\u{200c}' | '\u{200d}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(content: &str, id: u32) -> AddedToken {
        AddedToken {
            content: content.into(),
            id,
            ..Default::default()
        }
    }

    fn pieces<'a>(tokens: &[AddedToken], text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = Vec::new();
        AddedTokens::new(tokens.to_vec())
            .unwrap()
            .split(text, |piece| pieces.push(piece));
        pieces
    }

    #[test]
    fn the_longest_of_two_tokens_at_one_place_wins() {
        use Piece::*;
        let tokens = [token("<a>", 1), token("<a>b", 2), token("b", 3)];
        assert_eq!(pieces(&tokens, "x<a>bb"), [Text("x"), Token(2), Token(3)]);
        assert_eq!(pieces(&tokens, "x<a"), [Text("x<a")]);
        assert_eq!(pieces(&[], "x"), [Text("x")]);
        assert_eq!(pieces(&tokens, ""), []);
    }

    #[test]
    fn stripping_takes_the_white_space_but_not_that_of_the_token_before() {
        use Piece::*;
        let mut left = token("<l>", 1);
        left.lstrip = true;
        let mut right = token("<r>", 2);
        right.rstrip = true;
        let tokens = [left, right];
        assert_eq!(
            pieces(&tokens, "a \u{a0}<l> b<r>\n\t <l>c"),
            [
                Text("a"),
                Token(1),
                Text(" b"),
                Token(2),
                Token(1),
                Text("c")
            ]
        );
    }

    #[test]
    fn a_single_word_touches_no_letter_digit_mark_or_underscore() {
        let mut word = token("cat", 1);
        word.single_word = true;
        for text in ["cats", "_cat", "cat1", "cat\u{301}", "écat", "cat\u{200d}"] {
            assert_eq!(pieces(&[word.clone()], text), [Piece::Text(text)], "{text}");
        }
        for text in ["cat", "cat.", "½cat"] {
            assert!(
                pieces(&[word.clone()], text).contains(&Piece::Token(1)),
                "{text}"
            );
        }
    }
}
