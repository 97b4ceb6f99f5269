import type { NativeTexts } from './kernels.ts'
import type { Tokenizer } from './tokenizer.ts'

/** A batch of texts with what each is, by which they are told apart in the report. */
export interface LabelledTexts {
  texts: NativeTexts
  /** For each text its domain and its language. */
  labels: readonly { domain: string; language: string }[]
}

export interface FertilityRow {
  name: string
  documents: number
  bytes: number
  /** Runs of letters and digits; a character of a script without spaces is a word of its own. */
  words: number
  tokens: number
  tokensPerWord: number
  bytesPerToken: number
  /** Of the words, those that more than one token makes. */
  splitShare: number
}

export interface VocabularyUse {
  size: number
  /** Tokens that these texts never gave. */
  unused: number
  /** The longest of the tokens that came, by bytes. */
  longest: TokenUse[]
  /** Tokens whose own text gives other tokens: no text ever trains them (Land and Bartolo 2024). */
  unreachable: TokenUse[]
  /** Long tokens that never came: they were learnt from other texts, and a model here would not learn them. */
  longUnused: TokenUse[]
}

export interface TokenUse {
  id: number
  token: string
  count: number
}

export interface Fertility {
  total: FertilityRow
  domains: FertilityRow[]
  languages: FertilityRow[]
  vocabulary: VocabularyUse
}

const SHOWN = 20
const LONG_BYTES = 8
/** Numbers of a group in the order in which the addon gives them. */
const WIDTH = 6

/** Counts texts batch by batch; `result` says what the tokenizer made of them, by domain and language. */
export class FertilityCounter {
  readonly #tokenizer: Tokenizer
  readonly #threads: number | undefined
  readonly #groups = new Map<string, { domain: string; language: string; sums: Float64Array }>()
  readonly #counts: Float64Array

  constructor(tokenizer: Tokenizer, threads?: number) {
    this.#tokenizer = tokenizer
    this.#threads = threads
    this.#counts = new Float64Array(tokenizer.vocabSize)
  }

  add({ texts, labels }: LabelledTexts): void {
    const ids = new Map<string, number>()
    const own: { sums: Float64Array }[] = []
    const groups = Uint32Array.from(labels, ({ domain, language }) => {
      const key = JSON.stringify([domain, language])
      const known = ids.get(key)
      if (known !== undefined) return known
      const group = this.#groups.get(key) ?? { domain, language, sums: new Float64Array(WIDTH) }
      this.#groups.set(key, group)
      ids.set(key, own.length)
      return own.push(group) - 1
    })
    const counted = this.#tokenizer.countTokens(texts, groups, own.length, this.#threads)
    for (const [i, group] of own.entries())
      addTo(group.sums, counted.groups.subarray(i * WIDTH, (i + 1) * WIDTH))
    addTo(this.#counts, counted.tokenCounts)
  }

  result(): Fertility {
    const total = new Float64Array(WIDTH)
    const domains = new Map<string, Float64Array>()
    const languages = new Map<string, Float64Array>()
    for (const { domain, language, sums } of this.#groups.values()) {
      addTo(total, sums)
      for (const [map, name] of [
        [domains, domain],
        [languages, language],
      ] as const) {
        const row = map.get(name) ?? new Float64Array(WIDTH)
        map.set(name, row)
        addTo(row, sums)
      }
    }
    return {
      total: rowOf('all', total),
      domains: rowsOf(domains),
      languages: rowsOf(languages),
      vocabulary: this.#vocabularyUse(),
    }
  }

  #vocabularyUse(): VocabularyUse {
    const tokenizer = this.#tokenizer
    const counts = this.#counts
    const added = new Set(tokenizer.addedTokenIds())
    const plain = [...counts.keys()].filter((id) => !added.has(id))
    const use = (id: number): TokenUse => ({ id, token: tokenizer.decode([id]), count: counts[id] })
    const length = (id: number) => tokenizer.tokenBytes(id).length
    const longestFirst = (ids: number[]) => ids.sort((a, b) => length(b) - length(a) || a - b).slice(0, SHOWN)
    // A token that is no whole text, such as half a character, has no text of its own to come from.
    const whole = plain.filter((id) => !tokenizer.decode([id]).includes('\ufffd'))
    const encoded = tokenizer.encodeBatch(whole.map((id) => tokenizer.decode([id])))
    const unreachable = whole.filter((id, i) => encoded[i].length !== 1 || encoded[i][0] !== id)
    return {
      size: tokenizer.vocabSize,
      unused: plain.filter((id) => counts[id] === 0).length,
      longest: longestFirst(plain.filter((id) => counts[id] > 0)).map(use),
      unreachable: unreachable.slice(0, SHOWN).map(use),
      longUnused: longestFirst(plain.filter((id) => counts[id] === 0 && length(id) >= LONG_BYTES)).map(use),
    }
  }
}

function addTo(sums: Float64Array, more: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i] += more[i]
}

/** Most tokens first. */
function rowsOf(groups: ReadonlyMap<string, Float64Array>): FertilityRow[] {
  const rows = [...groups].map(([name, sums]) => rowOf(name, sums))
  return rows.sort((a, b) => b.tokens - a.tokens || (a.name < b.name ? -1 : 1))
}

function rowOf(name: string, sums: Float64Array): FertilityRow {
  const [documents, bytes, tokens, words, placedWords, splitWords] = sums
  return {
    name,
    documents,
    bytes,
    words,
    tokens,
    tokensPerWord: words === 0 ? 0 : tokens / words,
    bytesPerToken: tokens === 0 ? 0 : bytes / tokens,
    splitShare: placedWords === 0 ? 0 : splitWords / placedWords,
  }
}
