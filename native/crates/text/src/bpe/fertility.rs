//! What a tokenizer makes of texts: tokens and words by group, and how often each token comes.

use super::encoder::Encoder;
use crate::words::{Word, split_words};
use rayon::prelude::*;

/// Sums over the texts of a group.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Group {
    pub documents: u64,
    pub bytes: u64,
    pub tokens: u64,
    /// Runs of letters and digits; a character of a script without spaces is a word of its own.
    pub words: u64,
    /// Words of texts in which each token's place is known, and those of them that more than one token makes.
    pub placed_words: u64,
    pub split_words: u64,
}

pub struct Fertility {
    pub groups: Vec<Group>,
    /// By id.
    pub token_counts: Vec<u64>,
}

/// Counts texts by the group of each, below `group_count`. Uses all threads.
pub fn fertility(
    encoder: &Encoder,
    texts: &[&str],
    groups: &[u32],
    group_count: usize,
) -> Fertility {
    let empty = || Fertility {
        groups: vec![Group::default(); group_count],
        token_counts: vec![0; encoder.vocab_size()],
    };
    let step = texts
        .len()
        .div_ceil(4 * rayon::current_num_threads())
        .max(1);
    texts
        .par_chunks(step)
        .zip(groups.par_chunks(step))
        .map(|(texts, groups)| {
            let mut sums = empty();
            let mut session = encoder.session();
            let (mut ids, mut words) = (Vec::new(), Vec::new());
            for (text, &group) in texts.iter().zip(groups) {
                ids.clear();
                let text = encoder.normalized(text);
                session.append(&text, &mut ids);
                for &id in &ids {
                    sums.token_counts[id as usize] += 1;
                }
                split_words(&text, usize::MAX, &mut words);
                let group = &mut sums.groups[group as usize];
                group.documents += 1;
                group.bytes += text.len() as u64;
                group.tokens += ids.len() as u64;
                group.words += words.len() as u64;
                if let Some(split) = count_split(encoder, text.len(), &ids, &words) {
                    group.placed_words += words.len() as u64;
                    group.split_words += split;
                }
            }
            sums
        })
        .reduce(empty, |mut all, part| {
            for (sum, group) in all.groups.iter_mut().zip(part.groups) {
                sum.documents += group.documents;
                sum.bytes += group.bytes;
                sum.tokens += group.tokens;
                sum.words += group.words;
                sum.placed_words += group.placed_words;
                sum.split_words += group.split_words;
            }
            for (sum, count) in all.token_counts.iter_mut().zip(part.token_counts) {
                *sum += count;
            }
            all
        })
}

/// Words in which a token ends before the word does. Nothing where the tokens are not the text byte for byte, because
/// white space was stripped or bytes are missing in the vocabulary.
fn count_split(encoder: &Encoder, length: usize, ids: &[u32], words: &[Word]) -> Option<u64> {
    let mut split = 0;
    let mut end = 0;
    let mut word = 0;
    let mut counted = usize::MAX;
    for &id in ids {
        end += encoder.token_length(id);
        while words.get(word).is_some_and(|word| word.end <= end) {
            word += 1;
        }
        if words.get(word).is_some_and(|word| word.start < end) && counted != word {
            split += 1;
            counted = word;
        }
    }
    (end == length).then_some(split)
}

#[cfg(test)]
mod tests {
    use super::super::{AddedToken, Parts, PreTokenizer, Step};
    use super::*;

    #[test]
    fn words_of_more_than_one_token_are_split() {
        let mut token_bytes: Vec<u8> = (0..=255).collect();
        let mut token_ends: Vec<u32> = (1..=256).collect();
        for token in ["ab", " a"] {
            token_bytes.extend_from_slice(token.as_bytes());
            token_ends.push(token_bytes.len() as u32);
        }
        let encoder = Encoder::new(Parts {
            token_bytes,
            token_ends,
            merges: vec![[97, 98, 256], [32, 97, 257]],
            byte_ids: std::array::from_fn(|byte| byte as i32),
            added: vec![AddedToken {
                content: "ab!".into(),
                id: 256,
                ..Default::default()
            }],
            pre_tokenizer: PreTokenizer::new(vec![Step::Gpt2]),
            nfc: false,
            whole_words: Vec::new(),
        })
        .unwrap();
        let texts = ["ab a. abc é", "a", "ab!"];
        let done = fertility(&encoder, &texts, &[0, 1, 1], 2);
        let first = done.groups[0];
        // ab | " " a | . | " " ab c | " " é é: abc and é are split
        assert_eq!((first.words, first.split_words), (4, 2));
        assert_eq!((first.documents, first.tokens, first.bytes), (1, 9, 12));
        // The added token is a byte shorter than what it stands for here: no places.
        assert_eq!((done.groups[1].words, done.groups[1].placed_words), (2, 1));
        assert_eq!(done.token_counts[97], 1);
        assert_eq!(done.token_counts[257], 1);
    }
}
