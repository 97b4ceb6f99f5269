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
    match bare_contraction(chunk.as_bytes()).max(hour(chunk)) {
        0 => Special::None,
        head => Special::Split(head, chunk.len()),
    }
}

/// The digits of a time of the day, 0 where there is none: `10|am`, `4|p.m.`
fn hour(chunk: &str) -> usize {
    let digits = chunk.bytes().take_while(u8::is_ascii_digit).count();
    let is_hour =
        matches!(&chunk[..digits], "10" | "11" | "12") || digits == 1 && !chunk.starts_with('0');
    let is_time = is_hour && matches!(&chunk[digits..], "am" | "pm" | "a.m." | "p.m.");
    if is_time { digits } else { 0 }
}

const LONGEST: usize = 16;

/// Where a contraction splits into two or three: `do|n't`, `would|n't|'ve`, `they|'ll`. Bytes from the start.
fn contraction(chunk: &str) -> Option<(usize, usize)> {
    let bytes = chunk.as_bytes();
    let first_is_letter = bytes.first().is_some_and(u8::is_ascii_alphabetic);
    // Don't and don't are one, DON'T is a word of its own.
    let has_capitals = bytes.iter().skip(1).any(u8::is_ascii_uppercase);
    if !first_is_letter || has_capitals || !bytes.iter().any(|byte| matches!(byte, b'\'' | 0xe2)) {
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
    // Only the first letter may be a capital.
    let key = key_of(word) | u64::from(word[0] & 0x20 ^ 0x20);
    let mut at = place(key);
    loop {
        match BARE_TABLE[at] {
            (0, _) => return 0,
            (known, head) if known == key => return head as usize,
            _ => at = (at + 1) % PLACES,
        }
    }
}

/// `BARE` as a hash table: a word of eight bytes is one comparison.
const BARE_TABLE: [(u64, u8); PLACES] = {
    let mut table = [(0, 0); PLACES];
    let mut i = 0;
    while i < BARE.len() {
        let key = key_of_word(BARE[i].0);
        let mut at = place(key);
        while table[at].0 != 0 {
            at = (at + 1) % PLACES;
        }
        table[at] = (key, BARE[i].1 as u8);
        i += 1;
    }
    table
};

/// One token, whatever is in it: a face, an abbreviation, a clipped word, a letter with a dot.
pub fn is_whole(chunk: &str) -> bool {
    match chunk.as_bytes() {
        [letter, b'.'] => letter.is_ascii_lowercase(),
        bytes if bytes.len() <= 8 => {
            let key = key_of(bytes);
            let mut at = place(key);
            loop {
                match WHOLE_TABLE[at] {
                    0 => return false,
                    known if known == key => return true,
                    _ => at = (at + 1) % PLACES,
                }
            }
        }
        _ => LONG_WHOLE.contains(&chunk),
    }
}

#[inline]
fn key_of(bytes: &[u8]) -> u64 {
    let mut key = [0; 8];
    key[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(key)
}

const PLACES: usize = 1024;

const fn place(key: u64) -> usize {
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

const fn key_of_word(word: &str) -> u64 {
    let bytes = word.as_bytes();
    let (mut key, mut at) = (0u64, 0);
    while at < bytes.len() {
        key |= (bytes[at] as u64) << (8 * at);
        at += 1;
    }
    key
}

/// `WHOLE` as a hash table of words of eight bytes.
const WHOLE_TABLE: [u64; PLACES] = {
    let mut table = [0; PLACES];
    let mut i = 0;
    while i < WHOLE.len() {
        let key = key_of_word(WHOLE[i]);
        let mut at = place(key);
        while table[at] != 0 {
            at = (at + 1) % PLACES;
        }
        table[at] = key;
        i += 1;
    }
    table
};

const NEGATED: [&str; 23] = [
    "ai", "are", "ca", "could", "dare", "did", "do", "does", "had", "has", "have", "is", "may",
    "might", "must", "need", "ought", "sha", "should", "was", "were", "wo", "would",
];
const PRONOUNS: [&str; 20] = [
    "i", "you", "he", "she", "it", "we", "they", "who", "what", "when", "where", "why", "how",
    "there", "that", "this", "these", "those", "let", "not",
];
const MODALS: [&str; 5] = ["could", "should", "would", "might", "must"];
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

const LONG_WHOLE: [&str; 8] = [
    "O’clock",
    "o’clock",
    "Nothin’",
    "nothin’",
    "Nuthin’",
    "nuthin’",
    "Somethin'",
    "somethin'",
];
/// At most eight bytes each.
#[rustfmt::skip]
const WHOLE: [&str; 283] = [
    "'", "''", "'Cause", "'Cos", "'Coz", "'Cuz", "'S", "'bout", "'cause", "'cos", "'coz", "'cuz", "'d", "'em", "'ll",
    "'nuff", "'re", "'s", "(*_*)", "(-8", "(-:", "(-;", "(-_-)", "(._.)", "(:", "(;", "(=", "(>_<)", "(^_^)", "(o:",
    ")-:", "):", "-_-", "-__-", "._.", "0.0", "0.o", "0_0", "0_o", "8)", "8-)", "8-D", "8D", ":'(", ":')", ":'-(",
    ":'-)", ":(", ":((", ":(((", ":()", ":)", ":))", ":)))", ":*", ":-(", ":-((", ":-(((", ":-)", ":-))", ":-)))",
    ":-*", ":-/", ":-0", ":-3", ":->", ":-D", ":-O", ":-P", ":-X", ":-]", ":-o", ":-p", ":-x", ":-|", ":-}", ":/",
    ":0", ":1", ":3", ":>", ":D", ":O", ":P", ":X", ":]", ":o", ":o)", ":p", ":x", ":|", ":}", ";)", ";-)", ";-D",
    ";D", ";_;", "<.<", "</3", "<3", "<33", "<333", "<space>", "=(", "=)", "=/", "=3", "=D", "=[", "=]", "=|", ">.<",
    ">.>", ">:(", ">:o", "@_@", "[-:", "[:", "[=", "]=", "^_^", "^__^", "^___^", "\\\")", "\\n", "\\t", "O.O", "O.o",
    "O_O", "O_o", "V.V", "V_V", "o.0", "o.O", "o.o", "o_0", "o_O", "o_o", "v.v", "v_v", "C++", "and/or", "w/o",
    "Adm.", "Ak.", "Ala.", "Apr.", "Ariz.", "Ark.", "Aug.", "Bros.", "Calif.", "Co.", "Colo.", "Conn.", "Corp.",
    "D.C.", "Dec.", "Del.", "Dr.", "E.G.", "E.g.", "Feb.", "Fla.", "Ga.", "Gen.", "Gov.", "I.E.", "I.e.", "Ia.",
    "Id.", "Ill.", "Inc.", "Ind.", "Jan.", "Jr.", "Jul.", "Jun.", "Kan.", "Kans.", "Ky.", "La.", "Ltd.", "Mar.",
    "Mass.", "Md.", "Messrs.", "Mich.", "Minn.", "Miss.", "Mo.", "Mont.", "Mr.", "Mrs.", "Ms.", "Mt.", "N.C.", "N.D.",
    "N.H.", "N.J.", "N.M.", "N.Y.", "Neb.", "Nebr.", "Nev.", "Nov.", "Oct.", "Okla.", "Ore.", "Pa.", "Ph.D.", "Prof.",
    "Rep.", "Rev.", "S.C.", "Sen.", "Sep.", "Sept.", "St.", "Tenn.", "Va.", "Wash.", "Wis.", "a.m.", "co.", "e.g.",
    "i.e.", "p.m.", "v.s.", "vs.", "ä.", "ö.", "ü.", "Doin'", "Doin’", "Goin'", "Goin’", "Havin'", "Havin’", "Lovin'",
    "Lovin’", "Nothin'", "Nuthin'", "Ol'", "Ol’", "doin'", "doin’", "goin'", "goin’", "havin'", "havin’", "lovin'",
    "lovin’", "nothin'", "nuthin'", "ol'", "ol’", "Ma'am", "Ma’am", "ma'am", "ma’am", "O'clock", "o'clock", "‘S",
    "‘s", "’", "’S", "’bout", "’cause", "’cos", "’coz", "’cuz", "’d", "’em", "’ll", "’nuff", "’re", "’s", "’’", ":’(",
    ":’)", ":’-(", ":’-)",
];
