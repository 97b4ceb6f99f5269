import { statSync } from 'node:fs'
import { fileError } from '../errors.ts'
import { writeChunksAtomic } from '../files/atomic.ts'
import { readAhead } from '../files/readAhead.ts'
import { type DocumentCounts, type DocumentLine, readDocumentLines } from './documentLines.ts'
import { Output } from './output.ts'
import { type FileStatistics, writeStatisticsLine } from './statisticsLine.ts'

/**
 * Answers each document of a file by a line of another, a batch at a time, the next read and the last written while
 * one is worked on, and ends with the line of statistics. The
 * output appears when it is whole. A line that is no document is counted as damaged, and the first is told of.
 *
 * @throws SmolforgeError `input` or `storage` when a file cannot be read or written.
 */
export async function answerDocuments(
  paths: { input: string; output: string; json?: boolean },
  answer: (batch: readonly DocumentLine[]) => Promise<readonly object[]>,
): Promise<void> {
  const start = performance.now()
  const bytes = sizeOf(paths.input)
  const counts: DocumentCounts = { documents: 0, bytes: 0, damaged: 0 }
  const answers = async function* () {
    for await (const batch of readAhead(readDocumentLines(paths.input, counts))) yield await answer(batch)
  }
  await writeChunksAtomic(paths.output, async (write) => {
    for await (const lines of readAhead(answers())) {
      await write(Buffer.from(lines.map((line) => `${JSON.stringify(line)}\n`).join('')))
    }
  })
  const { documents, damaged } = counts
  const seconds = (performance.now() - start) / 1000
  const statistics: FileStatistics = { documents, bytes, seconds, dropped: {}, damaged }
  const output = new Output(paths)
  tellDamage(paths.input, counts)
  output.say(`${documents} documents: ${paths.output}`)
  output.emit({ output: paths.output, ...statistics })
  writeStatisticsLine(statistics)
}

/** Tells a person on standard error of lines that were no documents. */
export function tellDamage(input: string, { damaged, firstDamage }: DocumentCounts): void {
  if (firstDamage === undefined) return
  const { line, reason } = firstDamage
  process.stderr.write(`${damaged} lines are no documents, the first at ${input}:${line}: ${reason}\n`)
}

/** Bytes of a file as it lies on the disk. */
export function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch (error) {
    throw fileError(error, path)
  }
}
