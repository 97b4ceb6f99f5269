//! The commonest words of languages in Latin letters: short, in every sentence, and seldom a name of anything; and
//! words with a letter that only one language has.

use rustc_hash::FxHashMap;
use std::sync::LazyLock;

/// How many words of a text are function words of each language.
pub struct Counts {
    /// By language, in the order of `LANGUAGES`.
    counts: [u32; LANGUAGES.len()],
    words: u32,
}

pub fn count(letters: &str) -> Counts {
    let mut found = Counts {
        counts: [0; LANGUAGES.len()],
        words: 0,
    };
    let mut lower = String::new();
    for word in letters.split(' ') {
        if word.is_empty() {
            continue;
        }
        found.words += 1;
        // The longest function word has 11 letters.
        if word.len() > 16 {
            continue;
        }
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        let mut languages = WORDS.get(lower.as_str()).copied().unwrap_or(0);
        if !word.is_ascii() {
            languages |= own_letters(&lower);
        }
        while languages != 0 {
            found.counts[languages.trailing_zeros() as usize] += 1;
            languages &= languages - 1;
        }
    }
    found
}

impl Counts {
    /// The language whose words are many and leave all others far behind, with their share of the evidence.
    pub fn clear(&self) -> Option<(&'static str, f64)> {
        let (best, first, second) = self.leaders();
        let many = first >= 6 && 6 * first >= self.words && 2 * second <= first;
        let dense = first >= 4 && 4 * first >= self.words && 4 * second <= first;
        (many || dense).then(|| (LANGUAGES[best].0, self.share(first, second)))
    }

    /// The language that is ahead of all others.
    pub fn likely(&self) -> Option<(&'static str, f64)> {
        let (best, first, second) = self.leaders();
        (first >= 2 && first > second + first / 4)
            .then(|| (LANGUAGES[best].0, self.share(first, second)))
    }

    fn leaders(&self) -> (usize, u32, u32) {
        let (mut best, mut first, mut second) = (0, 0, 0);
        for (language, &count) in self.counts.iter().enumerate() {
            if count > first {
                (best, first, second) = (language, count, first);
            } else {
                second = second.max(count);
            }
        }
        (best, first, second)
    }

    fn share(&self, first: u32, second: u32) -> f64 {
        f64::from(first) / f64::from(first + second)
    }
}

/// The languages that alone have one of the word's letters.
fn own_letters(word: &str) -> u64 {
    word.chars()
        .filter(|character| !character.is_ascii())
        .filter_map(|character| {
            OWN_LETTERS
                .iter()
                .position(|(_, letters)| letters.contains(character))
        })
        .fold(0, |languages, at| languages | bits_of(OWN_LETTERS[at].0))
}

fn bits_of(codes: &str) -> u64 {
    (0..)
        .zip(LANGUAGES)
        .filter(|(_, (code, _))| codes.contains(code))
        .fold(0, |bits, (language, _)| bits | 1 << language)
}

/// Letters that one language has, or two that are one in writing.
const OWN_LETTERS: [(&str, &str); 11] = [
    ("ces", "řůě"),
    ("slk", "ľĺŕ"),
    ("pol", "łśźż"),
    ("hun", "őű"),
    ("ron", "șțţ"),
    ("tur", "ğı"),
    ("deu", "ß"),
    ("lav", "ģķļņ"),
    ("lit", "ėųį"),
    ("vie", "ơư"),
    ("dan nob", "øæ"),
];

/// Each word with a bit for every language that has it.
static WORDS: LazyLock<FxHashMap<&'static str, u64>> = LazyLock::new(|| {
    let mut words = FxHashMap::default();
    for (language, (_, list)) in LANGUAGES.iter().enumerate() {
        for word in list.split(' ') {
            *words.entry(word).or_insert(0) |= 1 << language;
        }
    }
    words
});

