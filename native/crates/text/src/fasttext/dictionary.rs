//! Words, labels and n-grams of a fastText model: which rows of the input matrix a text calls for.

use super::Arguments;
use super::bytes::Reader;
use rustc_hash::FxHashMap;

pub struct Dictionary {
    /// Words and labels by their bytes; labels follow the words.
    ids: FxHashMap<Box<[u8]>, u32>,
    words: usize,
    labels: Vec<String>,
    label_counts: Vec<i64>,
    /// Rows of each word: its own and those of its character n-grams; `starts[word]..starts[word + 1]`.
    word_rows: Vec<u32>,
    starts: Vec<u32>,
    ngrams: Ngrams,
    word_ngrams: usize,
}

struct Ngrams {
    words: usize,
    buckets: usize,
    shortest: usize,
    longest: usize,
    /// A quantised model may have kept some buckets only, and says where each of them is.
    kept: Option<FxHashMap<u32, u32>>,
}

const END_OF_LINE: &[u8] = b"</s>";
const LABEL_PREFIX: &[u8] = b"__label__";

impl Dictionary {
    pub fn read(reader: &mut Reader, arguments: &Arguments) -> Result<Self, String> {
        let size = reader.count("size of the dictionary")?;
        let words = reader.count("words")?;
        let label_count = reader.count("labels")?;
        let _tokens = reader.i64()?;
        let kept_buckets = reader.i64()?;
        if words.checked_add(label_count) != Some(size) || label_count == 0 {
            return Err(reader.error(&format!(
                "{size} entries for {words} words and {label_count} labels"
            )));
        }
        // The shortest entry is a zero byte, its count and its type.
        if size > reader.left() / 10 {
            return Err(reader.error("the dictionary is larger than the file"));
        }
        let mut ids = FxHashMap::default();
        ids.reserve(size);
        let (mut labels, mut label_counts) = (Vec::new(), Vec::new());
        let mut spelled: Vec<Vec<u8>> = Vec::with_capacity(words);
        for id in 0..size {
            let word = reader.word()?;
            let count = reader.i64()?;
            let is_label = reader.flag()?;
            if is_label != (id >= words) {
                return Err(reader.error("a label among the words"));
            }
            if is_label {
                labels.push(String::from_utf8_lossy(&word).into_owned());
                label_counts.push(count);
            } else {
                spelled.push(word.clone());
            }
            ids.insert(word.into(), id as u32);
        }
        let mut ngrams = Ngrams {
            words,
            buckets: arguments.buckets,
            shortest: arguments.shortest,
            longest: arguments.longest,
            kept: None,
        };
        if words
            .checked_add(arguments.buckets)
            .is_none_or(|rows| rows >= u32::MAX as usize)
        {
            return Err(reader.error("more words and buckets than a model can have"));
        }
        if kept_buckets >= 0 {
            ngrams.kept = Some(read_kept(reader, kept_buckets as usize)?);
        }
        let (mut word_rows, mut starts) = (Vec::new(), Vec::with_capacity(words + 1));
        for (id, word) in spelled.iter().enumerate() {
            starts.push(row_number(word_rows.len())?);
            word_rows.push(id as u32);
            if word != END_OF_LINE {
                ngrams.of_word(word, &mut word_rows);
            }
        }
        starts.push(row_number(word_rows.len())?);
        let word_ngrams = arguments.word_ngrams;
        Ok(Self {
            ids,
            words,
            labels,
            label_counts,
            word_rows,
            starts,
            ngrams,
            word_ngrams,
        })
    }

    pub fn words(&self) -> usize {
        self.words
    }

    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    pub fn label_counts(&self) -> &[i64] {
        &self.label_counts
    }

    /// How many rows the input matrix must have.
    pub fn rows(&self) -> usize {
        self.words
            + self
                .ngrams
                .kept
                .as_ref()
                .map_or(self.ngrams.buckets, |kept| kept.len())
    }

