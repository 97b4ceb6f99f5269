import { rubricNames } from '../curate/index.ts'
import { scheduleRate } from '../train/index.ts'
import { hashCheckouts, hashLocalFiles } from './localFiles.ts'
import type { Recipe } from './schema.ts'
import type { Step } from './step.ts'
import { StepPlan } from './stepPlan.ts'
import type { AblateConfig } from './steps/ablate.ts'
import type { EvaluateConfig } from './steps/evaluate.ts'
import { givenMixture } from './steps/mixture.ts'
import type { PretrainConfig } from './steps/pretrain.ts'
import type { RefineConfig } from './steps/refine.ts'
import type { RuleSpec } from './steps/rules.ts'
import type { LoadedModel, TrainingSettings } from './steps/training.ts'

/**
 * What a recipe means: its steps in order, each with the part of the recipe it looks at, its inputs and its key.
 * The contents of local files are a part of the keys: their relative paths start at `baseDir`. Without it no file is
 * looked at, and the plan shows the steps alone.
 *
 * @throws SmolforgeError `input` when a local file that the recipe names is not there.
 */
export async function planRecipe(recipe: Recipe, baseDir?: string): Promise<Step[]> {
  const plan = new StepPlan()
  const text = await planCuration(plan, recipe, baseDir)
  const loaded = await loadedModel(recipe, baseDir)
  planTokens(plan, recipe, text, loaded)
  const base = planPretraining(plan, recipe, loaded)
  planPostTraining(plan, recipe, base)
  plan.add('report', 'report', plan.names(), {})
  return plan.steps
}

/** From sources to clean training documents; a section that the recipe leaves out is no step. */
async function planCuration(plan: StepPlan, recipe: Recipe, baseDir?: string): Promise<string> {
  const { seed, curate, evaluation } = recipe
  const files = {
    ...(await hashLocalFiles(
      recipe.sources.flatMap(({ path }) => (path === undefined ? [] : [path])),
      baseDir,
    )),
    ...(await hashCheckouts(
      recipe.sources.flatMap(({ git }) => (git === undefined ? [] : [git])),
      baseDir,
    )),
  }
  let text = plan.add('read', 'read', [], { seed, sources: recipe.sources, files })
  const { urls, language, fastText, mask } = curate
  if (urls) text = await planRules(plan, 'urls', text, [{ use: 'url', ...urls }], urlFilesOf(urls), baseDir)
  if (language) {
    const model = language.model ? { files: await hashLocalFiles([language.model], baseDir) } : {}
    text = plan.add('language', 'language', [text], { ...language, ...model })
  }
  if (curate.quality) text = plan.add('quality', 'quality', [text], { groups: curate.quality })
  if (fastText) {
    const rules = fastText.map((options): RuleSpec => ({ use: 'fastText', ...options }))
    const models = fastText.map(({ model }) => model)
    text = await planRules(plan, 'fast-text', text, rules, models, baseDir)
  }
  text = plan.add('dedup', 'dedup', [text], { seed, ...curate.dedup })
  if (curate.classifier) {
    const { seeds, embeddings } = curate.classifier
    const named = [...('file' in seeds ? [seeds.file] : []), ...(embeddings ? [embeddings.model] : [])]
    const own = 'judge' in seeds && !rubricNames.some((name) => name === seeds.judge.rubric)
    if (own) named.push(seeds.judge.rubric)
    const labels = named.length > 0 ? await hashLocalFiles(named, baseDir) : undefined
    text = plan.add('classify', 'classify', [text], { seed, ...curate.classifier, labels })
  }
  if (mask) {
    const { domains, pii, secrets } = mask
    const rules: RuleSpec[] = [secrets && 'secrets', pii && 'pii'].flatMap((use) =>
      use === false ? [] : [{ use, domains } as RuleSpec],
    )
    text = await planRules(plan, 'mask', text, rules, [], baseDir)
  }
  const split = plan.add('split', 'split', [text], { seed, ...curate.heldOut })
  const { definitions, arithmetic, passages } = evaluation
  const items = plan.add('eval-items', 'eval-items', [split], { seed, definitions, arithmetic, passages })
  return plan.add('decontaminate', 'decontaminate', [split, items], curate.decontaminate)
}

