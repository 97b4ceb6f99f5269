//! spaCy's special cases for English: contractions, abbreviations, faces.

/// What a chunk is by itself, whatever the affix rules would make of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Special {
    None,
    /// One token.
    Whole,
    /// Two or three tokens: where the second and the third begin, in bytes; the third may be empty.
    Split(usize, usize),
}

pub fn special(chunk: &str) -> Special {
    if chunk.len() > LONGEST {
        return Special::None;
    }
    if is_whole(chunk) {
        return Special::Whole;
    }
    if let Some((second, third)) = contraction(chunk) {
        return Special::Split(second, third);
    }
    match bare_contraction(chunk.as_bytes()) {
        0 => Special::None,
        head => Special::Split(head, chunk.len()),
    }
}

const LONGEST: usize = 16;

/// Where a contraction splits into two or three: `do|n't`, `would|n't|'ve`, `they|'ll`. Bytes from the start.
fn contraction(chunk: &str) -> Option<(usize, usize)> {
    let bytes = chunk.as_bytes();
    let first_is_letter = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    if !first_is_letter || !bytes.iter().any(|byte| matches!(byte, b'\'' | 0xe2)) {
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
#[inline]
pub fn bare_contraction(word: &[u8]) -> usize {
    if !(2..=8).contains(&word.len())
        || !matches!(
            word[word.len() - 1],
            b't' | b'd' | b'l' | b'e' | b's' | b'm' | b'a'
        )
    {
        return 0;
    }
    let mut key = [0; 8];
    key[..word.len()].copy_from_slice(word);
    // Only the first letter may be a capital.
    key[0] = key[0].to_ascii_lowercase();
    let key = u64::from_le_bytes(key);
    let mut at = bare_place(key);
    loop {
        match BARE_TABLE[at] {
            (0, _) => return 0,
            (known, head) if known == key => return head as usize,
            _ => at = (at + 1) % BARE_PLACES,
        }
    }
}

const BARE_PLACES: usize = 512;

const fn bare_place(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
}

/// `BARE` as a hash table: a word of eight bytes is one comparison.
const BARE_TABLE: [(u64, u8); BARE_PLACES] = {
    let mut table = [(0, 0); BARE_PLACES];
    let mut i = 0;
    while i < BARE.len() {
        let (word, head) = BARE[i];
        let bytes = word.as_bytes();
        let (mut key, mut byte) = (0u64, 0);
        while byte < bytes.len() {
            key |= (bytes[byte] as u64) << (8 * byte);
            byte += 1;
        }
        let mut at = bare_place(key);
        while table[at].0 != 0 {
            at = (at + 1) % BARE_PLACES;
        }
        table[at] = (key, head as u8);
        i += 1;
    }
    table
};

pub fn is_merged(pair: &str) -> bool {
    match pair.as_bytes() {
        [letter, b'.'] => letter.is_ascii_lowercase(),
        [
            b'\'' | b'(' | b')' | b'8' | b':' | b';' | b'<' | b'=' | b'[' | b']' | b'\\' | 0xe2,
            ..,
        ] => MERGED.contains(&pair),
        _ => false,
    }
}

fn is_whole(chunk: &str) -> bool {
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

const NEGATED: [&str; 23] = [
    "ai", "are", "ca", "could", "dare", "did", "do", "does", "had", "has", "have", "is", "may",
    "might", "must", "need", "ought", "sha", "should", "was", "were", "wo", "would",
];
const PRONOUNS: [&str; 20] = [
    "i", "you", "he", "she", "it", "we", "they", "who", "what", "when", "where", "why", "how",
    "there", "that", "this", "these", "those", "let", "not",
];
const MODALS: [&str; 5] = ["could", "should", "would", "might", "must"];
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

/// The word and the bytes of its first part.
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