    /// Adds the rows of a text as fastText's `Dictionary::getLine` does; `hashes` is memory for the words' hashes.
    pub fn rows_of(&self, text: &str, rows: &mut Vec<u32>, hashes: &mut Vec<i32>) {
        hashes.clear();
        for token in text
            .as_bytes()
            .split(|&byte| is_space(byte))
            .filter(|token| !token.is_empty())
        {
            if token == END_OF_LINE {
                break;
            }
            self.add_token(token, rows, hashes);
        }
        self.add_token(END_OF_LINE, rows, hashes);
        self.ngrams.of_words(hashes, self.word_ngrams, rows);
    }

    fn add_token(&self, token: &[u8], rows: &mut Vec<u32>, hashes: &mut Vec<i32>) {
        match self.ids.get(token) {
            Some(&id) if id as usize >= self.words => return,
            Some(&id) => {
                let (start, end) = (self.starts[id as usize], self.starts[id as usize + 1]);
                rows.extend_from_slice(&self.word_rows[start as usize..end as usize]);
            }
            None if token.starts_with(LABEL_PREFIX) => return,
            None if token != END_OF_LINE => self.ngrams.of_word(token, rows),
            None => {}
        }
        hashes.push(hash(token) as i32);
    }
}

impl Ngrams {
    /// Rows of a word's character n-grams, with `<` and `>` as its ends: `Dictionary::computeSubwords`.
    fn of_word(&self, word: &[u8], rows: &mut Vec<u32>) {
        if self.longest == 0 || self.buckets == 0 {
            return;
        }
        let length = word.len() + 2;
        let at = |i: usize| match i {
            0 => b'<',
            i if i == length - 1 => b'>',
            i => word[i - 1],
        };
        let continues = |i: usize| at(i) & 0xc0 == 0x80;
        for start in 0..length {
            if continues(start) {
                continue;
            }
            let (mut end, mut characters, mut code) = (start, 1, FNV_START);
            while end < length && characters <= self.longest {
                code = hash_byte(code, at(end));
                end += 1;
                while end < length && continues(end) {
                    code = hash_byte(code, at(end));
                    end += 1;
                }
                let only_an_end = characters == 1 && (start == 0 || end == length);
                if characters >= self.shortest && !only_an_end {
                    self.add(code as usize % self.buckets, rows);
                }
                characters += 1;
            }
        }
    }

    /// Rows of runs of up to `longest` words: `Dictionary::addWordNgrams`, whose hashes are signed.
    fn of_words(&self, hashes: &[i32], longest: usize, rows: &mut Vec<u32>) {
        if longest < 2 || self.buckets == 0 {
            return;
        }
        for (start, &first) in hashes.iter().enumerate() {
            let mut code = first as i64 as u64;
            let end = hashes.len().min(start.saturating_add(longest));
            for &next in &hashes[start + 1..end] {
                code = code
                    .wrapping_mul(116_049_371)
                    .wrapping_add(next as i64 as u64);
                self.add((code % self.buckets as u64) as usize, rows);
            }
        }
    }

    fn add(&self, bucket: usize, rows: &mut Vec<u32>) {
        let place = match &self.kept {
            None => bucket as u32,
            Some(kept) => match kept.get(&(bucket as u32)) {
                Some(&place) => place,
                None => return,
            },
        };
        rows.push(self.words as u32 + place);
    }
}

fn read_kept(reader: &mut Reader, count: usize) -> Result<FxHashMap<u32, u32>, String> {
    if count > reader.left() / 8 {
        return Err(reader.error("the list of kept n-grams is larger than the file"));
    }
    let mut kept = FxHashMap::default();
    kept.reserve(count);
    for _ in 0..count {
        let bucket = reader.count("a kept n-gram")?;
        let place = reader.count("the place of an n-gram")?;
        if place >= count || kept.insert(bucket as u32, place as u32).is_some() {
            return Err(reader.error("a kept n-gram has no place of its own"));
        }
    }
    Ok(kept)
}

fn row_number(length: usize) -> Result<u32, String> {
    u32::try_from(length).map_err(|_| "the n-grams of the dictionary are too many".into())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x0b | 0x0c | 0)
}

const FNV_START: u32 = 2_166_136_261;

/// FNV-1a with bytes taken as signed, as fastText has it.
fn hash_byte(code: u32, byte: u8) -> u32 {
    (code ^ byte as i8 as u32).wrapping_mul(16_777_619)
}

fn hash(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(FNV_START, |code, &byte| hash_byte(code, byte))
}
