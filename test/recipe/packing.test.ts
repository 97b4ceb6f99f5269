import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { Random } from '../../src/random/random.ts'
import { batchDocuments, inspectRun, parseRecipe } from '../../src/recipe/index.ts'
import { readStageMixture, type StageMixture } from '../../src/recipe/steps/mixture.ts'
import { openShardSets } from '../../src/recipe/steps/shards.ts'
import { firstModel } from '../../src/recipe/steps/training.ts'
import { Sampler, type TokenBatch } from '../../src/shards/index.ts'
import { inference } from '../../src/tensor/index.ts'
import { Tokenizer } from '../../src/tokenizer/index.ts'
import { ended, root, scratchFolder, smolforge, startSmolforge, tinyRecipe } from './child.ts'

const scratch = await scratchFolder()
const recipeFile = join(scratch, 'packing.yaml')
/** Short documents lie whole in such rows, long ones do not. */
const SEQUENCE = 512

const argumentsOf = (folder: string, ...set: string[]) => [
  ...['run', recipeFile, '--run', join(scratch, folder), '--json'],
  ...set.flatMap((one) => ['--set', one]),
]
const BEST_FIT = 'training.packing=best-fit'

async function run(folder: string, ...set: string[]): Promise<void> {
  const { code, stderr } = await smolforge(argumentsOf(folder, ...set), { cwd: root })
  expect(stderr).toBe('')
  expect(code).toBe(0)
}

const step = (folder: string, name: string) => join(scratch, folder, 'steps', name)
const stageOf = (folder: string, stage: number): Promise<StageMixture> =>
  readStageMixture(step(folder, `pretrain-${stage}`))

beforeAll(async () => {
  const recipe = parse(await readFile(tinyRecipe, 'utf8'))
  for (const section of ['ablation', 'sft', 'dpo']) delete recipe[section]
  for (const source of recipe.sources) if (source.path) source.path = join(root, 'recipes', source.path)
  recipe.training.sequenceLength = SEQUENCE
  recipe.training.batchSize = 8
  recipe.training.checkpointEverySteps = 1
  recipe.training.schedule.warmupSteps = 2
  recipe.stages = recipe.stages.slice(0, 2)
  // Its documents are the shortest.
  recipe.stages[0].mixture.dictionary = 4
  await writeFile(recipeFile, stringify(recipe))
  await run('concatenate')
  await cp(join(scratch, 'concatenate'), join(scratch, 'best-fit'), {
    recursive: true,
    verbatimSymlinks: true,
  })
  await run('best-fit', BEST_FIT)
}, 120_000)

