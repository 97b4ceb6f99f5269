import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { explainError, SmolforgeError } from '../../src/errors.ts'
import {
  defineRecipe,
  loadRecipe,
  parseRecipe,
  planRecipe,
  recipeFieldTable,
  recipeJsonSchema,
} from '../../src/recipe/index.ts'
import { root, tinyRecipe } from './child.ts'

const good = await readFile(tinyRecipe, 'utf8')

function problemsOf(text: string, overrides: string[] = []): string {
  try {
    parseRecipe(text, { file: 'mine.yaml', overrides })
  } catch (error) {
    expect(error).toBeInstanceOf(SmolforgeError)
    expect((error as SmolforgeError).code).toBe('recipe')
    return explainError(error)
  }
  throw new Error('the recipe was taken')
}

describe('mistakes in a recipe', () => {
  test('are told all at once, each with its place, its path and the nearest right name', () => {
    const text = `name: mine
sede: 3
sources:
  - name: notes
    domain: prose
    licence: CC0-1.0
    path: notes/
    raeder: text
curate:
  quality:
    - domains: [pros]
      rules: { gopherQualty: {} }
  heldOut: { share: 2 }
tokenizer: { vocabSize: small }
model:
  hiddenSize: 100
  numHiddenLayers: 2
  numAttentionHeads: 6
  numKeyValueHeads: 4
  intermediateSize: 64
training:
  optimizer: moun
  schedule: { decay: 0.5, warmpSteps: 3 }
stages:
  - tokens: many
    mixture: { prose: 1, code: 2 }
  - tokens: 100
    mixture: refine
dpo: {}
`
    expect(problemsOf(text)).toBe(`The recipe has 14 problems:
  mine.yaml:2:1: sede: unknown field (did you mean seed?)
  mine.yaml:8:5: sources.0.raeder: unknown field (did you mean reader?)
  mine.yaml:11:17: curate.quality.0.domains.0: no source has the domain pros, there are prose (did you mean prose?)
  mine.yaml:12:16: curate.quality.0.rules.gopherQualty: unknown field (did you mean gopherQuality?)
  mine.yaml:13:14: curate.heldOut.share: 2: too big: expected number to be <1
  mine.yaml:14:14: tokenizer.vocabSize: expected a number, found "small"
  mine.yaml:18:3: model.numAttentionHeads: 6 heads do not divide hiddenSize 100
  mine.yaml:19:3: model.numKeyValueHeads: 4 key-value heads do not divide 6 attention heads
  mine.yaml:22:3: training.optimizer: "moun" is not one of adamw, muon (did you mean muon?)
  mine.yaml:23:27: training.schedule.warmpSteps: unknown field (did you mean warmupSteps?)
  mine.yaml:25:5: stages.0.tokens: "many": write a number of tokens like 2000000, 500k or 2M
  mine.yaml:26:26: stages.0.mixture.code: no source has the domain code, there are prose
  mine.yaml:27:5: stages.1.tokens: 100 tokens are less than one step of 2048
  mine.yaml:29:1: dpo: preferences are trained on the SFT model: the recipe needs an sft section
  docs/recipe.md lists every field; editors complete them from recipes/recipe.schema.json.`)
  })

  test('of the YAML itself are told with line and column', () => {
    expect(problemsOf('name: x\nsources: [\n')).toMatch(/mine\.yaml:\d+:\d+: /)
  })

  test('of an override are told with the override', () => {
    const text = problemsOf(good, ['stages.0.tokens=lots', 'trainng.batchSize=4', 'model.hiddenSize=50'])
    expect(text).toContain('--set stages.0.tokens=lots: stages.0.tokens: "lots": write a number of tokens')
    expect(text).toContain('--set trainng.batchSize=4: trainng: unknown field (did you mean training?)')
    expect(text).toContain('model.numAttentionHeads: 4 heads do not divide hiddenSize 50')
  })

  test.each([
    ['an empty file', '', /sources: is missing/],
    ['a list instead of a recipe', '- a\n- b\n', /expected an object, found a list/],
    ['missing sections', 'name: x\n', /model: is missing/],
    ['no stage at all', 'stages: []\n', /stages: needs 1 or more entries/],
  ])('%s gives words, not a crash', (_, text, expected) => {
    expect(problemsOf(text)).toMatch(expected)
  })

  test('of a name that is no packing are told', () => {
    expect(problemsOf(good, ['training.packing=bestfit'])).toContain(
      'training.packing: "bestfit" is not one of concatenate, best-fit (did you mean best-fit?)',
    )
  })

  test('in the name of the file get the nearest name in its folder', async () => {
    await expect(loadRecipe(join(root, 'recipes/quickstrat.yaml'))).rejects.toMatchObject({
      code: 'input',
      hint: expect.stringContaining('recipes/quickstart.yaml?'),
    })
  })

  test('of a list index that is not there are told', () => {
    expect(problemsOf(good, ['stages.9.tokens=2M'])).toContain('stages has the entries 0 to 2, not 9')
  })
})

