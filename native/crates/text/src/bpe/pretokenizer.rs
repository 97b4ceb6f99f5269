//! From a text to the words that are merged one by one: the steps of a tokenizer.json in their order.

use super::cl100k;
use super::splitter::{digit_run_end, digits_end, word_end};

/// One step; each cuts every piece that the step before it has left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// GPT-2's pattern.
    Gpt2,
    /// The pattern of Llama 3 and cl100k: up to three numbers together.
    Llama3,
    /// The same with every number alone, as Qwen 2 to 3 have it.
    Qwen2,
    /// Every digit is a piece of its own.
    Digits,
    /// Every run of digits is a piece of its own.
    DigitRuns,
    /// A space before every piece that does not begin with one.
    PrefixSpace,
}

impl Step {
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "gpt2" => Self::Gpt2,
            "llama3" => Self::Llama3,
            "qwen2" => Self::Qwen2,
            "digits" => Self::Digits,
            "digitRuns" => Self::DigitRuns,
            "prefixSpace" => Self::PrefixSpace,
            _ => return None,
        })
    }
}

#[derive(Clone, Debug)]
pub struct PreTokenizer {
    steps: Vec<Step>,
}

impl PreTokenizer {
    pub fn new(steps: Vec<Step>) -> Self {
        Self { steps }
    }

    /// Calls `each(bytes, start, end)` for every word of the text, first to last. The bytes are the text itself, or a
    /// copy of a piece of it where a step has changed it.
    #[inline]
    pub fn for_each_word(&self, text: &[u8], mut each: impl FnMut(&[u8], usize, usize)) {
        // The steps of the tokenizers that are in use have loops of their own.
        match self.steps.as_slice() {
            [Step::Gpt2] => walk(text, word_end::<false>, each),
            [Step::Digits, Step::Gpt2] => walk(text, word_end::<true>, each),
            [Step::Llama3] => walk(text, cl100k::word_end::<3>, each),
            [Step::Qwen2] => walk(text, cl100k::word_end::<1>, each),
            steps => by_steps(text, steps, &mut each),
        }
    }
}

#[inline(always)]
fn walk(
    text: &[u8],
    end_of_word: impl Fn(&[u8], usize) -> usize,
    mut each: impl FnMut(&[u8], usize, usize),
) {
    let mut at = 0;
    while at < text.len() {
        let end = end_of_word(text, at);
        each(text, at, end);
        at = end;
    }
}

fn by_steps(text: &[u8], steps: &[Step], each: &mut dyn FnMut(&[u8], usize, usize)) {
    let Some((step, rest)) = steps.split_first() else {
        if !text.is_empty() {
            each(text, 0, text.len());
        }
        return;
    };
    let end_of_piece = match step {
        Step::Gpt2 => word_end::<false>,
        Step::Llama3 => cl100k::word_end::<3>,
        Step::Qwen2 => cl100k::word_end::<1>,
        Step::Digits => digits_end,
        Step::DigitRuns => digit_run_end,
        Step::PrefixSpace => {
            if text.first().is_none_or(|&byte| byte == b' ') {
                return by_steps(text, rest, each);
            }
            let spaced = [b" ", text].concat();
            return by_steps(&spaced, rest, each);
        }
    };
    walk(text, end_of_piece, |text, start, end| {
        by_steps(&text[start..end], rest, each);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str, steps: &[Step]) -> Vec<String> {
        let mut words = Vec::new();
        PreTokenizer::new(steps.to_vec()).for_each_word(text.as_bytes(), |bytes, start, end| {
            words.push(String::from_utf8(bytes[start..end].to_vec()).unwrap());
        });
        words
    }

    #[test]
    fn the_loop_for_digits_and_gpt2_is_the_two_steps() {
        let text = "in 2024, x1  34\n\t5 a  7½ ٣٤!  \u{11de3}b\u{85} 's9's  ";
        // An empty step list between them sends the same steps down the general way.
        let mut general = Vec::new();
        by_steps(
            text.as_bytes(),
            &[Step::Digits, Step::Gpt2],
            &mut |bytes, start, end| {
                general.push(String::from_utf8(bytes[start..end].to_vec()).unwrap());
            },
        );
        assert_eq!(split(text, &[Step::Digits, Step::Gpt2]), general);
    }

    #[test]
    fn a_space_is_put_before_each_piece_of_the_step_before() {
        assert_eq!(
            split("a1 b", &[Step::Digits, Step::PrefixSpace, Step::Gpt2]),
            [" a", " 1", " b"]
        );
        assert_eq!(split(" a", &[Step::PrefixSpace, Step::Gpt2]), [" a"]);
        assert_eq!(
            split("", &[Step::PrefixSpace, Step::Gpt2]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn without_a_pattern_a_piece_is_one_word() {
        assert_eq!(split("a b", &[]), ["a b"]);
        assert_eq!(
            split("a 12 b3", &[Step::DigitRuns]),
            ["a ", "12", " b", "3"]
        );
    }
}
