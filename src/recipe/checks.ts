import type { RecipeIssue } from './issues.ts'
import { nearestName } from './nearest.ts'
import { generatorNames } from './steps/read.ts'

/**
 * What has the right shape and still cannot be done: heads that do not divide, weights of unknown domains, a schedule
 * longer than the run. Takes any tree and looks only at the parts that have the right types, so that it can speak
 * together with the complaints about the shape.
 */
export function checkRecipe(recipe: unknown): RecipeIssue[] {
  const tree = new Tree(recipe)
  return [
    ...checkSources(tree),
    ...checkModel(tree),
    ...checkTraining(tree),
    ...checkStages(tree),
    ...checkScopes(tree),
    ...checkAblation(tree),
    ...checkPost(tree),
  ]
}

function checkSources(tree: Tree): RecipeIssue[] {
  const issues: RecipeIssue[] = []
  const seen = new Set<string>()
  for (const at of tree.entries('sources')) {
    const name = tree.text(`${at}.name`)
    if (name === undefined) continue
    if (seen.has(name)) issues.push(issue(`${at}.name`, `a second source named ${name}`))
    seen.add(name)
  }
  for (const at of tree.entries('sources')) {
    const name = tree.text(`${at}.generate`)
    if (name === undefined || generatorNames.includes(name)) continue
    const message = `no generator is named ${name}, there are ${generatorNames.join(', ')}`
    issues.push({ ...issue(`${at}.generate`, message), nearest: nearestName(name, generatorNames) })
  }
  return issues
}

function checkModel(tree: Tree): RecipeIssue[] {
  const issues: RecipeIssue[] = []
  const isLoaded = tree.get('baseModel') !== undefined
  if (!isLoaded && tree.get('model') === undefined) {
    issues.push(issue('model', 'is missing: the shape of a new model, or a baseModel to begin from'))
  }
  if (isLoaded && tree.get('model') !== undefined) {
    issues.push(issue('model', 'a baseModel brings its own shape: leave one of them out'))
  }
  const hidden = tree.number('model.hiddenSize')
  const heads = tree.number('model.numAttentionHeads')
  const kvHeads = tree.number('model.numKeyValueHeads')
  if (hidden && heads && hidden % heads !== 0) {
    issues.push(issue('model.numAttentionHeads', `${heads} heads do not divide hiddenSize ${hidden}`))
  } else if (hidden && heads && (hidden / heads) % 2 !== 0) {
    issues.push(
      issue(
        'model.numAttentionHeads',
        `a head of ${hidden / heads} dimensions is odd: rotary positions need pairs`,
      ),
    )
  }
  if (heads && kvHeads && heads % kvHeads !== 0) {
    issues.push(
      issue('model.numKeyValueHeads', `${kvHeads} key-value heads do not divide ${heads} attention heads`),
    )
  }
  const positions = tree.number('model.maxPositionEmbeddings')
  const sequence = tree.number('training.sequenceLength')
  if (positions && sequence && sequence > positions) {
    issues.push(
      issue(
        'training.sequenceLength',
        `${sequence} tokens are more than model.maxPositionEmbeddings ${positions}`,
      ),
    )
  }
  return issues
}

function checkTraining(tree: Tree): RecipeIssue[] {
  const issues: RecipeIssue[] = []
  const batch = tree.number('training.batchSize')
  const micro = tree.number('training.microBatchSize')
  if (batch && micro && batch % micro !== 0) {
    issues.push(issue('training.microBatchSize', `${micro} does not divide batchSize ${batch}`))
  }
  const tokens = tree.entries('stages').map((at) => tree.number(`${at}.tokens`))
  const warmup = tree.number('training.schedule.warmupSteps')
  if (warmup && tokens.length > 0 && !tokens.includes(undefined)) {
    const steps = tokens.reduce<number>((sum, stage) => sum + (stage ?? 0), 0) / tokensPerStep(tree)
    if (warmup > steps) {
      issues.push(
        issue(
          'training.schedule.warmupSteps',
          `${warmup} steps are more than the ${Math.floor(steps)} of all stages`,
        ),
      )
    }
  }
  for (const domain of tree.keys('training.epochCaps')) {
    issues.push(...unknownDomain(tree, `training.epochCaps.${domain}`, domain))
  }
  return issues
}

