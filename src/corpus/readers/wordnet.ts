import { readFile } from 'node:fs/promises'
import { fileError } from '../../errors.ts'
import { formatEntry, parseWordNet, wordNetPartOfSpeech } from '../wordnet.ts'
import type { FoundText, Reader } from './reader.ts'

/**
 * WordNet data files: some 40 entries as lines `words: gloss; "example"` make a document; of a small dictionary
 * fewer, down to 8, so that it still has documents enough to split.
 */
export const readWordNetTexts: Reader = async function* (files, report) {
  for (const file of files) {
    const partOfSpeech = wordNetPartOfSpeech(file.name.split('/').at(-1) ?? '')
    if (partOfSpeech === undefined) {
      report.onSkip('no WordNet data file')
      continue
    }
    const text = await readFile(file.path, 'utf8').catch((error) => {
      throw fileError(error, file.path)
    })
    const entries = [...parseWordNet(text, partOfSpeech, file.path)]
    const size = Math.min(40, Math.max(8, Math.ceil(entries.length / 25)))
    const found: FoundText[] = []
    for (let at = 0; at < entries.length; at += size) {
      const some = entries.slice(at, at + size)
      found.push({
        file,
        part: String(at / size),
        text: some.map(formatEntry).join('\n'),
        meta: { partOfSpeech, entries: some.length },
      })
    }
    report.onBytes(file.bytes)
    yield found
  }
}
