import {
  type Damage,
  type DocumentStream,
  type Quarantined,
  readSource,
  type SourceConfig,
} from '../../corpus/index.ts'
import type { Rule } from '../../curate/index.ts'
import { Random } from '../../random/random.ts'
import { problemDocuments } from '../../synth/index.ts'
import type { StepKind, StepResult, StepWork } from '../step.ts'
import { curateStep, writeJson } from './curation.ts'

export interface ReadConfig {
  seed: number
  sources: SourceConfig[]
  /** Documents keep what their own records say of id, licence, language and scores. */
  keepRecords?: boolean
  /** What readers wrote below an article stays. */
  comments?: boolean
}

/** Reads every source of the recipe; what cannot be read is named to the byte in damage.json, what took too
 * long by its id in quarantine.json. */
export const readStep: StepKind<ReadConfig> = {
  kind: 'read',
  version: 1,
  resumes: false,
  run: (work) => readInto(work, []),
}

/** Reads the sources into the step's folder, through rules. */
export async function readInto(work: StepWork<ReadConfig>, rules: readonly Rule[]): Promise<StepResult> {
  const damage: Damage[] = []
  const quarantine: Quarantined[] = []
  const { sources, seed, keepRecords, comments } = work.config
  const skipped: Record<string, number> = {}
  const result = await curateStep(work, readAll(), rules)
  async function* readAll(): DocumentStream {
    for (const source of sources) {
      yield* readSource(source, {
        cacheDir: work.places.cacheDir,
        baseDir: work.places.baseDir,
        seed,
        keepRecords,
        extraction: comments ? { comments } : undefined,
        generator: generate,
        onDamage: (part) => damage.push(part),
        onQuarantine: (document) => quarantine.push(document),
        onSkip: (reason) => {
          skipped[reason] = (skipped[reason] ?? 0) + 1
        },
        onProgress: work.onProgress,
        stop: work.stop,
      })
    }
  }
  await writeJson(work, 'damage.json', damage)
  await writeJson(work, 'quarantine.json', quarantine)
  await writeJson(work, 'skipped.json', skipped)
  const bytesLost = damage.reduce((sum, part) => sum + part.bytesLost, 0)
  const warnings: string[] = []
  if (damage.length > 0) warnings.push(`${damage.length} damaged parts of the input, ${bytesLost} bytes lost`)
  if (quarantine.length > 0) {
    const some = quarantine.slice(0, 3).map(({ id }) => id)
    warnings.push(`${quarantine.length} documents took too long and were left out: ${some.join(', ')}`)
  }
  const counts = { ...result.counts, damaged: damage.length, quarantined: quarantine.length }
  return { ...result, counts, warnings }
}

/** Generators that a source may name. */
const generators: Record<string, (count: number, seed: number) => ReturnType<typeof problemDocuments>> = {
  'worked-problems': (count, seed) => problemDocuments(Random.derive(seed, 'training problems'), count),
}

export const generatorNames = Object.keys(generators)

const generate = (name: string, count: number, seed: number) => generators[name](count, seed)
