//! Binding of the `bpe` kernels.

mod lines;

use crate::background::{Background, background};
use crate::texts::TextBatch;
use napi::bindgen_prelude::*;
use napi_derive::napi;
use smolforge_text::bpe::{self, AddedToken, Encoder, Parts, PreTokenizer, Step, Trainer};
use smolforge_text::threads::with_threads;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

#[napi(object)]
pub struct EncodedBatch {
    pub ids: Uint32Array,
    pub ends: Uint32Array,
}

#[napi(object)]
pub struct TrainingStep {
    pub vocab_size: u32,
    pub finished: bool,
}

#[napi(object)]
pub struct TrainedVocabulary {
    pub token_bytes: Buffer,
    pub token_ends: Uint32Array,
    pub merges: Uint32Array,
}

/// What happens to a text before words are merged.
#[napi(object)]
pub struct Splitting {
    /// Steps by name, in their order: gpt2, llama3, qwen2, digits, digitRuns, prefixSpace.
    pub steps: Vec<String>,
    pub nfc: bool,
}

impl Splitting {
    fn pre_tokenizer(&self) -> Result<PreTokenizer> {
        let steps = self.steps.iter().map(|name| {
            Step::named(name).ok_or_else(|| invalid(format!("no step {name} of a pre-tokenizer")))
        });
        Ok(PreTokenizer::new(steps.collect::<Result<_>>()?))
    }
}

const NORMALIZED: u32 = 1;
const LSTRIP: u32 = 2;
const RSTRIP: u32 = 4;
const SINGLE_WORD: u32 = 8;

#[napi]
pub struct BpeEncoder {
    encoder: Arc<Encoder>,
}

#[napi]
impl BpeEncoder {
    #[napi(constructor)]
    pub fn new(
        token_bytes: &[u8],
        token_ends: &[u32],
        merges: &[u32],
        byte_ids: &[i32],
        added_tokens: &[u32],
        splitting: Splitting,
        whole_words: &[u32],
    ) -> Result<Self> {
        let byte_ids = byte_ids
            .try_into()
            .map_err(|_| invalid("byteIds has 256 entries"))?;
        if !merges.len().is_multiple_of(3) || !added_tokens.len().is_multiple_of(2) {
            return Err(invalid("merges come in threes, added tokens in twos"));
        }
        let contents = slices(token_bytes, token_ends)?;
        let added = added_tokens
            .chunks_exact(2)
            .map(|token| {
                let content = contents
                    .get(token[0] as usize)
                    .ok_or_else(|| invalid("an added token has no content"))?;
                let content = std::str::from_utf8(content)
                    .map_err(|_| invalid("an added token is no UTF-8"))?;
                Ok(AddedToken {
                    content: content.into(),
                    id: token[0],
                    normalized: token[1] & NORMALIZED != 0,
                    lstrip: token[1] & LSTRIP != 0,
                    rstrip: token[1] & RSTRIP != 0,
                    single_word: token[1] & SINGLE_WORD != 0,
                })
            })
            .collect::<Result<_>>()?;
        let encoder = Encoder::new(Parts {
            token_bytes: token_bytes.to_vec(),
            token_ends: token_ends.to_vec(),
            merges: merges
                .chunks_exact(3)
                .map(|merge| [merge[0], merge[1], merge[2]])
                .collect(),
            byte_ids,
            added,
            pre_tokenizer: splitting.pre_tokenizer()?,
            nfc: splitting.nfc,
            whole_words: whole_words.to_vec(),
        })
        .map_err(invalid)?;
        Ok(Self {
            encoder: Arc::new(encoder),
        })
    }

    /// Ids of all texts end to end, and where each text's ids end.
    #[napi]
    pub fn encode_batch(&self, bytes: &[u8], ends: &[u32]) -> Result<EncodedBatch> {
        let (ids, ends) = self.encoder.encode_batch(&texts(bytes, ends)?);
        Ok(EncodedBatch {
            ids: ids.into(),
            ends: ends.into(),
        })
    }

    /// The same of a batch.
    #[napi]
    pub fn encode_texts(&self, batch: &TextBatch, threads: Option<u32>) -> Result<EncodedBatch> {
        let texts = batch.shared()?;
        let (ids, ends) = on(threads, || self.encoder.encode_batch(&texts.texts()));
        Ok(EncodedBatch {
            ids: ids.into(),
            ends: ends.into(),
        })
    }

