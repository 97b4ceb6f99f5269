import type { Damage } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeFileAtomic, writeOptionalOutput, writeOutputAtomic } from '../../files/atomic.ts'
import { systemError } from '../../native/systemError.ts'
import { neverStop, type StopSignal } from '../../progress/progress.ts'
import type { BatchHits } from '../kernels.ts'
import { readTextBatches } from '../readTextBatches.ts'
import type { TextBatch } from '../textBatches.ts'
import { type BenchmarkItem, readBenchmarkItems } from './benchmarkItems.ts'
import {
  type ContaminationFileReport,
  ContaminationLedger,
  contaminationMarkdown,
} from './contaminationReport.ts'
import { indexItems } from './itemIndex.ts'

export interface DecontaminateFileOptions {
  /** JSON lines `{"id","text"}`, plain, gzip or zstd. */
  input: string
  /** Benchmark files, see `readBenchmarkItems`. */
  against: readonly string[]
  /** Fields of an item to look for; every text of it where not said. */
  fields?: readonly string[]
  /** JSON lines `{"id","keep","rule","value","item"?}` in the order of the input. */
  output: string
  /** Kept documents as JSON lines `{"id","text"}`. */
  texts?: string
  /** Words in a row that a document may not share with an item. */
  ngram?: number
  /** The least words of an item without a text of `ngram` words. */
  minWords?: number
  /**
   * Drop only where the longest common subsequence of the item and the words around the match is this share of the item
   * (FineMath: 0.6). Without it any shared n-gram drops.
   */
  minSubsequence?: number
  /** A report by item as JSON here, and beside it for a reader as Markdown. */
  report?: string
  threads?: number
  onDamage?: (damage: Damage) => void
  stop?: StopSignal
}

/**
 * Says of each document of a file whether it holds an item of a benchmark: word n-grams by 64-bit hashes, and on
 * request the longest common subsequence. The value is the number of shared n-grams, or that share; a kept document
 * that came near has its value and item too.
 */
export async function decontaminateFile(options: DecontaminateFileOptions): Promise<ContaminationFileReport> {
  const { input, output, against, ngram = 13, minWords = 8, minSubsequence, threads, report } = options
  const { stop = neverStop, onDamage, texts: keptTexts } = options
  if (against.length === 0)
    throw new SmolforgeError('usage', 'Say with --against which benchmark to look for')
  const items: BenchmarkItem[] = []
  for (const file of against) items.push(...(await readBenchmarkItems(file, options.fields)))
  const { index, owners, texts, sizes, tooShort } = indexItems(items, { ngram, minWords })
  const ledger = new ContaminationLedger(items, tooShort)
  let documents = 0

  const linesOf = (batch: TextBatch, hits: BatchHits, keep: Uint8Array): string[] => {
    const lines: string[] = []
    const ids = hits.documents.length > 0 ? batch.idsJson() : []
    let at = 0
    hits.documents.forEach((document, i) => {
      const [indexed, shared, subsequence] = [hits.indexed[i], hits.shared[i], hits.subsequence[i]]
      const value = minSubsequence === undefined ? shared : Number(subsequence.toFixed(4))
      const drop = minSubsequence === undefined || subsequence >= minSubsequence
      const item = owners[indexed]
      if (drop) {
        keep[document] = 0
        ledger.add(item, texts[indexed], {
          document: JSON.parse(ids[document]) as string | number,
          value,
          shared,
          share: shared / sizes[indexed],
          subsequence: minSubsequence === undefined ? undefined : value,
          passage: hits.passages[i],
        })
      }
      lines.push(batch.lines(at, document, CLEAN))
      const verdict = { keep: !drop, rule: drop ? RULE : null, value, item: items[item].id }
      lines.push(`{"id":${ids[document]},${JSON.stringify(verdict).slice(1)}\n`)
      at = document + 1
    })
    lines.push(batch.lines(at, batch.length, CLEAN))
    return lines
  }

  try {
    await writeOutputAtomic(output, (write) =>
      writeOptionalOutput(keptTexts, async (writeTexts) => {
        for await (const batch of readTextBatches(input, { threads, onDamage })) {
          if (stop.stopped)
            throw new SmolforgeError('interrupted', 'Stopped while looking for benchmark items')
          const hits = await index.scanBatch(batch, minSubsequence !== undefined, threads)
          const keep = new Uint8Array(batch.length).fill(1)
          await write(Buffer.from(linesOf(batch, hits, keep).join('')))
          await writeTexts?.(await batch.keptLines(keep, threads))
          documents += batch.length
        }
      }),
    )
  } catch (error) {
    throw systemError(error, output)
  }
  const found = ledger.report(documents)
  if (report !== undefined) {
    await writeFileAtomic(report, `${JSON.stringify(found, null, 2)}\n`)
    await writeFileAtomic(report.replace(/(\.json)?$/, '.md'), contaminationMarkdown(found))
  }
  return found
}

const RULE = 'decontamination'
const CLEAN = ',"keep":true,"rule":null,"value":0}'
