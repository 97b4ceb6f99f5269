import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Document } from '../corpus/index.ts'
import { readDocuments, readLines } from '../corpus/index.ts'
import { CURATION_STEPS } from '../curate/index.ts'
import { SmolforgeError } from '../errors.ts'
import { packings, Sampler } from '../shards/index.ts'
import { readRun } from './inspect.ts'
import { readJson } from './readJson.ts'
import { finishedFolder } from './stepFolder.ts'
import { DOCUMENTS, DROPPED, HELD_OUT } from './steps/curation.ts'
import { readStageMixture } from './steps/mixture.ts'
import { openShardSets } from './steps/shards.ts'

/** What one curation step did with a document. */
export interface DocumentVerdict {
  step: string
  verdict: 'kept' | 'dropped' | 'held out'
  rule?: string
  value?: number
  threshold?: number
  scores?: Record<string, number>
}

export interface DocumentStory {
  /** As the last step that had it saw it. */
  document: Document
  verdicts: DocumentVerdict[]
}

/**
 * What became of a document, step by step, from reading to the training text.
 *
 * @throws SmolforgeError `input` when no step of the run has seen it.
 */
export async function documentStory(runDir: string, id: string): Promise<DocumentStory> {
  const verdicts: DocumentVerdict[] = []
  let document: Document | undefined
  for (const step of await curationSteps(runDir)) {
    const folder = finishedFolder(runDir, step)
    const kept = await findDocument(join(folder, DOCUMENTS), id)
    const held = kept ? undefined : await findDocument(join(folder, HELD_OUT), id)
    const dropped = kept || held ? undefined : await findDropped(join(folder, DROPPED), id)
    document = kept ?? held ?? dropped?.document ?? document
    if (kept) verdicts.push({ step, verdict: 'kept', scores: kept.scores })
    else if (held) verdicts.push({ step, verdict: 'held out' })
    else if (dropped) verdicts.push({ step, verdict: 'dropped', ...dropped.reason })
    if (!kept && (held || dropped)) break
  }
  if (document) return { document, verdicts }
  throw new SmolforgeError('input', `No step of this run has seen a document ${id}`, {
    place: { file: runDir },
    hint: 'smolforge corpus list RUN shows ids.',
  })
}

export interface DocumentLine {
  id: string
  source: string
  domain: string
  bytes: number
  /** The step that dropped it or set it aside; `training` when it is trained on. */
  end: string
  rule?: string
  value?: number
  threshold?: number
}

/** Every document of a run with where its way ended: dropped by a rule, held out, or trained on. */
export async function* listDocuments(runDir: string): AsyncGenerator<DocumentLine> {
  const steps = await curationSteps(runDir)
  for (const step of steps) {
    const folder = finishedFolder(runDir, step)
    for await (const { document, reason } of droppedDocuments(join(folder, DROPPED))) {
      yield { ...lineOf(document, step), ...reason }
    }
    for await (const document of documentsIn(join(folder, HELD_OUT))) yield lineOf(document, 'held out')
  }
  const last = steps.at(-1)
  if (last === undefined) return
  for await (const document of documentsIn(join(finishedFolder(runDir, last), DOCUMENTS))) {
    yield lineOf(document, 'training')
  }
}

export interface BatchDocument {
  domain: string
  id: string
  /** Tokens of the document in this step's rows. */
  tokens: number
}

/**
 * The documents in the batch of one step of pretraining (steps count over all stages, from 1). The sampler's state is
 * known from its seed, so the batch is drawn again rather than looked up.
 *
 * @throws SmolforgeError `input` when no finished stage has that step.
 */
