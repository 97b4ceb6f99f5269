import { mkdir } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import type { Document, DocumentStream } from '../../corpus/index.ts'
import {
  domainOf,
  JudgementCache,
  type LabelledText,
  labelDocuments,
  readLabelLines,
  readRubric,
  rubricNames,
  seedLabels,
  textHashOf,
} from '../../curate/index.ts'
import type { StepWork } from '../step.ts'
import type { ClassifyConfig } from './classifyConfig.ts'
import { documentsOf, stopIfAsked } from './curation.ts'

type Work = StepWork<ClassifyConfig>

/** The labelled texts that the classifier learns from, from wherever the recipe says. */
export async function seedExamples(work: Work): Promise<LabelledText[]> {
  const { seeds } = work.config
  if ('file' in seeds) return fileExamples(work, resolve(work.places.baseDir, seeds.file))
  if ('judge' in seeds) return judgedExamples(work, seeds.judge)
  if ('sources' in seeds) return sourceExamples(work, seeds)
  const examples: LabelledText[] = []
  for await (const batch of evenly(documentsOf(work), isJudged(work), seeds.rubric)) {
    stopIfAsked(work)
    const texts = batch.map(({ text }) => text)
    for (const [i, label] of seedLabels(texts).entries()) examples.push({ text: texts[i], label })
  }
  return examples
}

/** The first documents of every source that are to be judged, so many that they are `count` in all. */
export function judgedEvenly(work: Work, count: number): AsyncGenerator<Document[]> {
  return evenly(documentsOf(work), isJudged(work), count)
}

function isJudged({ config: { domains } }: Work): (document: Document) => boolean {
  return (document) => domains?.includes(domainOf(document)) ?? true
}

type JudgeSeeds = Extract<ClassifyConfig['seeds'], { judge: unknown }>['judge']
type SourceSeeds = Extract<ClassifyConfig['seeds'], { sources: unknown }>

/** Lines with their text, or with the id of a document of the run. */
async function fileExamples(work: Work, path: string): Promise<LabelledText[]> {
  const examples: LabelledText[] = []
  const byId = new Map<string, { label: number; textHash?: string }>()
  for await (const { text, id, label, textHash } of readLabelLines(path)) {
    if (text !== undefined) examples.push({ text, label })
    else if (id !== undefined) byId.set(id, { label, textHash })
  }
  if (byId.size === 0) return examples
  for await (const batch of documentsOf(work)) {
    stopIfAsked(work)
    for (const { id, text } of batch) {
      const found = byId.get(id)
      if (found === undefined || (found.textHash ?? textHashOf(text)) !== textHashOf(text)) continue
      examples.push({ text, label: found.label })
    }
  }
  return examples
}

async function judgedExamples(work: Work, seeds: JudgeSeeds): Promise<LabelledText[]> {
  const { rubric, documents, endpoint: baseUrl, model, maxCharacters, concurrency, check } = seeds
  const known = rubricNames.some((name) => name === rubric)
  const texts = new Map<string, string>()
  for await (const batch of judgedEvenly(work, documents))
    for (const { id, text } of batch) texts.set(id, text)
  await mkdir(work.places.cacheDir, { recursive: true })
  const cache = await JudgementCache.open(join(work.places.cacheDir, 'judgements.jsonl'))
  try {
    const { labels } = labelDocuments(documentsWithText(texts), {
      rubric: await readRubric(known ? rubric : resolve(work.places.baseDir, rubric)),
      endpoint: {
        baseUrl,
        model,
        apiKey: process.env.SMOLFORGE_JUDGE_KEY || undefined,
        temperature: 0,
        maxAnswerTokens: 300,
        timeoutMs: 120_000,
      },
      checkShare: check,
      cache,
      concurrency,
      limits: {},
      retry: { attempts: 6, firstDelayMs: 1000, longestDelayMs: 60_000 },
      maxCharacters,
      prices: { perMillionPrompt: 0, perMillionAnswer: 0 },
      stop: work.stop,
      onProgress: work.onProgress,
    })
    const examples: LabelledText[] = []
    for await (const { id, label } of labels) {
      const text = texts.get(id)
      if (label !== null && text !== undefined) examples.push({ text, label })
    }
    return examples
  } finally {
    await cache.close()
  }
}

async function* documentsWithText(texts: ReadonlyMap<string, string>) {
  for (const [id, text] of texts) yield { id, text }
}

async function sourceExamples(work: Work, seeds: SourceSeeds): Promise<LabelledText[]> {
  const examples: LabelledText[] = []
  const taken = new Map<string, number>()
  for await (const batch of documentsOf(work)) {
    stopIfAsked(work)
    for (const { source, text } of batch) {
      const label = seeds.sources[source]
      const before = taken.get(source) ?? 0
      if (label === undefined || before >= seeds.documents) continue
      taken.set(source, before + 1)
      examples.push({ text, label })
    }
  }
  return examples
}

/** The first documents of every source, so many that they are `count` in all. */
async function* evenly(
  documents: DocumentStream,
  isWanted: (document: Document) => boolean,
  count: number,
): AsyncGenerator<Document[]> {
  const bySource = new Map<string, Document[]>()
  for await (const batch of documents) {
    for (const document of batch) {
      if (!isWanted(document)) continue
      const some = bySource.get(document.source) ?? []
      bySource.set(document.source, some)
      if (some.length < count) some.push(document)
    }
  }
  let left = count
  const groups = [...bySource.values()].sort((a, b) => a.length - b.length)
  for (const [i, group] of groups.entries()) {
    const share = Math.ceil(left / (groups.length - i))
    const some = group.slice(0, share)
    left -= some.length
    yield some
  }
}
