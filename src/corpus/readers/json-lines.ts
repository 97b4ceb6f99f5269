import type { SourceFile } from '../files.ts'
import { type Line, type PackedDamage, readLines } from '../lines.ts'
import type { FoundText, Reader, Report } from './reader.ts'
import { textOfRow } from './rows.ts'

/**
 * JSON lines, plain, gzip or zstd: `{"text": …}` (or the field that the source names) with an optional `url`; other short
 * values go to the document's meta. A line that is no such object is a damage, and so is a stretch whose compression is broken: lines go on
 * behind it.
 */
export const readJsonLinesTexts: Reader = async function* (files, report, { textField }) {
  for (const file of files) {
    const onDamage = (damage: PackedDamage) => report.onDamage({ file: file.path, ...damage })
    for await (const lines of readLines(file.path, onDamage)) {
      const found: FoundText[] = []
      for (const line of lines) {
        const text = parseLine(line, file, report, textField)
        if (text !== undefined) found.push(text)
      }
      yield found
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
  let json = line.line === 1 ? line.text.replace(/^\uFEFF/, '') : line.text
  if (json.trim() === '') return undefined
  // Dumps that were written to a full disk hold runs of zero bytes; a line may go on behind them.
  const zeros = /^\0*/.exec(json)?.[0].length ?? 0
  if (zeros > 0) {
    report.onDamage({
      file: file.path,
      byteOffset: line.byteOffset,
      bytesLost: zeros,
      reason: `line ${line.line}: zero bytes`,
    })
    json = json.slice(zeros)
    if (json.trim() === '') return undefined
  }
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return void damaged('no JSON')
  }
  const found = textOfRow(value, textField)
  if ('failure' in found) return void damaged(found.failure)
  return { file, part: String(line.line), replaced: line.replaced, ...found }
}
