//! Words of scripts that are written without spaces: Han, kana, Thai, Lao, Khmer, Burmese.

use super::characters::stands_alone;
use icu_segmenter::options::WordBreakInvariantOptions;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use std::sync::LazyLock;
use unicode_general_category::{GeneralCategory, get_general_category};

/// How a run of such a script is split.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Segmentation {
    /// Into the words of ICU's dictionaries.
    #[default]
    Dictionary,
    /// Not at all, as spaCy's English rules leave it.
    None,
}

/// The bytes at the front that are of such a script, with the marks on them.
pub fn run_length(text: &str) -> usize {
    let other = |character: char| !stands_alone(character) && !is_vowel_or_tone(character);
    text.find(other).unwrap_or(text.len())
}

/// Calls `each` with the end of every word of a run, in bytes.
pub fn for_each_segment(run: &str, mut each: impl FnMut(usize)) {
    for boundary in SEGMENTER.segment_str(run).skip(1) {
        each(boundary);
    }
}

fn is_vowel_or_tone(character: char) -> bool {
    use GeneralCategory::{NonspacingMark, SpacingMark};
    !character.is_ascii()
        && matches!(
            get_general_category(character),
            NonspacingMark | SpacingMark
        )
}

static SEGMENTER: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(WordBreakInvariantOptions::default()));
