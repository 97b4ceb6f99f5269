import { statSync } from 'node:fs'
import { z } from 'zod'
import { readLines } from '../corpus/index.ts'
import { fileError } from '../errors.ts'
import { writeChunksAtomic } from '../files/atomic.ts'
import { Output } from './output.ts'
import { type FileStatistics, writeStatisticsLine } from './statisticsLine.ts'

/** A line `{"id"?, "text", ...}` of a file of documents; a document without an id has the number of its line. */
export type DocumentLine = z.infer<typeof documentLine>

const documentLine = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  text: z.string(),
  url: z.string().nullish(),
})

/** What a command writes for a document, and under which names it counts it. */
export interface LineAnswer {
  line?: object
  dropped?: string
}

/**
 * Answers each document of a `.jsonl` file (plain, gzip or zstd) by a line of another, a batch at a time, and ends with
 * the line of statistics. The output appears when it is whole. A line that is no document is told of and passed over.
 *
 * @throws SmolforgeError `input` or `storage` when a file cannot be read or written.
 */
export async function answerDocuments(
  paths: { input: string; output: string; json?: boolean },
  answer: (
    batch: readonly (DocumentLine & { id: string | number })[],
  ) => readonly LineAnswer[] | Promise<readonly LineAnswer[]>,
): Promise<FileStatistics> {
  const start = performance.now()
  const statistics: FileStatistics = {
    documents: 0,
    bytes: sizeOf(paths.input),
    seconds: 0,
    dropped: {},
    damaged: 0,
  }
  const dropped: Record<string, number> = {}
  async function* chunks(): AsyncGenerator<Buffer> {
    for await (const lines of readLines(paths.input)) {
      const batch: (DocumentLine & { id: string | number })[] = []
      for (const { text, line, tooLong } of lines) {
        if (text.trim() === '' && !tooLong) continue
        const document = tooLong ? undefined : parseDocument(text)
        if (document) batch.push({ ...document, id: document.id ?? line })
        else {
          statistics.damaged++
          process.stderr.write(`${paths.input}:${line} is no document {"text"}: passed over\n`)
        }
      }
      if (batch.length === 0) continue
      statistics.documents += batch.length
      const written: string[] = []
      for (const { line, dropped: rule } of await answer(batch)) {
        if (rule !== undefined) dropped[rule] = (dropped[rule] ?? 0) + 1
        if (line !== undefined) written.push(`${JSON.stringify(line)}\n`)
      }
      yield Buffer.from(written.join(''))
    }
  }
  await writeChunksAtomic(paths.output, async (write) => {
    for await (const chunk of chunks()) await write(chunk)
  })
  const result = { ...statistics, dropped, seconds: (performance.now() - start) / 1000 }
  new Output(paths).emit({ output: paths.output, ...result })
  writeStatisticsLine(result)
  return result
}

function parseDocument(text: string): DocumentLine | undefined {
  try {
    return documentLine.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}

function sizeOf(path: string): number {
  try {
    return statSync(path).size
  } catch (error) {
    throw fileError(error, path)
  }
}
