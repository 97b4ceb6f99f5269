import { SmolforgeError } from '../errors.ts'
import { type ClassifierEvaluation, evaluateClassifier, type LabelledText } from './classifierEvaluation.ts'
import { type SplitExamplesOptions, splitExamples } from './classifierExamples.ts'
import { type EmbeddingHeader, type EncoderReference, writeClassifierFile } from './classifierFile.ts'
import { fitRidge, predict } from './ridge.ts'

/** A model that turns texts into vectors; `src/model` has the ones that there are. */
export interface Encoder {
  readonly reference: EncoderReference
  /** Rows of `reference.width` numbers, one for each text. */
  embed(texts: readonly string[]): Float32Array
}

/**
 * A regression head on the embeddings of a frozen encoder, as FineWeb-Edu's classifier: ridge regression, the penalty
 * chosen by five-fold cross-validation. Same examples, seed and embeddings, same bits.
 *
 * @param embedAll embeds in portions, so that the caller can show how far it is and stop.
 * @throws SmolforgeError `input` when there are too few examples or all have one label.
 */
export async function trainEmbeddingClassifier(
  examples: readonly LabelledText[],
  encoder: Encoder,
  options: SplitExamplesOptions,
  embedAll: (texts: readonly string[]) => Promise<Float32Array> = async (texts) => encoder.embed(texts),
): Promise<EmbeddingClassifier> {
  const { training, heldOut, lowest, highest, threshold } = splitExamples(examples, options)
  const { width } = encoder.reference
  const rows = await embedAll([...training, ...heldOut].map(({ text }) => text))
  const targets = Float64Array.from(training, ({ label }) => label)
  const { weights, bias } = fitRidge(rows.subarray(0, training.length * width), width, targets)
  const range = { lowest, highest, threshold, seed: options.seed }
  const base = { version: 1, kind: 'embedding', encoder: encoder.reference, bias, ...range } as const
  const heldOutRows = rows.subarray(training.length * width)
  const scores = scoreRows(base, weights, heldOutRows)
  const evaluation = evaluateClassifier(heldOut, scores, { trainingExamples: training.length, threshold })
  return new EmbeddingClassifier({ ...base, evaluation }, weights, encoder)
}

export class EmbeddingClassifier {
  readonly header: EmbeddingHeader
  readonly #weights: Float32Array
  readonly #encoder: Encoder

  /** @throws SmolforgeError `input` when the encoder is not the one that it was trained on. */
  constructor(header: EmbeddingHeader, weights: Float32Array, encoder: Encoder) {
    const { sha256, width } = encoder.reference
    if (sha256 !== header.encoder.sha256 || width !== header.encoder.width) {
      throw new SmolforgeError('input', 'This is not the encoder that the classifier was trained on', {
        place: { file: encoder.reference.path },
        hint: `It was ${header.encoder.path}, with the SHA-256 ${header.encoder.sha256} of its weights.`,
      })
    }
    this.header = header
    this.#weights = weights
    this.#encoder = encoder
  }

  /** How it did on the held-out examples. */
  get evaluation(): ClassifierEvaluation {
    return this.header.evaluation
  }

  /** One score for each text, within the range of the labels. */
  score(texts: readonly string[]): Float64Array {
    return scoreRows(this.header, this.#weights, this.#encoder.embed(texts))
  }

  /** The head alone, with which encoder it needs: one file with a checksum, whole or not at all. */
  async save(path: string): Promise<void> {
    await writeClassifierFile(path, this.header, this.#weights)
  }
}

function scoreRows(
  { bias, lowest, highest, encoder: { width } }: Omit<EmbeddingHeader, 'evaluation'>,
  weights: Float32Array,
  rows: Float32Array,
): Float64Array {
  return Float64Array.from({ length: rows.length / width }, (_, row) =>
    Math.min(highest, Math.max(lowest, predict({ weights, bias }, rows, width, row))),
  )
}
