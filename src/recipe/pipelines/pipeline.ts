import { resolve } from 'node:path'
import type { SourceConfig } from '../../corpus/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { hashLocalFiles } from '../localFiles.ts'
import type { Step } from '../step.ts'
import { StepPlan } from '../stepPlan.ts'
import type { RuleSpec } from '../steps/rules.ts'

/** What a user may say of a named pipeline; paths start at the working folder. */
export interface PipelineOptions {
  input: string
  /** How the files of the input are read, where their names do not say. */
  reader?: SourceConfig['reader']
  textField?: string
  /** Of the data set and in the names of documents. */
  name: string
  /** Where documents do not say one. */
  licence: string
  seed: number
  /** Lines `{"text", "label"}`, or what `smolforge label` wrote. */
  labels?: string
  /** A classifier made before, in place of labels. */
  classifier?: string
  /** The least score that stays; what the pipeline is known for if not given. */
  threshold?: number
  /** The share that stays, best first, in place of a threshold. */
  keepFraction?: number
  /** How many documents of each group counted signs label where no labels are given. */
  seeds: number
  languages: readonly string[]
  /** A fastText model that names languages. */
  languageModel?: string
  /** Files of domains that are left out. */
  domainFiles: readonly string[]
  /** Files of addresses that the maths pipeline recalls. */
  urlFiles: readonly string[]
  /** Benchmark files whose items may not be in the data. */
  against: readonly string[]
  /** The command, for the card. */
  madeBy: string
}

/** "3 and more" as these data sets count: scores are rounded. */
export const ROUNDED_3 = 2.5

/** A named pipeline: what it makes, and the way of documents through it. */
export interface Pipeline {
  readonly name: string
  /** For the card. */
  readonly summary: string
  plan(way: PipelinePlan, options: PipelineOptions): void
}

/** The plan of a pipeline: each step keyed by its options, by the contents of the files it names and by its inputs. */
export async function planPipeline(pipeline: Pipeline, options: PipelineOptions): Promise<Step[]> {
  const way = new PipelinePlan(options, await hashLocalFiles(filesOf(options), '.'))
  pipeline.plan(way, options)
  way.dataSet(pipeline)
  return way.steps
}

function filesOf(options: PipelineOptions): string[] {
  const { input, labels, classifier, languageModel, domainFiles, urlFiles, against } = options
  const named = [labels, classifier, languageModel].filter((file) => file !== undefined)
  return [input, ...named, ...domainFiles, ...urlFiles, ...against]
}

/** Builds a plan step by step along the way that documents go. */
export class PipelinePlan {
  readonly #plan = new StepPlan()
  readonly #options: PipelineOptions
  readonly #files: Readonly<Record<string, string>>
  #last = ''
  #funnel: string[] = []

  constructor(options: PipelineOptions, files: Readonly<Record<string, string>>) {
    this.#options = options
    this.#files = files
  }

  get steps(): Step[] {
    return this.#plan.steps
  }

  /** Reads the input. */
  read(domain: string): string {
    return this.step('read', 'read', this.reading(domain), [])
  }

  /** How the input is read: for steps that read it once more. */
  reading(domain: string) {
    const { input, reader, textField, licence, name, seed } = this.#options
    const source = { name: sourceName(name), domain, licence, path: resolve(input), reader, textField }
    return {
      seed,
      sources: [source satisfies SourceConfig],
      keepRecords: true,
      files: this.hashesOf([input]),
    }
  }

  /** Sends the documents through rules; no step where none is left. */
  rules(name: string, rules: readonly (RuleSpec | undefined)[]): void {
    const some = rules.filter((rule) => rule !== undefined)
    if (some.length === 0) return
    const { languageModel, domainFiles } = this.#options
    const files = some.flatMap(({ use }) => {
      if (use === 'language' && languageModel !== undefined) return [languageModel]
      return use === 'url' ? domainFiles : []
    })
    this.step(name, 'rules', { rules: some, files: this.hashesOf(files) })
  }

  /** The language rule with the user's model, if there is one: the score means another thing there. */
  language(minScore: number, minProbability: number): RuleSpec {
    const { languages, languageModel } = this.#options
    if (languageModel === undefined) return { use: 'language', keep: languages, minScore }
    return { use: 'language', keep: languages, minScore: minProbability, model: resolve(languageModel) }
  }

  /** Domains that the user wants left out. */
  blocked(): RuleSpec | undefined {
    const { domainFiles } = this.#options
    if (domainFiles.length === 0) return undefined
    return { use: 'url', domainFiles: domainFiles.map((file) => resolve(file)) }
  }

  dedup(minhash: { bands: number; rows: number; ngram: number; minSimilarity: number }): void {
    this.step('dedup', 'dedup', { seed: this.#options.seed, exact: true, minhash })
  }

  /** Drops documents with items of the user's benchmark files; `minSubsequence` as in `smolforge decontaminate`. */
  decontaminate(minSubsequence?: number): void {
    const { against } = this.#options
    if (against.length === 0) return
    const paths = against.map((file) => resolve(file))
    const config = { against: paths, ngram: 13, minSubsequence, files: this.hashesOf(against) }
    this.step('decontaminate', 'decontaminate-files', config)
  }

  /** What a scoring step is told of labels; `threshold` where the user says none. */
  scoring(criterion: 'edu' | 'maths' | 'code', threshold: number) {
    const { seed, seeds, labels, classifier, keepFraction } = this.#options
    return {
      seed,
      seeds,
      criterion,
      threshold: this.#options.threshold ?? threshold,
      keepFraction,
      labels: labels && resolve(labels),
      classifier: classifier && resolve(classifier),
      files: this.hashesOf([labels, classifier].filter((file) => file !== undefined)),
    }
  }

  /** A step of any kind, after the last one or after those that are named. */
  step(name: string, kind: string, config: object, inputs: readonly string[] = [this.#last]): string {
    this.#last = this.#plan.add(name, kind, inputs, config)
    this.#funnel.push(name)
    return name
  }

  /** A step beside the way, through which no document goes. */
  aside(name: string, kind: string, config: object, inputs: readonly string[]): string {
    return this.#plan.add(name, kind, inputs, config)
  }

  /** The next step takes the documents from their source again: the funnel of what came before is another one. */
  beginAnew(): void {
    this.#funnel = []
  }

  /** The data set with its card, as the last step. */
  dataSet({ summary }: Pipeline): void {
    const { name, madeBy } = this.#options
    const config = { title: name, description: summary, madeBy, from: this.#last, funnel: this.#funnel }
    this.#plan.add('data-set', 'data-set', this.#funnel, config)
  }

  /** What is in files that a step reads: a part of its key. */
  hashesOf(paths: readonly string[]): Record<string, string> {
    return Object.fromEntries(paths.map((path) => [path, this.#files[path]]))
  }
}

function sourceName(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '')
  if (plain !== '') return plain
  throw new SmolforgeError('usage', `No letter of ${name} can be in the name of a source`, {
    hint: 'Give a --name of small letters, digits and hyphens.',
  })
}
