import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import { type ClassifierEvaluation, evaluateClassifier, type LabelledText } from './classifierEvaluation.ts'
import { type SplitExamplesOptions, splitExamples } from './classifierExamples.ts'
import { type LinearHeader, readClassifierFile, writeClassifierFile } from './classifierFile.ts'
import { kernels } from './kernels.ts'

export interface TrainClassifierOptions extends SplitExamplesOptions {
  epochs?: number
  learningRate?: number
  /** Words of a text that are looked at, from its start; 2,000 when left out. */
  maxWords?: number
  /** Also n-grams of so many characters within words, shortest and longest: for languages that build long words. */
  characters?: [number, number]
  threads?: number
}

/**
 * A linear model over hashed word 1- and 2-grams, trained by averaged SGD: a yes/no probability when all labels are
 * 0 or 1 (logistic loss), otherwise a score on the labels' scale (squared loss, as FineWeb-Edu's regression head).
 * Same examples and seed, same bits.
 *
 * @throws SmolforgeError `input` when there are too few examples or all have one label.
 */
export function trainClassifier(
  examples: readonly LabelledText[],
  options: TrainClassifierOptions,
): LinearClassifier {
  const { seed, epochs = 10, maxWords = MAX_WORDS, characters, threads } = options
  const { training, heldOut, yesNo, lowest, highest, threshold } = splitExamples(examples, options)
  const { weights, bias } = kernels().trainLinear(
    training.map(({ text }) => text),
    Float64Array.from(training, ({ label }) => label),
    {
      buckets: BUCKETS,
      order: epochOrder(training.length, epochs, Random.derive(seed, 'classifier/epochs')),
      learningRate: options.learningRate ?? DEFAULT_LEARNING_RATE,
      logistic: yesNo,
      maxWords,
      characters: characters ?? [],
      threads,
    },
  )
  const kind = yesNo ? 'logistic' : 'regression'
  const reading = { maxWords, ...(characters ? { characters } : {}) }
  const base = { version: 1, kind, buckets: BUCKETS, ...reading, bias } as const
  const range = { lowest, highest, threshold, seed }
  const scores = scoreWith(
    { ...base, ...range },
    weights,
    heldOut.map(({ text }) => text),
    threads,
  )
  const evaluation = evaluateClassifier(heldOut, scores, { trainingExamples: training.length, threshold })
  return new LinearClassifier({ ...base, ...range, evaluation }, weights)
}

export class LinearClassifier {
  readonly header: LinearHeader
  readonly #weights: Float32Array

  constructor(header: LinearHeader, weights: Float32Array) {
    this.header = header
    this.#weights = weights
  }

  /**
   * Reads what `save` wrote.
   *
   * @throws SmolforgeError `damaged` when a byte of it has changed, `input` when it works on embeddings.
   */
  static async load(path: string): Promise<LinearClassifier> {
    const { header, weights } = await readClassifierFile(path)
    if (header.kind !== 'embedding') return new LinearClassifier(header, weights)
    throw new SmolforgeError('input', 'This classifier works on embeddings, not on words', {
      place: { file: path },
    })
  }

  /** How it did on the held-out examples. */
  get evaluation(): ClassifierEvaluation {
    return this.header.evaluation
  }

  /** One score for each text: a probability, or a number within the range of the labels. */
  score(texts: readonly string[], options: { threads?: number } = {}): Float64Array {
    return scoreWith(this.header, this.#weights, texts, options.threads)
  }

  /** One file with a checksum, whole or not at all. */
  async save(path: string): Promise<void> {
    await writeClassifierFile(path, this.header, this.#weights)
  }
}

const BUCKETS = 2 ** 18
const MAX_WORDS = 2000
const DEFAULT_LEARNING_RATE = 0.5

type ScoringHeader = Omit<LinearHeader, 'evaluation'>

function scoreWith(
  header: ScoringHeader,
  weights: Float32Array,
  texts: readonly string[],
  threads?: number,
): Float64Array {
  const { kind, bias, lowest, highest, maxWords, characters = [] } = header
  const raw = kernels().scoreLinear(texts, weights, bias, maxWords, characters, threads)
  const squash =
    kind === 'logistic'
      ? (value: number) => 1 / (1 + Math.exp(-value))
      : (value: number) => Math.min(highest, Math.max(lowest, value))
  return raw.map(squash)
}

function epochOrder(examples: number, epochs: number, random: Random): Uint32Array {
  const order = new Uint32Array(examples * epochs)
  for (let epoch = 0; epoch < epochs; epoch++) {
    const part = order.subarray(epoch * examples, (epoch + 1) * examples)
    for (let i = 0; i < examples; i++) part[i] = i
    random.shuffle(part)
  }
  return order
}