async function planRules(
  plan: StepPlan,
  name: string,
  text: string,
  rules: readonly RuleSpec[],
  files: readonly string[],
  baseDir?: string,
): Promise<string> {
  return plan.add(name, 'rules', [text], { rules, files: await hashLocalFiles(files, baseDir) })
}

function urlFilesOf({
  domainFiles = [],
  urlFiles = [],
  onlyDomainFiles = [],
}: NonNullable<Recipe['curate']['urls']>): string[] {
  return [...domainFiles, ...urlFiles, ...onlyDomainFiles]
}

/** The model that a recipe begins from, with a hash of what is in its folder. */
async function loadedModel({ baseModel }: Recipe, baseDir?: string): Promise<LoadedModel | undefined> {
  if (baseModel === undefined) return undefined
  return { path: baseModel, files: await hashLocalFiles([baseModel], baseDir) }
}

function planTokens(plan: StepPlan, recipe: Recipe, text: string, loaded: LoadedModel | undefined): void {
  const { seed } = recipe
  plan.add('tokenizer', 'tokenizer', [text], { seed, ...recipe.tokenizer, ...(loaded && { loaded }) })
  plan.add('shards', 'shards', [text, 'tokenizer'], {})
  const { baselines, heldOutBytes } = recipe.evaluation
  plan.add('baselines', 'baselines', ['split', text, 'tokenizer', 'shards'], {
    ...baselines,
    heldOutBytes,
    text,
  })
}

/** The stages with their evaluations and refinements; the answer is the name of the last stage. */
function planPretraining(plan: StepPlan, recipe: Recipe, loaded: LoadedModel | undefined): string {
  const { seed, engine, evaluation, stages, ablation } = recipe
  const last = stages.length
  for (let stage = 1; stage <= last; stage++) {
    const isLast = stage === last
    let mixtureFrom: string | undefined
    if (stage > 1) {
      mixtureFrom = planRefinement(plan, recipe, stage)
      if (isLast && ablation) planAblation(plan, recipe, stage - 1, mixtureFrom)
      if (isLast && ablation?.adopt) mixtureFrom = 'ablate'
    }
    const before = stage > 1 ? [`pretrain-${stage - 1}`] : []
    const mixtureInput = mixtureFrom ? [mixtureFrom] : []
    plan.add(`pretrain-${stage}`, 'pretrain', [...before, ...mixtureInput, 'tokenizer', 'shards', 'split'], {
      seed,
      engine,
      stage,
      name: stages[stage - 1].name,
      mixture: stage === 1 ? givenMixture(stages[0]) : undefined,
      mixtureFrom,
      ...(loaded ? { loaded } : { model: recipe.model }),
      training: trainingSettings(recipe),
      caps: capsOf(recipe),
      ...stageSteps(recipe, stage),
    } satisfies PretrainConfig)
    if (isLast && stage === 1 && ablation) planAblation(plan, recipe, 1)
    if (!isLast) {
      plan.add(`evaluate-${stage}`, 'evaluate', [`pretrain-${stage}`, 'split', 'eval-items'], {
        seed,
        engine,
        model: `pretrain-${stage}`,
        chat: false,
        heldOutBytes: evaluation.heldOutBytes,
        items: evaluation.stageItems,
        samplePrompts: evaluation.samplePrompts,
        sampleTokens: evaluation.sampleTokens,
        sampleTemperature: evaluation.sampleTemperature,
      } satisfies EvaluateConfig)
    }
  }
  return `pretrain-${last}`
}

/** Decides the mixture of `stage` from all evaluations so far. */
function planRefinement(plan: StepPlan, recipe: Recipe, stage: number): string {
  const { stages, refine } = recipe
  const { mixture, reason, tokens } = stages[stage - 1]
  const earlier = Array.from({ length: stage - 1 }, (_, i) => i + 1)
  const inputs = earlier.flatMap((n) => [`evaluate-${n}`, `pretrain-${n}`])
  return plan.add(`refine-${stage - 1}`, 'refine', [...inputs, 'baselines', 'shards'], {
    stage,
    nextTokens: tokens,
    laterTokens: stages.slice(stage).reduce((sum, later) => sum + later.tokens, 0),
    decay: stageSteps(recipe, stage).schedule.kind === 'wsd',
    bounds: refine,
    caps: capsOf(recipe),
    pinned: mixture === 'refine' ? undefined : { weights: mixture, reason },
  } satisfies RefineConfig)
}

