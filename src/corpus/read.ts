import { SmolforgeError } from '../errors.ts'
import type { Progress, StopSignal } from '../progress/progress.ts'
import type { Damage, DocumentStream } from './document.ts'
import type { SourceConfig, TextGenerator } from './source.ts'

export interface ReadOptions {
  /** Where fetched packages are kept. */
  cacheDir: string
  /** What `path` in a source is relative to: the folder of the recipe. */
  baseDir: string
  /** Called for every part of the input that gave no document. */
  onDamage: (damage: Damage) => void
  /** Called for what holds no document by design, with the reason: minified files, WARC request records. */
  onSkip?: (reason: string) => void
  /** Makes the texts of `generate` sources. */
  generator?: TextGenerator
  seed?: number
  onProgress?: Progress
  stop?: StopSignal
}

/** Streams the documents of one source in batches. */
export async function* readSource(source: SourceConfig, _options: ReadOptions): DocumentStream {
  yield []
  throw new SmolforgeError('internal', `readSource(${source.name}) is not there yet`)
}
