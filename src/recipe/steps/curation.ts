import { join } from 'node:path'
import { type Document, type DocumentStream, readDocuments, writeDocuments } from '../../corpus/index.ts'
import { applyRules, type Drop, type Funnel, type Rule } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import type { StepResult, StepWork } from '../step.ts'

export const DOCUMENTS = 'documents.jsonl.zst'
export const DROPPED = 'dropped.jsonl.zst'
export const HELD_OUT = 'heldout.jsonl.zst'

/** A line of dropped.jsonl.zst: the document as it came in, with the rule that dropped it. */
export type DroppedDocument = Document & {
  rule: string
  value: number
  threshold?: number
  detail?: Drop['detail']
}

/** The kept documents of the step before, read anew at each call. */
export function documentsOf(work: StepWork<unknown>, step = Object.keys(work.inputs)[0]): DocumentStream {
  return readDocuments(join(work.inputs[step], DOCUMENTS))
}

/** Sends documents through rules into the step's folder: kept, dropped and the funnel. */
export async function curateStep(
  work: StepWork<unknown>,
  documents: DocumentStream,
  rules: readonly Rule[],
): Promise<StepResult> {
  const dropped = new DocumentPipe()
  const { kept, funnel } = applyRules(documents, rules, {
    step: work.name,
    onVerdict: (document, verdict) => {
      if (verdict.keep) return
      const { rule, value, threshold, detail } = verdict
      return dropped.put({ ...document, rule, value, threshold, detail } as DroppedDocument)
    },
  })
  await writeBoth(work, kept, dropped)
  return writeFunnel(work, funnel())
}

/** Writes kept and dropped documents at the same time, each waiting for the disk in its turn. */
export async function writeBoth(
  work: StepWork<unknown>,
  kept: DocumentStream,
  dropped: DocumentPipe,
): Promise<void> {
  const writing = writeDocuments(join(work.folder, DROPPED), dropped)
  writing.catch((error) => dropped.fail(error))
  try {
    await writeDocuments(join(work.folder, DOCUMENTS), watched(work, kept))
  } finally {
    dropped.end()
  }
  await writing
}

export async function writeFunnel(work: StepWork<unknown>, funnel: Funnel): Promise<StepResult> {
  await writeJson(work, 'funnel.json', funnel)
  const { documentsIn, documentsOut, bytesIn, bytesOut } = funnel
  return { counts: { documentsIn, documentsOut, bytesIn, bytesOut }, bytes: bytesOut }
}

export async function writeJson(work: { folder: string }, name: string, value: unknown): Promise<void> {
  await writeFileAtomic(join(work.folder, name), `${JSON.stringify(value, null, 2)}\n`)
}

/** Reports progress and heeds the stop signal between batches. */
async function* watched(work: StepWork<unknown>, documents: DocumentStream): DocumentStream {
  let done = 0
  for await (const batch of documents) {
    stopIfAsked(work)
    yield batch
    done += batch.length
    work.onProgress({ done, unit: 'documents' })
  }
}

export function stopIfAsked(work: { name: string; stop: { stopped: boolean } }): void {
  if (work.stop.stopped) throw new SmolforgeError('interrupted', `Step ${work.name} was stopped`)
}

const BATCH = 64

/** A stream that others put documents into; `put` waits while the reader is behind. */
export class DocumentPipe implements DocumentStream {
  #batch: Document[] = []
  #ended = false
  #failure: unknown
  #wake: () => void = () => {}
  #taken: () => void = () => {}

  async put(document: Document): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    this.#batch.push(document)
    if (this.#batch.length < BATCH) return
    this.#wake()
    await new Promise<void>((resolve) => {
      this.#taken = resolve
    })
    if (this.#failure !== undefined) throw this.#failure
  }

  end(): void {
    this.#ended = true
    this.#wake()
  }

  /** The reader failed: whoever puts learns why, and nobody waits for ever. */
  fail(error: unknown): void {
    this.#failure = error
    this.#taken()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Document[]> {
    while (true) {
      if (this.#batch.length >= BATCH || (this.#ended && this.#batch.length > 0)) {
        const batch = this.#batch
        this.#batch = []
        this.#taken()
        yield batch
      } else if (this.#ended) return
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve
        })
      }
    }
  }
}