    /// A batch as the bytes of a shard, 2 or 4 for each id, the end token behind each text, on other threads.
    #[napi]
    pub fn pack_texts(
        &self,
        batch: &TextBatch,
        end_of_text: u32,
        bytes_per_token: u32,
        threads: Option<u32>,
    ) -> Result<AsyncTask<PackTexts>> {
        let fits = self.encoder.vocab_size() <= 1 << 16 && end_of_text < 1 << 16;
        if !(bytes_per_token == 4 || bytes_per_token == 2 && fits) {
            return Err(invalid(TWO_OR_FOUR));
        }
        Ok(AsyncTask::new(PackTexts {
            encoder: self.encoder.clone(),
            texts: batch.shared()?,
            end_of_text,
            wide: bytes_per_token == 4,
            threads: threads.unwrap_or(0) as usize,
        }))
    }

    /// Sums by group and how often each token comes; `groups` has each text's, below `group_count`.
    #[napi]
    pub fn fertility(
        &self,
        batch: &TextBatch,
        groups: &[u32],
        group_count: u32,
        threads: Option<u32>,
    ) -> Result<FertilitySums> {
        let texts = batch.shared()?;
        if groups.len() != texts.len() || groups.iter().any(|&group| group >= group_count) {
            return Err(invalid("each text has a group below the count of groups"));
        }
        let sums = on(threads, || {
            bpe::fertility(&self.encoder, &texts.texts(), groups, group_count as usize)
        });
        let numbers = sums.groups.iter().flat_map(|group| {
            [
                group.documents,
                group.bytes,
                group.tokens,
                group.words,
                group.placed_words,
                group.split_words,
            ]
        });
        let counts = sums.token_counts.iter();
        Ok(FertilitySums {
            groups: numbers
                .map(|number| number as f64)
                .collect::<Vec<_>>()
                .into(),
            token_counts: counts.map(|&count| count as f64).collect::<Vec<_>>().into(),
        })
    }

    /// The bytes of the tokens end to end.
    #[napi]
    pub fn decode(&self, ids: &[u32]) -> Result<Buffer> {
        let bytes = self.encoder.decode(ids);
        Ok(bytes
            .map_err(|id| invalid(format!("id {id} is outside the vocabulary")))?
            .into())
    }
}

#[napi(object)]
pub struct FertilitySums {
    /// For each group: documents, bytes, tokens, words, words whose tokens' places are known, those of them split.
    pub groups: Float64Array,
    pub token_counts: Float64Array,
}

#[napi(object)]
pub struct PackedBatch {
    pub tokens: Buffer,
    /// Tokens of each text, the end token included.
    pub counts: Uint32Array,
}

pub struct PackTexts {
    encoder: Arc<Encoder>,
    texts: Arc<smolforge_text::jsonl::Texts>,
    end_of_text: u32,
    wide: bool,
    threads: usize,
}

impl Task for PackTexts {
    type Output = (Vec<u8>, Vec<u32>);
    type JsValue = PackedBatch;

    fn compute(&mut self) -> Result<Self::Output> {
        let texts = self.texts.texts();
        Ok(with_threads(self.threads, || match self.wide {
            true => self.encoder.encode_packed::<4>(&texts, self.end_of_text),
            false => self.encoder.encode_packed::<2>(&texts, self.end_of_text),
        }))
    }

    fn resolve(&mut self, _env: Env, (tokens, counts): Self::Output) -> Result<PackedBatch> {
        Ok(PackedBatch {
            tokens: tokens.into(),
            counts: counts.into(),
        })
    }
}

#[napi]
pub struct BpeTrainer(Arc<Mutex<Training>>);

struct Training {
    trainer: Trainer,
    begun: bool,
}

#[napi]
impl BpeTrainer {
    #[napi(constructor)]
    pub fn new(splitting: Splitting) -> Result<Self> {
        Ok(Self(Arc::new(Mutex::new(Training {
            trainer: Trainer::new(splitting.pre_tokenizer()?, splitting.nfc),
            begun: false,
        }))))
    }

    /// Counts the words of the texts.
    #[napi]
    pub fn add(&self, bytes: &[u8], ends: &[u32]) -> Result<()> {
        counting(&self.0)?.trainer.add(&texts(bytes, ends)?);
        Ok(())
    }

