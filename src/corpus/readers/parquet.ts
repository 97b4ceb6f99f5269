import { SmolforgeError } from '../../errors.ts'
import { readParquet } from '../parquet/guard.ts'
import type { FoundText, Reader } from './reader.ts'
import { textOfRow } from './rows.ts'

/**
 * Parquet files, a row group or a slice of it at a time: a row with a text is a document, a row without one and a row
 * group that cannot be read are damages.
 */
export const readParquetTexts: Reader = async function* (files, report, { textField }) {
  for (const file of files) {
    const damage = (byteOffset: number, bytesLost: number, reason: string) =>
      report.onDamage({ file: file.path, byteOffset, bytesLost, reason })
    try {
      for await (const part of readParquet(file.path)) {
        if ('reason' in part) {
          damage(part.byteOffset, part.bytesLost, part.reason)
          continue
        }
        const found: FoundText[] = []
        part.rows.forEach((row, index) => {
          const number = part.firstRow + index
          const text = textOfRow(row, textField)
          if ('failure' in text) damage(0, 0, `row ${number}: ${text.failure}`)
          else found.push({ file, part: String(number), ...text })
        })
        yield found
      }
    } catch (error) {
      if (!(error instanceof SmolforgeError) || error.code !== 'damaged') throw error
      damage(0, file.bytes, error.message)
    }
    report.onBytes(file.bytes)
  }
}
