import { SmolforgeError } from '../../errors.ts'
import type { SourceFile } from '../files.ts'
import { type Line, readLines } from '../lines.ts'
import type { FoundText, Reader, Report } from './reader.ts'
import { textOfRow } from './rows.ts'

/**
 * JSON lines, plain, gzip or zstd: `{"text": …}` (or the field that the source names) with an optional `url`; other short
 * values go to the document's meta. A line that is no such object is a damage, and so is the rest of a file whose compression is broken.
 */
export const readJsonLinesTexts: Reader = async function* (files, report, { textField }) {
  for (const file of files) {
    try {
      for await (const lines of readLines(file.path)) {
        const found: FoundText[] = []
        for (const line of lines) {
          const text = parseLine(line, file, report, textField)
          if (text !== undefined) found.push(text)
        }
        yield found
      }
    } catch (error) {
      if (!(error instanceof SmolforgeError) || error.code !== 'damaged') throw error
      const byteOffset = Math.min(error.place.byte ?? 0, file.bytes)
      const reason = error.message
      report.onDamage({ file: file.path, byteOffset, bytesLost: file.bytes - byteOffset, reason })
    }
    report.onBytes(file.bytes)
  }
}

function parseLine(line: Line, file: SourceFile, report: Report, textField: string): FoundText | undefined {
  const damaged = (reason: string) =>
    report.onDamage({
      file: file.path,
      byteOffset: line.byteOffset,
      bytesLost: line.byteLength,
      reason: `line ${line.line}: ${reason}`,
    })
  if (line.tooLong) return void damaged('longer than 64 MiB')
  const json = line.line === 1 ? line.text.replace(/^\uFEFF/, '') : line.text
  // Dumps that were written to a full disk hold runs of zero bytes.
  if (json.trim() === '') return undefined
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return void damaged(/^\0+$/.test(json) ? 'zero bytes' : 'no JSON')
  }
  const found = textOfRow(value, textField)
  if ('failure' in found) return void damaged(found.failure)
  return { file, part: String(line.line), ...found }
}