const LANGUAGES: [(&str, &str); 30] = [
    (
        "eng",
        "the this of and to in is that for it with as was on are this by be from or an at not have has which you will can if all its their when were been would more into also using than only does how what isn't don't",
    ),
    (
        "fra",
        "le la les des et du une est en que qui dans pour pas sur au par plus avec ce sont il elle cette ou mais nous vous aux ses être été fait comme afin",
    ),
    (
        "deu",
        "der die und das den von zu mit des im für ist nicht ein eine auf dem sich auch als werden wird oder bei aus einer nach sind dass über zum zur",
    ),
    (
        "spa",
        "de la el los las que en y del se por una con para un es su al como más o pero sus está son fue lo este esta ser también sin desde",
    ),
    (
        "por",
        "de o a os as que do da e em um uma para com não dos das no na por mais como mas ao seu sua se foi pelo pela são está ou também até",
    ),
    (
        "ita",
        "di il la che e un una per del della dei delle gli in con non sono è al alla nel nella da più come si anche ma lo le questo ha essere",
    ),
    (
        "nld",
        "de het een van en is dat die in op te voor met zijn niet aan er om ook als dan bij wordt deze door naar uit nog maar heeft hebben worden",
    ),
    (
        "swe",
        "och att det som en är av för på med till den har inte ett om men var sig från vid kan eller när där efter också skall skulle alla",
    ),
    (
        "dan",
        "og at det er en af til på som med for den de ikke et har men om var sig fra ved kan eller når der efter også skal blev ud alle hvor",
    ),
    (
        "nob",
        "og å det er en av til på som med for den de ikke et har men om var seg fra ved kan eller når der etter også skal ble ut alle hvor",
    ),
    (
        "fin",
        "ja on ei se että oli ovat kun tai mutta myös sen joka niin kuin hän sekä vain jos mukaan ole voi tämä jotka ne nyt koko tämän olla",
    ),
    (
        "pol",
        "i w na z do się nie że jest to od po dla przez jak za oraz są jego tym być może który które ale lub tego tylko przy jako ich także",
    ),
    (
        "ces",
        "a se na je v že o s do to z i ve pro jako by jsou za od po které která ale nebo až byl jeho při podle také aby není který",
    ),
    (
        "slk",
        "a sa na je v že o s do to z aj vo pre ako by sú za od po ktoré ktorá ale alebo až bol jeho pri podľa tiež aby nie ktorý boli",
    ),
    (
        "hun",
        "a az és hogy nem is egy ez meg de van volt csak már azt még vagy mint ki ha el között után kell amely ezt lehet minden való",
    ),
    (
        "ron",
        "și de în a la cu pe un o nu este din că care pentru mai se sau prin sunt au fost ca ce al ale lui acest această dar după într",
    ),
    (
        "tur",
        "ve bir bu için ile de da olarak olan daha gibi çok en ancak kadar ne ise değil sonra veya her var oldu göre ama tarafından olduğu",
    ),
    (
        "ind",
        "yang dan di untuk dengan dari ini pada dalam adalah ke tidak itu oleh sebagai akan atau dapat telah juga karena bahwa ada tersebut seperti saya secara",
    ),
    (
        "vie",
        "và của là có các được cho trong không một những với người này đã khi để từ ra đến như về tại vào cũng nhiều theo bị hay",
    ),
    (
        "cat",
        "de la el els les que i en del per una amb és un no al dels com més o però són aquest aquesta des seu seva també pel què ser",
    ),
    (
        "hrv",
        "i u je na se da za su od o s koji koja koje kao ili iz a ne što će biti nije ali do te samo prema jedan sve više",
    ),
    (
        "slv",
        "in je v na se da za so z ki od o s pa kot ali iz tudi ne bi bil bila lahko po do pri še ta to samo več",
    ),
    (
        "est",
        "ja on ei et see oli ka kui ning mis või aga oma selle tema kuid siis seda nii välja pärast ole saab üks olla veel kes",
    ),
    (
        "lav",
        "un ir uz ar no par kas ka tas arī lai bija pēc tiek kā vai nav pie bet šo tā līdz jau būs savu viņa gan",
    ),
    (
        "lit",
        "ir yra į kad su iš tai kaip bet ar ne už jo buvo taip apie nuo dar tik jis kai po arba prie savo kurie jau",
    ),
    (
        "afr",
        "die van en is in dat nie wat te het om vir met op sy aan was ook hulle na deur as kan maar sal word hierdie daar",
    ),
    (
        "sqi",
        "të e në i një dhe për me që nga është së u si por ka më do ky kjo janë nuk te ose edhe mund tij",
    ),
    (
        "epo",
        "la de kaj en estas al ne por kiu ke kun el pri kiel ĝi ankaŭ sed aŭ per li oni tio ĉi estis kiuj havas plej",
    ),
    (
        "tgl",
        "ng sa ang na mga at ay ito para si hindi may nang kung niya ni siya isang ako kanyang mula upang lamang o",
    ),
    (
        "uzb",
        "va bu bilan uchun bir ham da ning bo‘lgan yoki emas edi esa bo‘lib kerak shu deb uning",
    ),
];
