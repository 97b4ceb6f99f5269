import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  type CardOptions,
  type CardStep,
  type Damage,
  dataSetCard,
  StatisticsCounter,
  writeDataSet,
} from '../../corpus/index.ts'
import { readJson } from '../readJson.ts'
import type { StepKind, StepWork } from '../step.ts'
import { documentsOf, stopIfAsked, writeJson } from './curation.ts'

export interface DataSetConfig {
  title: string
  description: string
  madeBy: string
  /** The step whose documents are the data set; the funnel is told of all inputs. */
  from: string
  /** Steps that dropped documents, in the order in which documents went through them. */
  funnel: readonly string[]
}

/** What a pipeline did, step by step: funnel.json. */
export interface PipelineFunnel {
  steps: (CardStep & { bytesIn: number; bytesOut: number })[]
  /** Parts of the input that gave no document. */
  damaged: number
}

const funnelSchema = z.object({
  documentsIn: z.number(),
  documentsOut: z.number(),
  bytesIn: z.number(),
  bytesOut: z.number(),
  dropped: z.record(z.string(), z.object({ documents: z.number() })),
})

export const DATA_SET = 'dataset'

/** Writes the data set as Parquet with its card, and the funnel of the whole pipeline. */
export const dataSetStep: StepKind<DataSetConfig> = {
  kind: 'data-set',
  version: 1,
  resumes: false,
  async run(work) {
    const { title, description, madeBy, from } = work.config
    const lost = await lostParts(work)
    const damaged = Object.values(lost).reduce((sum, { parts }) => sum + parts, 0)
    const funnel: PipelineFunnel = { steps: await funnelSteps(work), damaged }
    const counter = new StatisticsCounter()
    const card = (files: CardOptions['files']) =>
      dataSetCard({
        title,
        description,
        madeBy,
        statistics: counter.result(),
        funnel: funnel.steps,
        lost,
        files,
      })
    const documents = counter.watch(documentsOf(work, from))
    async function* watched() {
      for await (const batch of documents) {
        stopIfAsked(work)
        yield batch
      }
    }
    const written = await writeDataSet(join(work.folder, DATA_SET), watched(), { card })
    await writeJson(work, 'funnel.json', funnel)
    return { counts: { documents: written.documents }, bytes: written.bytes }
  },
}

async function funnelSteps(work: StepWork<DataSetConfig>): Promise<PipelineFunnel['steps']> {
  const steps: PipelineFunnel['steps'] = []
  for (const step of work.config.funnel) {
    const funnel = await readJson(join(work.inputs[step], 'funnel.json'), funnelSchema)
    const { documentsIn, documentsOut, bytesIn, bytesOut } = funnel
    const rules = Object.entries(funnel.dropped).map(([rule, { documents }]) => [rule, documents])
    const dropped: Record<string, number> = Object.fromEntries(rules)
    steps.push({ step, documentsIn, documentsOut, bytesIn, bytesOut, dropped })
  }
  return steps
}

async function lostParts(work: StepWork<DataSetConfig>): Promise<CardOptions['lost']> {
  const lost: Record<string, { parts: number; bytes: number }> = {}
  for (const step of work.config.funnel) {
    const text = await readFile(join(work.inputs[step], 'damage.json'), 'utf8').catch(() => '[]')
    for (const { reason, bytesLost } of JSON.parse(text) as Damage[]) {
      const kind = reason.split(':')[0]
      const seen = lost[kind] ?? { parts: 0, bytes: 0 }
      lost[kind] = { parts: seen.parts + 1, bytes: seen.bytes + bytesLost }
    }
  }
  return lost
}
