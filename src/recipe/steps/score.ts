import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import type { Document } from '../../corpus/index.ts'
import {
  LinearClassifier,
  type Rule,
  type TextScorer,
  trainClassifier,
  type Verdict,
} from '../../curate/index.ts'
import { readJson } from '../readJson.ts'
import type { StepKind, StepWork } from '../step.ts'
import { curateStep, documentsOf, stopIfAsked, writeJson } from './curation.ts'
import { type GroupedExample, type LabelSource, labelledExamples } from './labels.ts'

export interface ScoreConfig extends LabelSource {
  seed: number
  /** A classifier made before (`smolforge classifier`), instead of one trained here. */
  classifier?: string
  /** `language`: one classifier, and one threshold, for each language. */
  by?: 'language'
  /** Documents with a lower score go, 0 to 5; `thresholds` says otherwise for single groups. */
  threshold: number
  thresholds?: Readonly<Record<string, number>>
  /** The share of each group's documents that stays, best first, instead of a threshold. */
  keepFraction?: number
  /** Nothing goes: documents are only scored. */
  scoreOnly?: boolean
}

/** What was kept at each threshold, had it been that one. */
export interface ThresholdTable {
  group: string
  threshold: number
  documents: number
  table: { threshold: number; documents: number; bytes: number }[]
}

/**
 * Trains a classifier from labels (one for each group), scores every document, and drops what is under the threshold
 * of its group: by score, or by the share that is to stay. thresholds.json tells what any other would have kept.
 */
export const scoreStep: StepKind<ScoreConfig> = {
  kind: 'score',
  version: 1,
  resumes: false,
  async run(work) {
    const { criterion, scoreOnly, by } = work.config
    const groupOf = by === 'language' ? (document: Document) => document.language ?? 'unknown' : () => 'all'
    const { scorers, metrics, warnings } = await scorersOf(work, groupOf)
    const tables = await survey(work, scorers, groupOf)
    await writeJson(work, 'thresholds.json', tables)
    const thresholds = new Map(tables.map(({ group, threshold }) => [group, threshold]))
    const rule: Rule = {
      name: 'score',
      async judge(batch) {
        const scores = await scoreBatch(batch, scorers, groupOf)
        return batch.map((document, i): Verdict => {
          const value = scores[i]
          const threshold = thresholds.get(groupOf(document)) ?? work.config.threshold
          if (!scoreOnly && !(value >= threshold))
            return { keep: false, rule: `score.${criterion}`, value, threshold }
          return { keep: true, changes: { scores: { [criterion]: value } } }
        })
      },
    }
    const result = await curateStep(work, documentsOf(work), [rule])
    return { ...result, metrics, warnings }
  },
}

/** The classifier of each group; '' is for groups that have too few labels for one of their own. */
async function scorersOf(work: StepWork<ScoreConfig>, groupOf: (document: Document) => string) {
  const { classifier, seed, threshold, criterion } = work.config
  const scorers = new Map<string, TextScorer>()
  const metrics: Record<string, number> = {}
  const warnings: string[] = []
  if (classifier !== undefined) {
    scorers.set('', await LinearClassifier.load(resolve(work.places.baseDir, classifier)))
    return { scorers, metrics, warnings }
  }
  const examples = await labelledExamples(() => documentsOf(work), work.config, work.places.baseDir, groupOf)
  if (work.config.labels === undefined) {
    warnings.push(`no labels were given: the ${criterion} classifier learnt from counted signs`)
  }
  if (work.config.labels === undefined && oneLabel(examples)) {
    const label = examples[0]?.label ?? 0
    warnings.push(`all of the ${examples.length} documents that were looked at have the label ${label}`)
    await writeJson(work, CONSTANT, { label })
    scorers.set('', constantScorer(label))
    return { scorers, metrics, warnings }
  }
  const groups = new Map<string, GroupedExample[]>([['', examples]])
  for (const example of examples) {
    const some = groups.get(example.group)
    if (some === undefined) groups.set(example.group, [example])
    else if (some !== examples) some.push(example)
  }
  const evaluations: Record<string, unknown> = {}
  for (const [group, some] of groups) {
    stopIfAsked(work)
    const isWhole = group === '' || some.length === examples.length
    if (isWhole ? scorers.has('') : some.length < LEAST_EXAMPLES || oneLabel(some)) continue
    const trained = trainClassifier(some, { seed, threshold })
    const name = group === '' ? 'all' : group
    await trained.save(join(work.folder, `classifier-${name}.bin`))
    evaluations[name] = trained.evaluation
    metrics[`f1.${name}`] = trained.evaluation.f1
    scorers.set(isWhole ? '' : group, trained)
  }
  await writeJson(work, 'classifiers.json', evaluations)
  return { scorers, metrics: { ...metrics, examples: examples.length }, warnings }
}

