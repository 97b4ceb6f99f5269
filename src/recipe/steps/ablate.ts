import { join } from 'node:path'
import { evaluate, heldOutScores } from '../../eval/index.ts'
import { type AblationArm, type ArmResult, runAblation } from '../../mixture/index.ts'
import { LanguageModel, Llama } from '../../model/index.ts'
import { Sampler, type ShardSet } from '../../shards/index.ts'
import { Tokenizer } from '../../tokenizer/index.ts'
import { pretrain } from '../../train/index.ts'
import type { Recipe } from '../schema.ts'
import type { StepKind, StepWork } from '../step.ts'
import { writeJson } from './curation.ts'
import { readEvalItems, tasksOf } from './evalItems.ts'
import { shortened } from './evaluate.ts'
import { heldOutTexts } from './heldOut.ts'
import { type ChosenMixture, readChosenMixture, readStageMixture, weightsOver } from './mixture.ts'
import { openShardSets } from './shards.ts'
import { configureEngine, optimizerOf, type TrainingSettings } from './training.ts'

export interface AblateConfig {
  seed: number
  engine: Recipe['engine']
  /** The stage whose model the arms begin from. */
  from: string
  ablation: NonNullable<Recipe['ablation']>
  /** Where the mixture comes from: a refinement, or given. */
  mixtureFrom?: string
  mixture?: ChosenMixture
  training: TrainingSettings
  /** Fraction of the peak rates at which the stage ended: the arms decay from there. */
  startRate: number
  heldOutBytes: number
}

/** An annealing ablation: the same checkpoint decayed with and without the candidate, compared by document. */
export const ablateStep: StepKind<AblateConfig> = {
  kind: 'ablate',
  version: 2,
  resumes: false,
  async run(work) {
    const { ablation, seed, heldOutBytes, engine, mixtureFrom } = work.config
    configureEngine(work.places, engine.precision)
    const sets = await openShardSets(work.inputs.shards)
    const chosen = mixtureFrom ? await readChosenMixture(work.inputs[mixtureFrom]) : work.config.mixture
    const { weights, warnings } = weightsOver(chosen?.weights ?? {}, Object.keys(sets))
    const texts = await heldOutTexts(work.inputs.split, heldOutBytes)
    const tasks = shortened(tasksOf(await readEvalItems(work.inputs['eval-items'])), ablation.items)
    const watch = { stop: work.stop }
    const evaluateArm = async (model: LanguageModel): Promise<ArmResult> => {
      try {
        const heldOut = await heldOutScores(model, texts, { seed, ...watch })
        return { heldOut, scores: await evaluate(model, tasks, watch) }
      } finally {
        model.llama.free()
      }
    }
    try {
      const result = await runAblation(
        {
          candidate: ablation.candidate,
          share: ablation.share,
          mixture: weights,
          tokens: ablation.tokens,
          seeds: Array.from({ length: ablation.seeds }, (_, i) => seed + i),
          ...watch,
        },
        (arm, armSeed, tokens) => trainArm(work, sets, arm, armSeed, tokens),
        evaluateArm,
      )
      await writeJson(work, 'ablation.json', result)
      const adopted = ablation.adopt && result.verdict === 'better'
      const after = adopted ? result.arms[1].weights : weights
      const next: ChosenMixture = adopted
        ? { weights: after, by: 'rule', reason: result.conclusion.join(' ') }
        : { weights: after, by: chosen?.by ?? 'person', reason: chosen?.reason ?? '' }
      await writeJson(work, 'mixture.json', next)
      return {
        counts: { arms: result.runs.length, tokens: result.runs.length * ablation.tokens },
        warnings,
        decisions: [
          {
            decision: `${ablation.candidate} at ${Math.round(100 * ablation.share)} % in the decay`,
            by: 'rule',
            before: weights,
            after,
            reasons: [...result.conclusion, adoption(ablation.adopt, result.verdict)],
            evidence: result.differences.map(({ measure, subject, difference, low, high }) => ({
              measure: `${measure}, candidate minus control`,
              subject,
              value: difference,
              low,
              high,
              unit: measure === 'bits per byte' ? 'bits per byte' : 'share',
              tokens: ablation.tokens,
            })),
          },
        ],
      }
    } finally {
      for (const set of Object.values(sets)) set.close()
    }
  },
}

/**
 * Weights and moments of the checkpoint go on while its rate falls linearly to 0; the documents come in an order of
 * the seed's own, the same for both arms.
 */
async function trainArm(
  work: StepWork<AblateConfig>,
  sets: Readonly<Record<string, ShardSet>>,
  arm: AblationArm,
  seed: number,
  tokens: number,
): Promise<LanguageModel> {
  const { training, startRate, from, ablation } = work.config
  const folder = join(work.inputs[from], 'model')
  const { stepsEnd } = await readStageMixture(work.inputs[from])
  const llama = await Llama.load(folder)
  const { batchSize, sequenceLength, packing } = training
  const sampler = new Sampler({ sets, weights: arm.weights, batchSize, sequenceLength, packing, seed })
  const totalSteps = stepsEnd + Math.max(1, Math.floor(tokens / (batchSize * sequenceLength)))
  const name = ablation.seeds > 1 ? `${arm.name}-${seed}` : arm.name
  await pretrain({
    llama,
    sampler: { next: () => sampler.next(), state: () => sampler.state(), restore: () => {} },
    optimizer: optimizerOf({
      ...training,
      learningRate: startRate * training.learningRate,
      muonLearningRate: startRate * training.muonLearningRate,
    }),
    schedule: { kind: 'linear', warmupSteps: stepsEnd, finalFraction: 0 },
    fromStep: stepsEnd,
    totalSteps,
    continueFrom: join(work.inputs[from], 'state'),
    metricsFile: join(work.folder, `metrics-${name}.jsonl`),
    onProgress: (event) => work.onProgress({ ...event, message: `arm ${name}` }),
    stop: work.stop,
  })
  return new LanguageModel(llama, await Tokenizer.load(folder))
}

function adoption(adopt: boolean, verdict: string): string {
  if (!adopt) return 'The recipe asks for the comparison alone: the mixture stays.'
  return verdict === 'better'
    ? 'The candidate is taken into the last stage.'
    : 'The mixture of the last stage stays.'
}
