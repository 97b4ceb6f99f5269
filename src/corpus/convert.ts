import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename } from 'node:path'
import { SmolforgeError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { type CardOptions, type CardStep, dataSetCard } from './card.ts'
import { writeDataSet } from './dataset.ts'
import type { Damage } from './document.ts'
import { type WrittenDocuments, writeDocuments } from './documents.ts'
import type { ParquetCodec } from './parquet/codecs.ts'
import { type ReadOptions, readSource } from './read.ts'
import type { SourceConfig } from './source.ts'
import { type CorpusStatistics, StatisticsCounter } from './statistics.ts'

export interface ConvertOptions extends Omit<ReadOptions, 'onDamage' | 'onSkip' | 'keepRecords'> {
  /** `.jsonl`, `.jsonl.gz`, `.jsonl.zst` or `.parquet`; a name without an ending is a folder with a card. */
  output: string
  parquetCodec?: ParquetCodec
  shardBytes?: number
  /** Where to write the card of a file; a folder has README.md. */
  card?: string
  title?: string
  description?: string
  madeBy?: string
  /** What became of the documents before: steps for the card's funnel, and what was lost there. */
  history?: { funnel: readonly CardStep[]; damages: readonly Damage[] }
  onDamage?: (damage: Damage) => void
}

export interface Converted extends WrittenDocuments {
  statistics: CorpusStatistics
  damages: number
  bytesLost: number
  lost: CardOptions['lost']
  /** What holds no document by design, by reason. */
  skipped: Record<string, number>
}

const FILE_ENDINGS = /\.(jsonl(\.gz|\.zst)?|parquet)$/

/**
 * Reads a source and writes it in another form. Documents that carry an id, source or licence of their own keep it.
 *
 * @throws SmolforgeError `usage` for an output in no known form or a folder that exists; what reading and writing throw.
 */
export async function convertCorpus(source: SourceConfig, options: ConvertOptions): Promise<Converted> {
  const {
    output,
    parquetCodec,
    shardBytes,
    card,
    title = basename(output),
    description,
    madeBy,
    history,
  } = options
  const isFile = FILE_ENDINGS.test(output)
  if (!isFile) expectNewFolder(output)
  const skipped: Record<string, number> = {}
  const lost: Record<string, { parts: number; bytes: number }> = {}
  let [damages, bytesLost] = [0, 0]
  for (const damage of history?.damages ?? []) countLoss(lost, damage)
  const counter = new StatisticsCounter()
  const documents = counter.watch(
    readSource(source, {
      ...options,
      keepRecords: true,
      onDamage: (damage) => {
        damages++
        bytesLost += damage.bytesLost
        countLoss(lost, damage)
        options.onDamage?.(damage)
      },
      onSkip: (reason) => {
        skipped[reason] = (skipped[reason] ?? 0) + 1
      },
    }),
  )
  const makeCard = (files: CardOptions['files']) => {
    const statistics = counter.result()
    const dropped = Object.fromEntries(Object.entries(skipped).filter(([reason]) => reason === 'empty text'))
    const empty = dropped['empty text'] ?? 0
    const read = {
      step: 'read',
      documentsIn: statistics.documents + empty,
      documentsOut: statistics.documents,
      dropped,
    }
    const funnel = history === undefined ? [read] : history.funnel
    return dataSetCard({ title, description, madeBy, statistics, files, lost, funnel })
  }
  let written: WrittenDocuments
  if (isFile) {
    written = await writeDocuments(output, documents, { parquetCodec })
    const files = [{ path: basename(output), bytes: (await stat(output)).size }]
    if (card !== undefined) await writeFileAtomic(card, makeCard(files))
  } else {
    written = await writeDataSet(output, documents, { parquetCodec, shardBytes, card: makeCard })
  }
  return { ...written, statistics: counter.result(), damages, bytesLost, lost, skipped }
}

function expectNewFolder(folder: string): void {
  if (/\.[a-z]{2,5}$/i.test(folder)) {
    throw new SmolforgeError('usage', `No such form of a corpus: ${basename(folder)}`, {
      place: { file: folder },
      hint: 'Name a .jsonl, .jsonl.gz, .jsonl.zst or .parquet file, or a new folder.',
    })
  }
  if (existsSync(folder)) {
    throw new SmolforgeError('usage', 'There is something at this place already', {
      place: { file: folder },
      hint: 'Name a new folder.',
    })
  }
}

/** Reasons without the number of their line or row: what they have in common. */
function reasonKind(reason: string): string {
  return reason
    .replace(/^(line|row|row group) \d+: /, '')
    .replace(/\d+/g, 'N')
    .slice(0, 120)
}

/** A file may be damaged in more ways than a card can list. */
const MOST_REASONS = 100

function countLoss(
  lost: Record<string, { parts: number; bytes: number }>,
  { reason, bytesLost }: Damage,
): void {
  const kind = reasonKind(reason)
  const name = Object.hasOwn(lost, kind) || Object.keys(lost).length < MOST_REASONS ? kind : 'other reasons'
  lost[name] ??= { parts: 0, bytes: 0 }
  lost[name].parts++
  lost[name].bytes += bytesLost
}