/** Where signs say the same of all documents nothing can be learnt, and that label is the score. */
const CONSTANT = 'constant.json'

const constantScorer = (label: number): TextScorer => ({
  score: (texts) => new Float64Array(texts.length).fill(label),
})

/** The classifier of all documents that a finished scoring step left in its folder. */
export async function scorerOf(folder: string): Promise<TextScorer> {
  const constant = join(folder, CONSTANT)
  if (!existsSync(constant)) return LinearClassifier.load(join(folder, 'classifier-all.bin'))
  return constantScorer((await readJson(constant, z.object({ label: z.number() }))).label)
}

/** With fewer labels a group is scored by the classifier of all. */
const LEAST_EXAMPLES = 100

const oneLabel = (examples: readonly GroupedExample[]) => new Set(examples.map(({ label }) => label)).size < 2

async function scoreBatch(
  batch: readonly Document[],
  scorers: ReadonlyMap<string, TextScorer>,
  groupOf: (document: Document) => string,
): Promise<Float64Array> {
  const scores = new Float64Array(batch.length).fill(Number.NaN)
  const byScorer = new Map<TextScorer | undefined, number[]>()
  batch.forEach((document, i) => {
    const scorer = scorers.get(groupOf(document)) ?? scorers.get('')
    byScorer.set(scorer, [...(byScorer.get(scorer) ?? []), i])
  })
  for (const [scorer, places] of byScorer) {
    const found = await scorer?.score(places.map((i) => batch[i].text))
    places.forEach((place, i) => {
      scores[place] = found?.[i] ?? Number.NaN
    })
  }
  return scores
}

const STEPS = Array.from({ length: 21 }, (_, i) => i / 4)

/** Scores everything once: the threshold of each group, and how much each other threshold keeps. */
async function survey(
  work: StepWork<ScoreConfig>,
  scorers: ReadonlyMap<string, TextScorer>,
  groupOf: (document: Document) => string,
): Promise<ThresholdTable[]> {
  const { threshold, thresholds = {}, keepFraction } = work.config
  const groups = new Map<string, { scores: number[]; documents: number[]; bytes: number[] }>()
  for await (const batch of documentsOf(work)) {
    stopIfAsked(work)
    const scores = await scoreBatch(batch, scorers, groupOf)
    batch.forEach((document, i) => {
      const group = groupOf(document)
      let seen = groups.get(group)
      if (seen === undefined) {
        seen = { scores: [], documents: STEPS.map(() => 0), bytes: STEPS.map(() => 0) }
        groups.set(group, seen)
      }
      // Eight bytes a document: the fraction needs them all, the table does not.
      if (keepFraction !== undefined) seen.scores.push(scores[i])
      const bytes = Buffer.byteLength(document.text)
      for (const [step, least] of STEPS.entries()) {
        if (!(scores[i] >= least)) break
        seen.documents[step]++
        seen.bytes[step] += bytes
      }
    })
  }
  return [...groups].map(([group, { scores, documents, bytes }]) => ({
    group,
    threshold:
      keepFraction === undefined ? (thresholds[group] ?? threshold) : bestShare(scores, keepFraction),
    documents: documents[0],
    table: STEPS.map((least, i) => ({ threshold: least, documents: documents[i], bytes: bytes[i] })),
  }))
}

/** The score that the last one has of the best share. */
function bestShare(scores: readonly number[], share: number): number {
  const sorted = Float64Array.from(scores).sort()
  const last = Math.ceil(share * sorted.length)
  return last === 0 ? Number.POSITIVE_INFINITY : sorted[sorted.length - last]
}
