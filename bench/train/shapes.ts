import { type LlamaConfig, presets } from '../../src/model/index.ts'

export interface Shape {
  model: LlamaConfig
  batchSize: number
  sequenceLength: number
}

/** The configurations of the training benchmarks: 1.3M, 8.4M and 135M parameters. */
export const shapes: Readonly<Record<string, Shape>> = {
  T: { model: presets['bench-t'], batchSize: 8, sequenceLength: 256 },
  S: { model: presets['bench-s'], batchSize: 8, sequenceLength: 512 },
  M: { model: presets['smollm2-135m'], batchSize: 4, sequenceLength: 512 },
}

/** What both sides train with; weight decay is for matrices alone. */
export const adamw = { learningRate: 1e-3, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.01 }
