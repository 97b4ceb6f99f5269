import { SmolforgeError } from '../errors.ts'
import { neverStop, noProgress, type Progress, type StopSignal } from '../progress/progress.ts'
import { type CompressionOptions, compression } from './compression.ts'
import { type KneserNeyOptions, kneserNey, type TokenizedDocuments } from './kneser-ney.ts'

/** A line of `baselines.json`: what models without neurons reach on the same held-out bytes of a domain. */
export interface BaselineScores {
  domain: string
  /** Held-out UTF-8 bytes. */
  bytes: number
  zstd: { bitsPerByte: number; prefixBytes: number }
  /** Absent where there is no `xz` program. */
  xz?: { bitsPerByte: number; prefixBytes: number }
  kneserNey: { bitsPerByte: number; order: number; trainingTokens: number }
}

export interface BaselineDomain {
  heldOut: readonly string[]
  /** What the compressors know. */
  training: readonly string[]
}

export interface BaselineOptions extends CompressionOptions, KneserNeyOptions {
  encodeBatch(texts: readonly string[]): Uint32Array[]
  onProgress?: Progress
  stop?: StopSignal
}

/**
 * The lines of `baselines.json`: for each domain zstd and xz that know the domain's training text, and one
 * Kneser-Ney model over the training tokens of all domains, on the same held-out bytes as the neural model.
 *
 * @throws SmolforgeError `interrupted` when stopped.
 */
export async function baselines(
  domains: Readonly<Record<string, BaselineDomain>>,
  trainingTokens: TokenizedDocuments,
  options: BaselineOptions,
): Promise<BaselineScores[]> {
  const { stop = neverStop, onProgress = noProgress } = options
  const names = Object.keys(domains)
  const report = (done: number, message: string) => {
    if (stop.stopped) throw new SmolforgeError('interrupted', 'The baselines were stopped')
    onProgress({ done, total: names.length + 1, unit: 'items', message })
  }
  report(0, 'Kneser-Ney')
  const encoded = names.map((name) => options.encodeBatch(domains[name].heldOut))
  const counted = await kneserNey(trainingTokens, encoded.flat(), options)
  const scores: BaselineScores[] = []
  let at = 0
  for (const [i, domain] of names.entries()) {
    report(1 + i, domain)
    const { heldOut, training } = domains[domain]
    const bytes = heldOut.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
    const bits = counted.bits.subarray(at, at + heldOut.length).reduce((sum, value) => sum + value, 0)
    at += heldOut.length
    const { zstd, xz } = await compression(training, heldOut, options)
    scores.push({
      domain,
      bytes,
      zstd,
      ...(xz !== undefined && { xz }),
      kneserNey: {
        bitsPerByte: bytes === 0 ? 0 : bits / bytes,
        order: counted.order,
        trainingTokens: counted.trainingTokens,
      },
    })
  }
  report(names.length + 1, 'done')
  return scores
}
