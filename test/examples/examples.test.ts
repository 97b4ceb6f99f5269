import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const scratch = mkdtempSync(join(tmpdir(), 'smolforge-examples-'))
const model = join(scratch, 'model')
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('a Llama trained with its own loop learns the texts and saves itself', () => {
  const output = example('train-from-scratch', 'test/fixtures/corpus/prose', model)
  const losses = [...output.matchAll(/loss ([\d.]+)/g)].map(([, loss]) => Number(loss))
  expect(losses.at(-1)).toBeLessThan(losses[0] - 1)
  expect(existsSync(join(model, 'model.safetensors'))).toBe(true)
})

test('a saved model goes on with a prompt, greedily and sampled', () => {
  const output = example('generate-from-checkpoint', model, 'The bee')
  expect(output.match(/^[\d.]+ % {2}"/gm)).toHaveLength(5)
  expect(output).toMatch(/temperature 0: The bee\S*/)
  expect(output).toMatch(/temperature 0.8: The bee\S*/)
})

test('a folder of pages is curated with every page accounted for', () => {
  const output = example('curate-folder', 'test/fixtures/corpus/web.warc.gz', join(scratch, 'curated.jsonl'))
  const [, kept, all] = /kept (\d+) of (\d+) documents/.exec(output) ?? []
  expect(Number(all) - Number(kept)).toBe(output.match(/^dropped /gm)?.length)
  expect(output.match(/^damaged at byte \d+/gm)).toHaveLength(2)
})

test('a rule and a task of a user work beside the built-in ones', () => {
  const output = example('custom-rule-and-task')
  expect(output).toContain('kept: The tide comes in twice a day.')
  expect(output).toContain('dropped by noShouting: 1')
  expect(output).toMatch(/opposites: \d+ % right, 95 % interval \d+ % to \d+ %, n = 4/)
})

test('a recipe written in TypeScript runs as one in YAML does', () => {
  const run = join(scratch, 'run')
  expect(example('recipe-in-typescript', run)).toContain('shards:')
  expect(existsSync(join(run, 'steps/shards/step.json'))).toBe(true)
})

function example(name: string, ...args: string[]): string {
  const command = ['--import', 'tsx', join('examples', `${name}.ts`), ...args]
  const { status, stdout, stderr } = spawnSync(process.execPath, command, { cwd: root, encoding: 'utf8' })
  expect(status, stderr).toBe(0)
  return stdout
}
