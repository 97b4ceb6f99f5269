import type { Document } from '../corpus/index.ts'

export interface DictionaryEntry {
  /** The first of its words. */
  word: string
  words: string[]
  partOfSpeech: string
  gloss: string
  examples: string[]
}

/**
 * The entries of a dictionary document: lines of `word, word: gloss; "example"`. The part of speech is that of the
 * document, from its metadata or its id, `word` where neither says. Lines of any other form are passed over.
 */
export function dictionaryEntries(document: Pick<Document, 'id' | 'text' | 'meta'>): DictionaryEntry[] {
  const partOfSpeech = partOfSpeechOf(document)
  return document.text.split('\n').flatMap((line) => {
    const entry = parseLine(line)
    return entry === undefined ? [] : [{ ...entry, partOfSpeech }]
  })
}

function partOfSpeechOf({ id, meta }: Pick<Document, 'id' | 'meta'>): string {
  if (typeof meta.partOfSpeech === 'string') return meta.partOfSpeech
  const found = `${meta.path ?? ''} ${id}`.match(/noun|verb|adverb|adv\b|adjective|adj\b/)?.[0]
  return { adv: 'adverb', adj: 'adjective' }[found ?? ''] ?? found ?? 'word'
}

function parseLine(line: string): Omit<DictionaryEntry, 'partOfSpeech'> | undefined {
  const colon = line.indexOf(': ')
  if (colon < 1 || colon > 200) return undefined
  const words = line
    .slice(0, colon)
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')
  const rest = line.slice(colon + 2).trim()
  const [gloss, ...examples] = rest.split(/;\s*(?=")/)
  const meaning = gloss.replace(/[;\s]+$/, '')
  if (words.length === 0 || meaning === '') return undefined
  return {
    word: words[0],
    words,
    gloss: meaning,
    examples: examples.map((example) => example.replace(/^"|"?;?$/g, '')),
  }
}