    /// The same of a batch, on other threads.
    #[napi]
    pub fn add_texts(
        &self,
        batch: &TextBatch,
        threads: Option<u32>,
    ) -> Result<AsyncTask<Background<()>>> {
        let training = self.0.clone();
        let texts = batch.shared()?;
        Ok(background(move || {
            let mut training = counting(&training)?;
            let trainer = &mut training.trainer;
            on(threads, || trainer.add(&texts.texts()));
            Ok(())
        }))
    }

    #[napi]
    pub fn begin(
        &self,
        vocab_size: u32,
        special_bytes: &[u8],
        special_ends: &[u32],
        threads: Option<u32>,
    ) -> Result<()> {
        let mut training = counting(&self.0)?;
        let special_tokens = slices(special_bytes, special_ends)?;
        training.begun = true;
        let trainer = &mut training.trainer;
        on(threads, || {
            trainer.begin(vocab_size as usize, &special_tokens)
        });
        Ok(())
    }

    #[napi]
    pub fn advance(&self, merges: u32) -> TrainingStep {
        let (vocab_size, finished) = guard(&self.0).trainer.advance(merges as usize);
        TrainingStep {
            vocab_size: vocab_size as u32,
            finished,
        }
    }

    #[napi]
    pub fn result(&self) -> Result<TrainedVocabulary> {
        let trained = guard(&self.0)
            .trainer
            .finish()
            .ok_or_else(|| invalid("nothing was trained"))?;
        let mut end = 0;
        let token_ends: Vec<u32> = trained
            .tokens
            .iter()
            .map(|token| {
                end += token.len() as u32;
                end
            })
            .collect();
        Ok(TrainedVocabulary {
            token_bytes: trained.tokens.concat().into(),
            token_ends: token_ends.into(),
            merges: trained.merges.concat().into(),
        })
    }
}

/// A trainer that has not begun to merge.
fn counting(training: &Mutex<Training>) -> Result<MutexGuard<'_, Training>> {
    let training = guard(training);
    match training.begun {
        false => Ok(training),
        true => Err(invalid("merging has begun already")),
    }
}

fn guard(training: &Mutex<Training>) -> MutexGuard<'_, Training> {
    training.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Token ids as the little-endian bytes of a shard, 2 or 4 for each; an id that does not fit is an error.
#[napi]
pub fn pack_tokens(tokens: &[u32], vocab_size: u32, bytes_per_token: u32) -> Result<Buffer> {
    if let Some(at) = tokens.iter().position(|&id| id >= vocab_size) {
        let id = tokens[at];
        return Err(invalid(format!(
            "token {at} is {id}, outside the vocabulary of {vocab_size}"
        )));
    }
    match bytes_per_token {
        2 if vocab_size <= 1 << 16 => {
            let bytes: Vec<u8> = tokens
                .iter()
                .flat_map(|&id| (id as u16).to_le_bytes())
                .collect();
            Ok(bytes.into())
        }
        4 => Ok(tokens
            .iter()
            .flat_map(|id| id.to_le_bytes())
            .collect::<Vec<u8>>()
            .into()),
        _ => Err(invalid(TWO_OR_FOUR)),
    }
}

const TWO_OR_FOUR: &str = "a token takes 2 bytes (vocabulary up to 65536) or 4";

fn on<R: Send>(threads: Option<u32>, work: impl FnOnce() -> R + Send) -> R {
    with_threads(threads.unwrap_or(0) as usize, work)
}

fn texts<'a>(bytes: &'a [u8], ends: &[u32]) -> Result<Vec<&'a str>> {
    let all = std::str::from_utf8(bytes).map_err(|error| invalid(format!("not UTF-8: {error}")))?;
    let cut = |start: usize, end: usize| {
        all.get(start..end)
            .ok_or_else(|| invalid("a text ends inside a character"))
    };
    let starts = std::iter::once(0).chain(ends.iter().map(|&end| end as usize));
    starts
        .zip(ends)
        .map(|(start, &end)| cut(start, end as usize))
        .collect()
}

fn slices<'a>(bytes: &'a [u8], ends: &[u32]) -> Result<Vec<&'a [u8]>> {
    let starts = std::iter::once(0).chain(ends.iter().map(|&end| end as usize));
    starts
        .zip(ends)
        .map(|(start, &end)| {
            bytes
                .get(start..end as usize)
                .ok_or_else(|| invalid("ends do not fit the bytes"))
        })
        .collect()
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Status::InvalidArg, message.into())
}
