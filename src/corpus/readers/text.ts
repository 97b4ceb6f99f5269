import { cutText } from './cut.ts'
import type { FoundText, Reader } from './reader.ts'
import { readTextFiles } from './whole-files.ts'

const PIECE = 64_000

/** Before a chapter, at a rule of stars, between paragraphs. */
const BORDERS = [
  /\n(?=\s*(?:CHAPTER|Chapter|BOOK|PART|Part) [\w.]+)/g,
  /\n\s*(?:\* ?){3,}\s*\n/g,
  /\n[ \t]*\n/g,
]

/** Prose: a file is a document; one of more than 128,000 characters is cut at chapters or paragraphs. */
export const readText: Reader = async function* (files, report) {
  for await (const group of readTextFiles(files, report)) {
    const found: FoundText[] = []
    for (const { file, text: whole, replaced } of group) {
      const pieces = cutText(whole, PIECE, BORDERS)
      for (const [number, text] of pieces.entries()) {
        const part = pieces.length > 1 ? String(number) : ''
        found.push({ file, part, text, replaced })
      }
    }
    yield found
  }
}
