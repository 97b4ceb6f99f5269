import { setImmediate } from 'node:timers/promises'
import { SmolforgeError } from '../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { baseConfiguration } from './configuration.ts'
import { bpeKernels, type NativeTexts, type NativeTrainer, packTexts, sliceTexts } from './kernels.ts'
import { smolSpecialTokens } from './special.ts'
import { type PreTokenizerName, preTokenizers } from './splitting.ts'
import { Tokenizer } from './tokenizer.ts'
import { trainedVocabulary } from './vocabulary.ts'

export interface TrainTokenizerOptions {
  /** Special tokens and the 256 bytes included; fewer come out when the texts have no more pairs to merge. */
  vocabSize: number
  /** How texts are split into words. Default `smollm2`. */
  preTokenizer?: PreTokenizerName
  /** They take the first ids. Default SmolLM2's 17. */
  specialTokens?: readonly string[]
  /** Default all cores. */
  threads?: number
  onProgress?: Progress
  stop?: StopSignal
}

const MERGES_AT_A_TIME = 128

/**
 * Trains byte-level BPE (Sennrich et al. 2016; GPT-2), by default with SmolLM2's pre-tokenizer and 17 special tokens.
 * The merges are those of Hugging Face's `BpeTrainer` on the same texts, whatever the order of the texts.
 *
 * @throws SmolforgeError `usage` for a vocabulary below 273, `input` without any text, `interrupted` when stopped.
 */
export async function trainTokenizer(
  texts: AsyncIterable<readonly string[] | NativeTexts>,
  options: TrainTokenizerOptions,
): Promise<Tokenizer> {
  const { vocabSize, onProgress = noProgress, stop = neverStop } = options
  const { preTokenizer = 'smollm2', specialTokens = smolSpecialTokens, threads } = options
  const smallest = specialTokens.length + 256
  if (new Set(specialTokens).size !== specialTokens.length || specialTokens.includes('')) {
    throw new SmolforgeError('usage', 'A special token is empty or there twice')
  }
  if (!Number.isInteger(vocabSize) || vocabSize < smallest || vocabSize > 2 ** 24) {
    throw new SmolforgeError('usage', `A vocabulary of ${vocabSize} tokens cannot be trained`, {
      hint: `The ${specialTokens.length} special tokens and 256 bytes take ${smallest}; more than 2^24 is too many.`,
    })
  }
  const { BpeTrainer } = bpeKernels()
  const trainer = new BpeTrainer(preTokenizers[preTokenizer])
  const textBytes = await countWords(trainer, texts, threads, onProgress, stop)
  if (textBytes === 0) throw new SmolforgeError('input', 'There is no text to train a tokenizer on')

  const specials = packTexts(specialTokens)
  trainer.begin(vocabSize, specials.bytes, specials.ends, threads)
  while (true) {
    const { vocabSize: done, finished } = trainer.advance(MERGES_AT_A_TIME)
    onProgress({ done, total: vocabSize, unit: 'tokens', message: 'merging' })
    if (finished) break
    await setImmediate()
    throwIfStopped(stop)
  }
  return new Tokenizer(
    trainedVocabulary(specialTokens, preTokenizer, trainer.result()),
    baseConfiguration(specialTokens),
  )
}

async function countWords(
  trainer: NativeTrainer,
  texts: AsyncIterable<readonly string[] | NativeTexts>,
  threads: number | undefined,
  onProgress: Progress,
  stop: StopSignal,
): Promise<number> {
  let done = 0
  for await (const batch of texts) {
    throwIfStopped(stop)
    if ('bytes' in batch) {
      await trainer.addTexts(batch, threads)
      done += batch.bytes
      onProgress({ done, unit: 'bytes', message: 'counting words' })
      continue
    }
    for (const slice of sliceTexts(batch)) {
      const { bytes, ends } = packTexts(slice)
      trainer.add(bytes, ends)
      done += bytes.length
    }
    onProgress({ done, unit: 'bytes', message: 'counting words' })
  }
  return done
}

function throwIfStopped(stop: StopSignal): void {
  if (stop.stopped) throw new SmolforgeError('interrupted', 'Training of the tokenizer was stopped')
}
