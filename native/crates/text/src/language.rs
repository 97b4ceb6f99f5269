//! Language identification: by script where one script is one language, by function words where they speak clearly, by
//! trigrams (whatlang) otherwise.

mod function_words;
mod prose;
mod scripts;

use rayon::prelude::*;

/// For each text the ISO 639-3 code and a score from 0 to 1, from its first `max_characters` letters of running text.
pub fn detect_languages(texts: &[String], max_characters: usize) -> Vec<(&'static str, f64)> {
    texts
        .par_iter()
        .map(|text| detect(text, max_characters))
        .collect()
}

fn detect(text: &str, max_characters: usize) -> (&'static str, f64) {
    let mut letters = prose::prose_letters(text, max_characters);
    if letters.len() < ENOUGH_LETTERS {
        letters = prose::all_letters(text, max_characters);
    }
    if let Some(found) = scripts::decide(&letters) {
        return found;
    }
    let words = function_words::count(&letters);
    if let Some(found) = words.clear() {
        return found;
    }
    let Some(info) = whatlang::detect(&letters) else {
        return ("", 0.0);
    };
    let (code, score) = (info.lang().code(), info.confidence());
    match words.likely() {
        // Trigrams of a few words are easily mistaken; a few function words of one language alone are not.
        Some((likely, share)) if score < SURE && likely != code => (likely, share),
        _ => (if code == "ara" { "arb" } else { code }, score),
    }
}

/// In bytes: with less left than this, the words that look like code are taken as well.
const ENOUGH_LETTERS: usize = 24;
/// whatlang's confidence from which it is believed against function words.
const SURE: f64 = 0.9;
