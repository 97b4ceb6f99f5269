import { SmolforgeError } from '../errors.ts'
import { Random } from '../random/random.ts'
import { type ClassifierEvaluation, evaluateClassifier, type LabelledText } from './classifierEvaluation.ts'
import { type ClassifierHeader, readClassifierFile, writeClassifierFile } from './classifierFile.ts'
import { kernels } from './kernels.ts'

export interface TrainClassifierOptions {
  seed: number
  /** Part of the examples that is only evaluated on. */
  heldOutFraction?: number
  /**
   * The score from which on an example counts as good in the evaluation: 0.5 for yes/no, otherwise 2.5, which is
   * "3 when rounded" as FineWeb-Edu counts.
   */
  threshold?: number
  epochs?: number
  learningRate?: number
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
  const { seed, heldOutFraction = 0.1, epochs = 10 } = options
  const labels = examples.map(({ label }) => label)
  const [lowest, highest] = [least(labels), -least(labels.map((label) => -label))]
  checkExamples(examples.length, lowest, highest)
  const logistic = labels.every((label) => label === 0 || label === 1)
  const threshold = options.threshold ?? (logistic ? 0.5 : 2.5)
  const order = Random.derive(seed, 'classifier/held-out').shuffle(examples.map((_, i) => i))
  const heldOutCount = Math.min(examples.length - 1, Math.round(examples.length * heldOutFraction))
  const heldOut = order.slice(0, heldOutCount).map((i) => examples[i])
  const training = order.slice(heldOutCount).map((i) => examples[i])
  const { weights, bias } = kernels().trainLinear(
    training.map(({ text }) => text),
    Float64Array.from(training, ({ label }) => label),
    {
      buckets: BUCKETS,
      order: epochOrder(training.length, epochs, Random.derive(seed, 'classifier/epochs')),
      learningRate: options.learningRate ?? DEFAULT_LEARNING_RATE,
      logistic,
      maxWords: MAX_WORDS,
    },
  )
  const kind = logistic ? 'logistic' : 'regression'
  const base = { version: 1, kind, buckets: BUCKETS, maxWords: MAX_WORDS, bias } as const
  const range = { lowest, highest, threshold, seed }
  const score = (texts: readonly string[]) => scoreWith({ ...base, ...range }, weights, texts)
  const evaluation = evaluateClassifier(heldOut, score(heldOut.map(({ text }) => text)), {
    trainingExamples: training.length,
    threshold,
  })
  return new LinearClassifier({ ...base, ...range, evaluation }, weights)
}

export class LinearClassifier {
  readonly header: ClassifierHeader
  readonly #weights: Float32Array

  constructor(header: ClassifierHeader, weights: Float32Array) {
    this.header = header
    this.#weights = weights
  }

  /** Reads what `save` wrote. @throws SmolforgeError `damaged` when a byte of it has changed. */
  static async load(path: string): Promise<LinearClassifier> {
    const { header, weights } = await readClassifierFile(path)
    return new LinearClassifier(header, weights)
  }

  /** How it did on the held-out examples. */
  get evaluation(): ClassifierEvaluation {
    return this.header.evaluation
  }

  /** One score for each text: a probability, or a number within the range of the labels. */
  score(texts: readonly string[]): Float64Array {
    return scoreWith(this.header, this.#weights, texts)
  }

  /** One file with a checksum, whole or not at all. */
  async save(path: string): Promise<void> {
    await writeClassifierFile(path, this.header, this.#weights)
  }
}

const BUCKETS = 2 ** 18
const MAX_WORDS = 2000
const DEFAULT_LEARNING_RATE = 0.5

type ScoringHeader = Omit<ClassifierHeader, 'evaluation'>

function scoreWith(header: ScoringHeader, weights: Float32Array, texts: readonly string[]): Float64Array {
  const { kind, bias, lowest, highest, maxWords } = header
  const raw = kernels().scoreLinear(texts, weights, bias, maxWords)
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

function checkExamples(count: number, lowest: number, highest: number): void {
  if (count < 2 || !(lowest < highest)) {
    const found = count < 2 ? `${count} examples` : `${count} examples that all have the label ${lowest}`
    throw new SmolforgeError('input', `A classifier cannot learn from ${found}`, {
      hint: 'Give at least two examples with different labels; a few hundred of each is a start.',
    })
  }
}

function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY)
}
