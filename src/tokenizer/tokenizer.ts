import { mkdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { GgufMetadata, ggufInFolder, isGgufName, openGguf } from '../files/gguf.ts'
import type { WritableValue } from '../files/ggufWriter.ts'
import { renderChat } from './chat.ts'
import {
  chatConfiguration,
  configurationFiles,
  configuredToken,
  readConfiguration,
  type TokenizerConfiguration,
  type TokenPurpose,
} from './configuration.ts'
import { type EncodedLinesCounts, type EncodeLinesOptions, encodeLines } from './encodeLines.ts'
import { readGgufTokenizer } from './gguf.ts'
import { ggufTokenizerEntries } from './ggufWrite.ts'
import {
  bpeKernels,
  type EncodedBatch,
  type NativeEncoder,
  type NativeTexts,
  packTexts,
  sliceTexts,
} from './kernels.ts'
import type { ChatMessage, ChatTemplateOptions } from './messages.ts'
import { readTokenizerFile } from './read.ts'
import { createStreamDecoder, type StreamDecoder } from './stream.ts'
import { addedTokenFlags, tokenTable, type Vocabulary, wholeWords } from './vocabulary.ts'
import { tokenizerJson } from './write.ts'

/**
 * Byte-level BPE as GPT-2, SmolLM2, Llama 3 and Qwen have it: text to ids and back, special tokens, chat template.
 * Ids are those of Hugging Face's tokenizers for the same file. Text that spells a special token is that token.
 */
export class Tokenizer {
  readonly vocabSize: number
  readonly specialTokens: ReadonlyMap<string, number>
  /** Jinja, in the form of Hugging Face's `tokenizer_config.json`. */
  readonly chatTemplate: string
  readonly #vocabulary: Vocabulary
  readonly #configuration: TokenizerConfiguration
  readonly #native: NativeEncoder
  readonly #addedIds: ReadonlyMap<string, number>
  readonly #bytes: Uint8Array
  readonly #ends: Uint32Array

  constructor(vocabulary: Vocabulary, configuration: TokenizerConfiguration) {
    const { bytes, ends, byteIds } = tokenTable(vocabulary)
    const { BpeEncoder } = bpeKernels()
    this.#native = new BpeEncoder(
      bytes,
      ends,
      vocabulary.merges,
      byteIds,
      addedTokenFlags(vocabulary),
      { steps: vocabulary.splitSteps, nfc: vocabulary.nfc },
      wholeWords(vocabulary),
    )
    this.#vocabulary = vocabulary
    this.#configuration = configuration
    this.#bytes = bytes
    this.#ends = ends
    this.#addedIds = new Map(vocabulary.addedTokens.map(({ content, id }) => [content, id]))
    this.vocabSize = vocabulary.tokens.length
    this.specialTokens = new Map(
      vocabulary.addedTokens.filter((token) => token.special).map(({ content, id }) => [content, id]),
    )
    this.chatTemplate = String(configuration.chat_template)
  }

  /**
   * Reads `tokenizer.json` and what stands beside it; `path` is the file or its folder. Or the tokenizer that a GGUF
   * file carries; `path` is the file, or a folder with it and no `tokenizer.json`.
   *
   * @throws SmolforgeError `input` that names the file and the part which is malformed or not supported.
   */
  static async load(path: string): Promise<Tokenizer> {
    let isFolder: boolean
    try {
      isFolder = (await stat(path)).isDirectory()
    } catch (error) {
      throw fileError(error, path)
    }
    if (!isFolder && isGgufName(path)) return Tokenizer.#fromGgufFile(path)
    const file = isFolder ? join(path, 'tokenizer.json') : path
    if (isFolder && !(await isThere(file))) {
      const gguf = await ggufInFolder(path)
      if (gguf !== undefined) return Tokenizer.#fromGgufFile(gguf)
    }
    const vocabulary = await readTokenizerFile(file)
    return new Tokenizer(vocabulary, await readConfiguration(dirname(file)))
  }

  /** The tokenizer in the metadata of a GGUF file; SmolforgeError `input` naming file and field where it is none of ours. */
  static fromGguf(metadata: GgufMetadata): Tokenizer {
    const { vocabulary, configuration } = readGgufTokenizer(metadata)
    return new Tokenizer(vocabulary, configuration)
  }

  static async #fromGgufFile(path: string): Promise<Tokenizer> {
    const file = await openGguf(path)
    try {
      return Tokenizer.fromGguf(new GgufMetadata(file))
    } finally {
      await file.close()
    }
  }

  /**
   * Ends a document: `<|endoftext|>`, in a vocabulary without it the configured end token or Llama 3's.
   *
   * @throws SmolforgeError `input` where there is none of them.
   */
  get endOfTextId(): number {
    const id =
      this.tokenId('<|endoftext|>') ?? this.#configured('eos_token') ?? this.tokenId('<|end_of_text|>')
    if (id !== undefined) return id
    throw new SmolforgeError('input', 'The tokenizer has no <|endoftext|> and no eos_token', {
      hint: 'Name an eos_token in tokenizer_config.json.',
    })
  }

  /** What the post-processor puts before a text, as `<|begin_of_text|>` of Llama 3; empty for GPT-2 and SmolLM2. */
  get beginIds(): readonly number[] {
    return this.#vocabulary.affixes.before
  }

  /** Ends what a model says: `<|im_end|>` for a chat model, `<|endoftext|>` for a base model. Throws as `endOfTextId`. */
  get eosTokenId(): number {
    return this.#configured('eos_token') ?? this.endOfTextId
  }

  /** The ids of a text; with `addSpecialTokens` also those that the tokenizer's post-processor puts around it. */
  encode(text: string, options: { addSpecialTokens?: boolean } = {}): Uint32Array {
    const [ids] = this.encodeBatch([text])
    const { before, behind } = this.#vocabulary.affixes
    if (!options.addSpecialTokens || before.length + behind.length === 0) return ids
    return Uint32Array.from([...before, ...ids, ...behind])
  }

  /** Encodes on all threads. The arrays returned are views of shared memory: copy one to keep it alone. */
  encodeBatch(texts: readonly string[]): Uint32Array[] {
    const encoded: Uint32Array[] = []
    for (const slice of sliceTexts(texts)) {
      const { bytes, ends } = packTexts(slice)
      const batch = this.#native.encodeBatch(bytes, ends)
      for (let i = 0; i < slice.length; i++) {
        encoded.push(batch.ids.subarray(i === 0 ? 0 : batch.ends[i - 1], batch.ends[i]))
      }
    }
    return encoded
  }

  /** A batch that lives in the addon, on `threads` threads (default all cores). */
  encodeTexts(texts: NativeTexts, threads?: number): EncodedBatch {
    return this.#native.encodeTexts(texts, threads)
  }

  /**
   * The same as little-endian ids of 2 bytes (vocabulary up to 65,536) or 4, each text with `endOfTextId` behind it:
   * what a shard holds. The work is done on other threads.
   */
  packTexts(
    texts: NativeTexts,
    bytesPerToken: 2 | 4,
    threads?: number,
  ): Promise<{ tokens: Uint8Array; counts: Uint32Array }> {
    return this.#native.packTexts(texts, this.endOfTextId, bytesPerToken, threads)
  }

  /** Sums over groups of texts for the report on fertility, see `NativeEncoder.fertility`. */
  countTokens(
    texts: NativeTexts,
    groups: Uint32Array,
    groupCount: number,
    threads?: number,
  ): { groups: Float64Array; tokenCounts: Float64Array } {
    return this.#native.fertility(texts, groups, groupCount, threads)
  }

  /** The ids of special and other added tokens. */
  addedTokenIds(): number[] {
    return this.#vocabulary.addedTokens.map(({ id }) => id)
  }

  /** Copies a file of JSON lines `{"text", ...}` with the ids of each text put in. */
  encodeLines(input: string, output: string, options: EncodeLinesOptions = {}): Promise<EncodedLinesCounts> {
    const { before, behind } =
      options.addSpecialTokens === false ? { before: [], behind: [] } : this.#vocabulary.affixes
    const { BpeLines } = bpeKernels()
    const open = () =>
      new BpeLines(this.#native, input, MOST_LINE_BYTES, Uint32Array.from(before), Uint32Array.from(behind))
    return encodeLines(open, input, output, options)
  }

  /** The text of the ids, special tokens as they are written; bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string {
    const list = ids instanceof Uint32Array ? ids : Uint32Array.from(ids)
    const outside = list.find((id) => id >= this.vocabSize)
    if (outside !== undefined) throw this.#outside(outside)
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#native.decode(list))
  }

  /** Text from ids that come one by one; never half a character. */
  streamDecoder(): StreamDecoder {
    return createStreamDecoder((id) => this.tokenBytes(id))
  }

  tokenBytes(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0 || id >= this.vocabSize) throw this.#outside(id)
    return this.#bytes.subarray(id === 0 ? 0 : this.#ends[id - 1], this.#ends[id])
  }

  /** The id of a special or added token as it is written. */
  tokenId(content: string): number | undefined {
    return this.#addedIds.get(content)
  }

  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    const names: readonly TokenPurpose[] = ['bos_token', 'eos_token', 'unk_token', 'pad_token']
    const variables = Object.fromEntries(
      names.map((name) => [name, configuredToken(this.#configuration, name) ?? '']),
    )
    return renderChat(this.chatTemplate, messages, options.addGenerationPrompt ?? false, variables)
  }

  /**
   * The same ids with a chat model's configuration: ChatML, answers end with `<|im_end|>`.
   * With a system prompt, conversations without a system turn begin with it, as in SmolLM2-Instruct.
   */
  forChat(options: { systemPrompt?: string } = {}): Tokenizer {
    for (const token of ['<|im_start|>', '<|im_end|>']) {
      if (this.tokenId(token) === undefined) {
        throw new SmolforgeError('input', `The tokenizer has no ${token}, which chat turns need`)
      }
    }
    return new Tokenizer(this.#vocabulary, chatConfiguration(this.#configuration, options.systemPrompt))
  }

  /** Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` for Hugging Face's libraries. */
  async save(dir: string): Promise<void> {
    try {
      await mkdir(dir, { recursive: true })
    } catch (error) {
      throw fileError(error, dir)
    }
    const files = {
      ...configurationFiles(this.#vocabulary, this.#configuration),
      'tokenizer.json': tokenizerJson(this.#vocabulary),
    }
    for (const [name, content] of Object.entries(files)) await writeFileAtomic(join(dir, name), content)
  }

  /** The entries of a GGUF file by which llama.cpp makes the same tokenizer for a model with `vocabSize` rows. */
  ggufEntries(vocabSize = this.vocabSize): Map<string, WritableValue> {
    return ggufTokenizerEntries(this.#vocabulary, this.#configuration, vocabSize)
  }

  #configured(purpose: TokenPurpose): number | undefined {
    const content = configuredToken(this.#configuration, purpose)
    if (content === undefined) return undefined
    return this.tokenId(content)
  }

  #outside(id: number): SmolforgeError {
    return new SmolforgeError('usage', `Token id ${id} is outside the vocabulary of ${this.vocabSize}`)
  }
}

const MOST_LINE_BYTES = 2 ** 30

function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