function planAblation(plan: StepPlan, recipe: Recipe, stage: number, mixtureFrom?: string): void {
  const { seed, engine, ablation, stages, evaluation } = recipe
  if (!ablation) return
  const from = `pretrain-${stage}`
  const { schedule, endStep, totalSteps = endStep } = stageSteps(recipe, stage)
  const mixtureInput = mixtureFrom ? [mixtureFrom] : []
  plan.add('ablate', 'ablate', [from, ...mixtureInput, 'tokenizer', 'shards', 'split', 'eval-items'], {
    seed,
    engine,
    from,
    ablation,
    mixtureFrom,
    mixture: mixtureFrom ? undefined : givenMixture(stages[0]),
    heldOutBytes: evaluation.heldOutBytes,
    training: trainingSettings(recipe),
    // The only stage of a recipe has decayed to 0 at its end: its arms begin at the peak again.
    startRate: stage < stages.length ? scheduleRate(schedule, endStep, totalSteps) : 1,
  } satisfies AblateConfig)
}

function planPostTraining(plan: StepPlan, recipe: Recipe, base: string): void {
  const { seed, engine, sft, dpo, evaluation } = recipe
  const evaluate = (name: string, model: string, chat: boolean) => {
    const { samplePrompts, chatPrompts, sampleTokens, sampleTemperature } = evaluation
    plan.add(name, 'evaluate', [model, 'split', 'eval-items'], {
      seed,
      engine,
      model,
      chat,
      heldOutBytes: evaluation.heldOutBytes,
      samplePrompts: chat ? chatPrompts : samplePrompts,
      sampleTokens,
      sampleTemperature,
    } satisfies EvaluateConfig)
  }
  if (sft) {
    plan.add('sft-data', 'sft-data', ['decontaminate', 'eval-items'], { seed, examples: sft.examples })
    const { examples: _, ...settings } = sft
    plan.add('sft', 'sft', [base, 'sft-data'], { seed, engine, from: base, ...settings })
  }
  if (sft && dpo) {
    plan.add('dpo-data', 'dpo-data', ['decontaminate', 'eval-items'], { seed, pairs: dpo.pairs })
    const { pairs: _, ...settings } = dpo
    plan.add('dpo', 'dpo', ['sft', 'dpo-data'], { seed, engine, from: 'sft', ...settings })
  }
  evaluate('evaluate-base', base, false)
  if (sft) evaluate('evaluate-sft', 'sft', true)
  if (sft && dpo) evaluate('evaluate-dpo', 'dpo', true)
}

/** `concatenate` goes unsaid, so that what was trained before there was a choice keeps its key. */
function trainingSettings({ training }: Recipe): TrainingSettings {
  const { schedule: _, maxEpochs: __, epochCaps: ___, packing, ...settings } = training
  return packing === 'concatenate' ? settings : { ...settings, packing }
}

/** Where a stage lies in the run. One that ends before the decay does not know how long the run is: it may grow. */
function stageSteps(
  recipe: Recipe,
  stage: number,
): Pick<PretrainConfig, 'startStep' | 'endStep' | 'totalSteps' | 'schedule'> {
  const { batchSize, sequenceLength, schedule } = recipe.training
  const ends = [0]
  for (const { tokens } of recipe.stages) {
    ends.push(ends[ends.length - 1] + Math.floor(tokens / (batchSize * sequenceLength)))
  }
  const totalSteps = ends[ends.length - 1]
  const [startStep, endStep] = ends.slice(stage - 1, stage + 1)
  const { warmupSteps, decay } = schedule
  return endStep <= totalSteps - Math.round(decay * totalSteps)
    ? { startStep, endStep, schedule: { kind: 'constant', warmupSteps } }
    : { startStep, endStep, totalSteps, schedule: { kind: 'wsd', warmupSteps, decayFraction: decay } }
}

/** How often the text of each domain may be seen, over all stages. */
function capsOf(recipe: Recipe): Record<string, number> {
  const domains = new Set(recipe.sources.map(({ domain }) => domain))
  const { maxEpochs, epochCaps } = recipe.training
  return Object.fromEntries([...domains].map((domain) => [domain, epochCaps[domain] ?? maxEpochs]))
}