export async function batchDocuments(
  runDir: string,
  step: number,
): Promise<{ stage: number; documents: BatchDocument[] }> {
  const run = await readRun(runDir)
  const { seed, training, sources } = recipeSlice.parse(run.recipe)
  const stages = run.steps.filter(
    ({ kind, name }) => kind === 'pretrain' && existsSync(finishedFolder(runDir, name)),
  )
  for (const [i, { name }] of stages.entries()) {
    const mixture = await readStageMixture(finishedFolder(runDir, name))
    if (step <= mixture.stepsStart || step > mixture.stepsEnd) continue
    const sets = await openShardSets(finishedFolder(runDir, 'shards'))
    const micro = training.microBatchSize ?? training.batchSize
    const caps = Object.fromEntries(
      sources.map(({ domain }) => [domain, training.epochCaps[domain] ?? training.maxEpochs] as const),
    )
    const sampler = new Sampler({
      sets,
      weights: mixture.weights,
      batchSize: micro,
      sequenceLength: training.sequenceLength,
      packing: training.packing,
      seed,
      epochCaps: Object.fromEntries(Object.keys(sets).map((domain) => [domain, caps[domain]])),
    })
    if (i > 0) {
      const before = finishedFolder(runDir, stages[i - 1].name)
      sampler.restore(await readJson(join(before, 'sampler.json'), z.custom<ReturnType<Sampler['state']>>()))
      sampler.setWeights(mixture.weights)
    }
    const batches = training.batchSize / micro
    for (let done = mixture.stepsStart * batches; done < (step - 1) * batches; done++) sampler.next()
    const tokens = new Map<string, BatchDocument>()
    for (let batch = 0; batch < batches; batch++) {
      for (const { domain, pieces } of sampler.next().rows) {
        for (const { start, end } of pieces) {
          const { id } = sets[domain].documentAt(start)
          const known = tokens.get(id) ?? { domain, id, tokens: 0 }
          tokens.set(id, { ...known, tokens: known.tokens + end - start })
        }
      }
    }
    for (const set of Object.values(sets)) set.close()
    return { stage: i + 1, documents: [...tokens.values()] }
  }
  throw new SmolforgeError('input', `No finished stage of this run has a step ${step}`, {
    place: { file: runDir },
  })
}

const recipeSlice = z.looseObject({
  seed: z.number(),
  sources: z.array(z.looseObject({ domain: z.string() })),
  training: z.looseObject({
    batchSize: z.number(),
    microBatchSize: z.number().optional(),
    sequenceLength: z.number(),
    packing: z.enum(packings).default('concatenate'),
    maxEpochs: z.number(),
    epochCaps: z.record(z.string(), z.number()),
  }),
})

async function curationSteps(runDir: string): Promise<string[]> {
  const planned = new Set((await readRun(runDir)).steps.map(({ name }) => name))
  return CURATION_STEPS.filter((step) => planned.has(step) && existsSync(finishedFolder(runDir, step)))
}

async function* documentsIn(path: string): AsyncGenerator<Document> {
  if (!existsSync(path)) return
  for await (const batch of readDocuments(path)) yield* batch
}

async function findDocument(path: string, id: string): Promise<Document | undefined> {
  for await (const document of documentsIn(path)) if (document.id === id) return document
  return undefined
}

type DropReason = { rule: string; value: number; threshold?: number }

const droppedSchema = z.looseObject({
  id: z.string(),
  text: z.string(),
  source: z.string(),
  licence: z.string(),
  scores: z.record(z.string(), z.number()),
  meta: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
  rule: z.string(),
  value: z.number().nullable(),
  threshold: z.number().optional(),
})

async function* droppedDocuments(path: string): AsyncGenerator<{ document: Document; reason: DropReason }> {
  if (!existsSync(path)) return
  for await (const lines of readLines(path)) {
    for (const { text, line } of lines) {
      if (text === '') continue
      const parsed = droppedSchema.safeParse(JSON.parse(text))
      if (!parsed.success) {
        throw new SmolforgeError('damaged', 'Not a dropped document', { place: { file: path, line } })
      }
      const { rule, value, threshold, ...document } = parsed.data
      yield {
        document,
        reason: { rule, value: value ?? Number.NaN, ...(threshold !== undefined && { threshold }) },
      }
    }
  }
}

async function findDropped(path: string, id: string) {
  for await (const dropped of droppedDocuments(path)) if (dropped.document.id === id) return dropped
  return undefined
}

function lineOf(document: Document, end: string): DocumentLine {
  const { id, source, text, meta } = document
  return { id, source, domain: String(meta.domain ?? source), bytes: Buffer.byteLength(text), end }
}