describe('the packing that a recipe asks for', () => {
  test('is trained with, and what it left empty or cut is told by stage', async () => {
    for (const stage of [1, 2]) {
      const [endToEnd, bestFit] = [await stageOf('concatenate', stage), await stageOf('best-fit', stage)]
      const places = endToEnd.tokensEnd - endToEnd.tokensStart
      expect(endToEnd.rows).toMatchObject({ packing: 'concatenate', places, padding: 0 })
      expect(bestFit.rows).toMatchObject({ packing: 'best-fit', places })
      expect(bestFit.rows?.padding).toBeGreaterThan(0)
      expect(bestFit.rows?.padding).toBeLessThan(0.2 * places)
      expect(bestFit.rows?.continued).toBeLessThan(endToEnd.rows?.continued ?? 0)
      // What is not padding came from the documents.
      const tokens = (mixture: StageMixture) =>
        Object.values(mixture.consumed).reduce((sum, { tokens }) => sum + tokens, 0)
      const before = stage === 1 ? 0 : tokens(await stageOf('best-fit', 1))
      expect(tokens(bestFit) - before).toBe(places - (bestFit.rows?.padding ?? 0))
    }
    const models = await Promise.all(
      ['concatenate', 'best-fit'].map(
        async (folder) => (await inspectRun(join(scratch, folder))).modelSha256,
      ),
    )
    expect(models[0]).not.toBe(models[1])
  })

  test('gives no document twice before the epoch ends, and whole ones where they fit a row', async () => {
    const sets = await openShardSets(step('best-fit', 'shards'))
    const { stepsEnd, consumed } = await stageOf('best-fit', 1)
    const seen = new Map<string, { tokens: number; steps: number }>()
    for (let at = 1; at <= stepsEnd; at++) {
      for (const { domain, id, tokens } of (await batchDocuments(join(scratch, 'best-fit'), at)).documents) {
        const key = `${domain} ${id}`
        const known = seen.get(key) ?? { tokens: 0, steps: 0 }
        seen.set(key, { tokens: known.tokens + tokens, steps: known.steps + 1 })
      }
    }
    let whole = 0
    for (const [domain, set] of Object.entries(sets)) {
      if (consumed[domain].epochs > 1) continue
      for (let i = 0; i < set.documents; i++) {
        const length = set.lengthOf(i)
        const found = seen.get(`${domain} ${set.documentAt(set.span(i).start).id}`)
        if (found === undefined) continue
        expect(found.tokens).toBeLessThanOrEqual(length)
        if (length > SEQUENCE) continue
        expect(found).toEqual({ tokens: length, steps: 1 })
        whole++
      }
      set.close()
    }
    expect(whole).toBeGreaterThan(5)
  })

  test.each(['concatenate', 'best-fit'] as const)(
    '%s: the loss of the first step is that of each document read alone',
    async (packing) => {
      const recipe = parseRecipe(await readFile(recipeFile, 'utf8'))
      const tokenizer = await Tokenizer.load(join(step(packing, 'tokenizer'), 'tokenizer'))
      const llama = await firstModel(recipe, tokenizer, scratch)
      const sets = await openShardSets(step(packing, 'shards'))
      const { weights } = await stageOf(packing, 1)
      const { batchSize } = recipe.training
      const sampler = new Sampler({
        ...{ sets, weights, batchSize, packing, seed: recipe.seed, sequenceLength: SEQUENCE },
        epochCaps: Object.fromEntries(Object.keys(sets).map((domain) => [domain, recipe.training.maxEpochs])),
      })
      const batch = sampler.next()
      const alone = documentsAlone(batch).filter(({ targets }) => targets.some((id) => id >= 0))
      expect(alone.length).toBeGreaterThan(batchSize)
      let [sum, count] = [0, 0]
      for (const one of alone) {
        const targets = one.targets.filter((id) => id >= 0).length
        sum += targets * inference(() => llama.loss(one).loss.item())
        count += targets
      }
      const metrics = await readFile(join(step(packing, 'pretrain-1'), 'metrics.jsonl'), 'utf8')
      const { loss } = JSON.parse(metrics.split('\n')[0])
      expect(Math.abs(loss - sum / count)).toBeLessThan(5e-6)
      // A new model hardly looks at what is before a token, yet documents that saw each other would show.
      const unmasked = inference(() => llama.loss({ ...batch, segments: undefined }).loss.item())
      expect(Math.abs(loss - unmasked)).toBeGreaterThan(2e-5)
      for (const set of Object.values(sets)) set.close()
      llama.free()
    },
  )

  test('goes on to the same bits after SIGKILL inside every stage', async () => {
    const folder = join(scratch, 'killed')
    await cp(join(scratch, 'best-fit'), folder, { recursive: true, verbatimSymlinks: true })
    const random = new Random('kills')
    for (const stage of [1, 2]) {
      const name = `pretrain-${stage}`
      for (const later of stage === 1 ? ['pretrain-1', 'pretrain-2'] : [name]) {
        await rm(step('killed', later), { recursive: true, force: true })
      }
      const child = startSmolforge(argumentsOf('killed', BEST_FIT), { cwd: root })
      const ending = ended(child)
      const least = random.between(1, 2)
      while ((await checkpoints(`${step('killed', name)}.partial/state`)) < least) {
        expect(child.exitCode).toBeNull()
        await new Promise((resolve) => setTimeout(resolve, 2))
      }
      child.kill('SIGKILL')
      expect((await ending).signal).toBe('SIGKILL')
      expect(await readdir(`${step('killed', name)}.partial`)).toContain('state')
      await run('killed', BEST_FIT)
    }
    const [expected, found] = await Promise.all(
      [join(scratch, 'best-fit'), folder].map((path) => inspectRun(path)),
    )
    expect(found.models).toEqual(expected.models)
    for (const stage of [1, 2]) {
      for (const file of ['mixture.json', 'sampler.json', 'heldout.jsonl']) {
        const of = (run: string) => readFile(join(step(run, `pretrain-${stage}`), file), 'utf8')
        expect(await of('killed')).toBe(await of('best-fit'))
      }
    }
  }, 120_000)
})

/** Each segment of each row as a batch of its own: nothing else is there that it could see. */
function documentsAlone({ tokens, targets, segments, sequenceLength, batchSize }: TokenBatch) {
  const alone: { tokens: Int32Array; targets: Int32Array; batchSize: number; sequenceLength: number }[] = []
  for (let row = 0; row < batchSize; row++) {
    const rowEnd = (row + 1) * sequenceLength
    for (let start = row * sequenceLength; start < rowEnd; ) {
      let end = start
      while (end < rowEnd && segments[end] === segments[start]) end++
      const part = { tokens: tokens.slice(start, end), targets: targets.slice(start, end) }
      alone.push({ ...part, batchSize: 1, sequenceLength: end - start })
      start = end
    }
  }
  return alone
}

/** The step of the newest checkpoint in a folder. */
async function checkpoints(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => [])
  return Math.max(0, ...names.flatMap((name) => (name.startsWith('step-') ? [Number(name.slice(5))] : [])))
}
