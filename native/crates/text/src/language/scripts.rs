//! Scripts that are one language's own, and the few signs that part languages of one script.

/// A language by its script, where the letters of that script are enough: names of programs and brands stand in Latin
/// letters in every language, so that a minority of signs of another script decides. None for Latin and Cyrillic, for
/// scripts of several languages, and where hardly a letter is.
pub fn decide(letters: &str) -> Option<(&'static str, f64)> {
    let mut counts = [0f64; SCRIPTS];
    let (mut latin, mut total) = (0f64, 0f64);
    for character in letters.chars() {
        if character.is_ascii_alphabetic() {
            latin += 1.0;
        } else if let Some((script, weight)) = script_of(character) {
            counts[script as usize] += weight;
            total += weight;
        } else if character.is_alphabetic() {
            latin += 1.0;
        }
    }
    if total < LEAST_SIGNS || total < LEAST_SHARE * (total + latin) {
        return None;
    }
    let share = |count: f64| count / total;
    let kana = counts[Script::Kana as usize];
    let han = counts[Script::Han as usize];
    // Japanese mixes both; a Chinese text has no kana but in names.
    if kana + han > 0.5 * total {
        return Some(if kana > 0.1 * (kana + han) {
            ("jpn", share(kana + han))
        } else {
            ("cmn", share(han))
        });
    }
    let (best, &most) = counts
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    LANGUAGES[best]
        .filter(|_| most > 0.5 * total)
        .map(|code| (code, share(most)))
}

/// In Latin letters' worth.
const LEAST_SIGNS: f64 = 6.0;
const LEAST_SHARE: f64 = 0.25;

#[derive(Clone, Copy)]
enum Script {
    Hangul,
    Kana,
    Han,
    Thai,
    Lao,
    Greek,
    Tamil,
    Bengali,
    Malayalam,
    Telugu,
    Kannada,
    Gujarati,
    Gurmukhi,
    Sinhala,
    Oriya,
    Burmese,
    Khmer,
    Georgian,
    Armenian,
    Amharic,
    Tibetan,
    /// Scripts of several languages: they only weigh against the others.
    Shared,
}

const SCRIPTS: usize = Script::Shared as usize + 1;

const LANGUAGES: [Option<&str>; SCRIPTS] = [
    Some("kor"),
    Some("jpn"),
    Some("cmn"),
    Some("tha"),
    Some("lao"),
    Some("ell"),
    Some("tam"),
    Some("ben"),
    Some("mal"),
    Some("tel"),
    Some("kan"),
    Some("guj"),
    Some("pan"),
    Some("sin"),
    Some("ori"),
    Some("mya"),
    Some("khm"),
    Some("kat"),
    Some("hye"),
    Some("amh"),
    Some("bod"),
    None,
];

/// The script of a letter, and how many Latin letters say as much as it does.
fn script_of(character: char) -> Option<(Script, f64)> {
    let found = match character as u32 {
        0x370..=0x3ff | 0x1f00..=0x1fff => (Script::Greek, 1.0),
        0x400..=0x52f | 0x590..=0x6ff | 0x750..=0x77f | 0x900..=0x97f => (Script::Shared, 1.0),
        0x530..=0x58f => (Script::Armenian, 1.0),
        0x980..=0x9ff => (Script::Bengali, 1.0),
        0xa00..=0xa7f => (Script::Gurmukhi, 1.0),
        0xa80..=0xaff => (Script::Gujarati, 1.0),
        0xb00..=0xb7f => (Script::Oriya, 1.0),
        0xb80..=0xbff => (Script::Tamil, 1.0),
        0xc00..=0xc7f => (Script::Telugu, 1.0),
        0xc80..=0xcff => (Script::Kannada, 1.0),
        0xd00..=0xd7f => (Script::Malayalam, 1.0),
        0xd80..=0xdff => (Script::Sinhala, 1.0),
        0xe00..=0xe7f => (Script::Thai, 1.0),
        0xe80..=0xeff => (Script::Lao, 1.0),
        0xf00..=0xfff => (Script::Tibetan, 1.0),
        0x1000..=0x109f => (Script::Burmese, 1.0),
        0x10a0..=0x10ff | 0x1c90..=0x1cbf => (Script::Georgian, 1.0),
        0x1100..=0x11ff | 0x3130..=0x318f | 0xac00..=0xd7af => (Script::Hangul, 2.0),
        0x1200..=0x139f => (Script::Amharic, 1.5),
        0x1780..=0x17ff => (Script::Khmer, 1.0),
        0x3041..=0x30ff | 0x31f0..=0x31ff | 0xff66..=0xff9d => (Script::Kana, 2.0),
        0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff => {
            (Script::Han, 3.0)
        }
        _ => return None,
    };
    Some(found)
}
