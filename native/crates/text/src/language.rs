//! Language identification by trigrams (whatlang).

use rayon::prelude::*;

/// For each text the ISO 639-3 code and whatlang's confidence, from its first `max_characters` letters.
pub fn detect_languages(texts: &[String], max_characters: usize) -> Vec<(&'static str, f64)> {
    texts
        .par_iter()
        .map(
            |text| match whatlang::detect(&letters(text, max_characters)) {
                Some(info) => (info.lang().code(), info.confidence()),
                None => ("", 0.0),
            },
        )
        .collect()
}

/// Runs of letters with single spaces between: addresses, numbers and markup say little about a language.
fn letters(text: &str, most: usize) -> String {
    let mut letters = String::with_capacity(text.len().min(4 * most));
    let (mut count, mut space) = (0, true);
    for character in text.chars() {
        if character.is_numeric()
            || character.is_ascii() && !character.is_ascii_alphabetic() && character != '\''
        {
            if !space {
                letters.push(' ');
                space = true;
            }
            continue;
        }
        letters.push(character);
        space = false;
        count += 1;
        if count == most {
            break;
        }
    }
    letters
}