function checkStages(tree: Tree): RecipeIssue[] {
  const issues: RecipeIssue[] = []
  const step = tokensPerStep(tree)
  for (const at of tree.entries('stages')) {
    const tokens = tree.number(`${at}.tokens`)
    if (tokens !== undefined && tokens < step) {
      issues.push(issue(`${at}.tokens`, `${tokens} tokens are less than one step of ${step}`))
    }
    if (tree.get(`${at}.mixture`) === 'refine') {
      if (at === 'stages.0') {
        issues.push(
          issue(`${at}.mixture`, 'the first stage has no evaluation to refine from: give its weights'),
        )
      }
      continue
    }
    const domains = tree.keys(`${at}.mixture`)
    for (const domain of domains) issues.push(...unknownDomain(tree, `${at}.mixture.${domain}`, domain))
    const sum = domains.reduce((total, domain) => total + (tree.number(`${at}.mixture.${domain}`) ?? 0), 0)
    if (domains.length > 0 && sum === 0) issues.push(issue(`${at}.mixture`, 'all weights are 0'))
  }
  return issues
}

/** `domains` lists of curation steps and the seeds of the classifier name domains and sources that exist. */
function checkScopes(tree: Tree): RecipeIssue[] {
  const sections = ['urls', 'language', 'classifier', 'mask'].map((name) => `curate.${name}`)
  const scopes = [...sections, ...tree.entries('curate.quality'), ...tree.entries('curate.fastText')]
  const lists = [...scopes.map((scope) => `${scope}.domains`), 'refine.saved']
  const issues = lists.flatMap((list) =>
    tree.entries(list).flatMap((at) => unknownDomain(tree, at, tree.text(at))),
  )
  const sources = tree.entries('sources').map((at) => tree.text(`${at}.name`) ?? '')
  const labels = tree.keys('curate.classifier.seeds.sources')
  for (const name of labels) {
    if (sources.includes(name)) continue
    issues.push({
      ...issue(`curate.classifier.seeds.sources.${name}`, `no source is named ${name}`),
      nearest: nearestName(name, sources),
    })
  }
  const values = new Set(labels.map((name) => tree.number(`curate.classifier.seeds.sources.${name}`)))
  if (labels.length > 0 && values.size < 2) {
    issues.push(
      issue('curate.classifier.seeds.sources', 'all labels are the same: there is nothing to learn'),
    )
  }
  return issues
}

function checkAblation(tree: Tree): RecipeIssue[] {
  if (tree.get('ablation') === undefined) return []
  return unknownDomain(tree, 'ablation.candidate', tree.text('ablation.candidate'))
}

function checkPost(tree: Tree): RecipeIssue[] {
  const issues: RecipeIssue[] = []
  if (tree.get('dpo') !== undefined && tree.get('sft') === undefined) {
    issues.push(issue('dpo', 'preferences are trained on the SFT model: the recipe needs an sft section'))
  }
  const sequence = tree.number('sft.sequenceLength')
  const positions = tree.number('model.maxPositionEmbeddings') ?? tree.number('training.sequenceLength')
  // What a loaded model has is known when it is there.
  const isKnown = tree.get('baseModel') === undefined
  if (isKnown && sequence && positions && sequence > positions) {
    issues.push(
      issue('sft.sequenceLength', `${sequence} tokens are more than the model's ${positions} positions`),
    )
  }
  return issues
}

/** With the defaults of the schema where the recipe says nothing (of the right type). */
function tokensPerStep(tree: Tree): number {
  return (tree.number('training.batchSize') ?? 8) * (tree.number('training.sequenceLength') ?? 256)
}

function unknownDomain(tree: Tree, path: string, domain: string | undefined): RecipeIssue[] {
  const domains = new Set(tree.entries('sources').map((at) => tree.text(`${at}.domain`) ?? ''))
  if (domain === undefined || domains.size === 0 || domains.has(domain)) return []
  const nearest = nearestName(domain, domains)
  return [
    { ...issue(path, `no source has the domain ${domain}, there are ${[...domains].join(', ')}`), nearest },
  ]
}

const issue = (path: string, message: string): RecipeIssue => ({ path: path.split('.'), message })

/** Looks into a tree of unknown shape by dotted paths; what is not of the asked type is as if it were not there. */
class Tree {
  readonly #root: unknown

  constructor(root: unknown) {
    this.#root = root
  }

  get(path: string): unknown {
    let at = this.#root
    for (const part of path.split('.')) {
      if (typeof at !== 'object' || at === null) return undefined
      at = (at as Record<string, unknown>)[part]
    }
    return at
  }

  number(path: string): number | undefined {
    const value = this.get(path)
    return typeof value === 'number' && Number.isFinite(value) ? value : undefined
  }

  text(path: string): string | undefined {
    const value = this.get(path)
    return typeof value === 'string' ? value : undefined
  }

  /** Paths of a list's entries. */
  entries(path: string): string[] {
    const value = this.get(path)
    return Array.isArray(value) ? value.map((_, i) => `${path}.${i}`) : []
  }

  keys(path: string): string[] {
    const value = this.get(path)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.keys(value) : []
  }
}