describe('a recipe', () => {
  test('takes overrides of every field, in order, and makes what is missing', () => {
    const recipe = parseRecipe(good, {
      overrides: [
        'stages.0.tokens=2M',
        'stages.0.tokens=1.5M',
        'training.epochCaps.code=2',
        'curate.dedup.minhash=false',
      ],
    })
    expect(recipe.stages[0].tokens).toBe(1_500_000)
    expect(recipe.training.epochCaps).toEqual({ code: 2 })
    expect(recipe.curate.dedup.minhash).toBe(false)
  })

  test('in TypeScript is the same as in YAML', () => {
    const recipe = defineRecipe({
      name: 'small',
      sources: [{ name: 'notes', domain: 'prose', licence: 'CC0-1.0', path: 'notes' }],
      model: {
        hiddenSize: 32,
        numHiddenLayers: 1,
        numAttentionHeads: 2,
        numKeyValueHeads: 1,
        intermediateSize: 64,
      },
      stages: [{ tokens: '200k', mixture: { prose: 1 } }],
    })
    expect(recipe.stages[0].tokens).toBe(200_000)
    expect(() => defineRecipe({ ...recipe, stages: [{ tokens: 1, mixture: { prose: 0 } }] })).toThrow(
      /all weights are 0/,
    )
  })

  test.each(['tiny', 'quickstart', 'smollm2-135m', 'smollm2-360m', 'smollm2-1.7b', 'ablations/dictionary'])(
    '%s.yaml of the repository can be planned',
    async (name) => {
      const { recipe } = await loadRecipe(join(root, `recipes/${name}.yaml`))
      const plan = await planRecipe(recipe)
      expect(plan.at(-1)?.name).toBe('report')
      expect(new Set(plan.map(({ key }) => key)).size).toBe(plan.length)
    },
  )

  test('has a JSON Schema for editors that is up to date (npm run schema)', async () => {
    expect(await readFile(join(root, 'recipes/recipe.schema.json'), 'utf8')).toBe(recipeJsonSchema())
    // The formatter lays the columns out.
    const plain = (text: string) => text.replaceAll(/ +/g, ' ').replaceAll(/-{3,}/g, '---')
    const page = await readFile(join(root, 'docs/recipe.md'), 'utf8')
    expect(plain(page)).toContain(plain(recipeFieldTable()))
  })
})

describe('a change of the recipe', () => {
  const changedSteps = async (...overrides: string[]) => {
    const before = await planRecipe(parseRecipe(good), join(root, 'recipes'))
    const after = await planRecipe(parseRecipe(good, { overrides }), join(root, 'recipes'))
    const keys = new Map(before.map(({ name, key }) => [name, key]))
    return after.filter(({ name, key }) => keys.get(name) !== key).map(({ name }) => name)
  }

  test('of the words about it changes no step', async () => {
    expect(await changedSteps('description=another')).toEqual([])
  })

  test('of DPO leaves everything before it as it is', async () => {
    expect(await changedSteps('dpo.beta=0.3')).toEqual(['dpo', 'evaluate-dpo', 'report'])
  })

  test('of the last stage leaves the stages before the decay as they are', async () => {
    const changed = await changedSteps('stages.2.mixture={prose: 1}')
    expect(changed).not.toContain('pretrain-2')
    expect(changed).toEqual(expect.arrayContaining(['refine-2', 'ablate', 'pretrain-3', 'sft', 'dpo']))
  })

  test('of the packing trains again, on the shards that are there; its default said aloud is no change', async () => {
    const changed = await changedSteps('training.packing=best-fit')
    expect(changed[0]).toBe('pretrain-1')
    expect(changed).toEqual(expect.arrayContaining(['pretrain-2', 'ablate', 'pretrain-3', 'sft']))
    expect(changed).not.toContain('baselines')
    expect(await changedSteps('training.packing=concatenate')).toEqual([])
  })

  test('of a threshold changes curation from there on', async () => {
    const changed = await changedSteps('curate.classifier.threshold=0.5')
    expect(changed[0]).toBe('classify')
    expect(changed).toContain('pretrain-1')
  })
})
