import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileError, SmolforgeError } from '../errors.ts'

/** One synonym set of a WordNet dictionary. */
export interface WordNetEntry {
  /** Unique and stable: part of speech and byte offset, for example `noun:00001740`. */
  id: string
  words: string[]
  partOfSpeech: 'noun' | 'verb' | 'adjective' | 'adverb'
  gloss: string
  examples: string[]
}

const FILES = [
  ['data.noun', 'noun'],
  ['data.verb', 'verb'],
  ['data.adj', 'adjective'],
  ['data.adv', 'adverb'],
] as const

/**
 * Reads the data files of a WordNet folder or of its `dict` folder (`data.noun`, `data.verb`, `data.adj`,
 * `data.adv`, those that exist), as the WordNet manual page wndb(5) describes them.
 *
 * @throws SmolforgeError `input` with file and line at a line that is no entry, or when the folder has no data file.
 */
export async function readWordNet(folder: string): Promise<WordNetEntry[]> {
  const entries = (await readFolder(folder)) ?? (await readFolder(join(folder, 'dict')))
  if (entries === undefined) {
    throw new SmolforgeError(
      'input',
      'No WordNet data files (data.noun, data.verb, data.adj, data.adv) here',
      {
        place: { file: folder },
      },
    )
  }
  return entries
}

async function readFolder(folder: string): Promise<WordNetEntry[] | undefined> {
  const entries: WordNetEntry[] = []
  let files = 0
  for (const [name, partOfSpeech] of FILES) {
    const path = join(folder, name)
    const text = await readFile(path, 'utf8').catch((error) => {
      if (error?.code === 'ENOENT') return undefined
      throw fileError(error, path)
    })
    if (text === undefined) continue
    files++
    for (const entry of parseWordNet(text, partOfSpeech, path)) entries.push(entry)
  }
  return files === 0 ? undefined : entries
}

/** `words: gloss; "example"`: an entry as a line of text. */
export function formatEntry(entry: WordNetEntry): string {
  const examples = entry.examples.map((example) => `; "${example}"`).join('')
  return `${entry.words.join(', ')}: ${entry.gloss}${examples}`
}

/** Part of speech of a WordNet data file by its name, undefined for any other file. */
export function wordNetPartOfSpeech(fileName: string): WordNetEntry['partOfSpeech'] | undefined {
  return FILES.find(([name]) => name === fileName)?.[1]
}

/** Parses the text of one data file; lines that begin with two spaces are its licence. */
export function* parseWordNet(
  text: string,
  partOfSpeech: WordNetEntry['partOfSpeech'],
  file: string,
): Generator<WordNetEntry> {
  let line = 0
  for (const row of text.split('\n')) {
    line++
    if (row === '' || row.startsWith('  ')) continue
    const bar = row.indexOf(' | ')
    const fields = row.slice(0, bar < 0 ? row.length : bar).split(' ')
    const wordCount = Number.parseInt(fields[3] ?? '', 16)
    if (
      bar < 0 ||
      !/^\d{8}$/.test(fields[0] ?? '') ||
      !(wordCount > 0) ||
      fields.length < 4 + 2 * wordCount
    ) {
      throw new SmolforgeError('input', `Not a WordNet entry: ${row.slice(0, 60)}`, { place: { file, line } })
    }
    const words: string[] = []
    for (let i = 0; i < wordCount; i++) {
      words.push((fields[4 + 2 * i] ?? '').replace(/\((?:a|p|ip)\)$/, '').replaceAll('_', ' '))
    }
    yield { id: `${partOfSpeech}:${fields[0]}`, words, partOfSpeech, ...splitGloss(row.slice(bar + 3)) }
  }
}

/** A gloss field is definitions and quoted examples, separated by semicolons; a quote may miss its end. */
function splitGloss(field: string): { gloss: string; examples: string[] } {
  const examples: string[] = []
  const gloss = field
    .replace(/(?:^|;)\s*"([^"]*)"?(?:\s*-\s*[^;"]*)?/g, (_, example: string) => {
      if (example.trim() !== '') examples.push(example.trim())
      return ''
    })
    .replace(/\s+/g, ' ')
    .trim()
    .replace(/[;,]+$/, '')
  return { gloss: gloss === '' ? field.trim() : gloss, examples }
}
