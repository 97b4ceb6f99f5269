import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { tinyLlama, tinyTokenizer } from '../model/tiny.ts'
import { jsonLines, scratchFolder, smolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const file = (name: string) => join(scratch, name)
const cli = (...args: string[]) => smolforge(args, { cwd: scratch })

beforeAll(async () => {
  const llama = tinyLlama()
  await llama.save(file('models/tiny'), await tinyTokenizer())
  await mkdir(file('two'))
  await writeFile(file('two/a.gguf'), 'GGUF')
  await writeFile(file('two/b.gguf'), 'GGUF')
  await writeFile(file('texts.jsonl'), '{"text":"the sea and the river 7"}\n')
})

async function score(model: string, ...options: string[]): Promise<number[]> {
  const output = `scored-${options.join('')}.jsonl`
  const result = await cli(
    'score',
    '--model',
    model,
    '--input',
    'texts.jsonl',
    '--output',
    output,
    ...options,
  )
  expect(result.stderr).toBe('')
  expect(result.code).toBe(0)
  const [line] = jsonLines(await readFile(file(output), 'utf8'))
  return line.token_logprobs as number[]
}

describe('--dtype', () => {
  test('bf16 rounds the products, f32 is the default', async () => {
    const [byDefault, f32, bf16] = [
      await score('models/tiny'),
      await score('models/tiny', '--dtype', 'f32'),
      await score('models/tiny', '--dtype', 'bf16'),
    ]
    expect(f32).toEqual(byDefault)
    expect(bf16).not.toEqual(f32)
    for (const [i, value] of bf16.entries()) expect(Math.abs(value - f32[i])).toBeLessThan(0.05)
  })

  test('of another kind names those that there are', async () => {
    const { code, stderr } = await cli('chat', '--model', 'models/tiny', '--dtype', 'f64')
    expect(stderr).toMatch(/Allowed choices are f32, bf16/)
    expect(code).toBe(2)
  })
})

describe('a --model', () => {
  test.each<[string, RegExp]>([
    ['models/tinny', /There is no such model\n {2}at models\/tinny\n {2}Did you mean models\/tiny\?/],
    ['tiny', /Did you mean models\/tiny\?/],
    ['models', /There is no model in this folder.*\n.*\n {2}Did you mean models\/tiny\?/],
    ['smollm2-135m-instruct', /Fetch it with: smolforge fetch model smollm2-135m-instruct/],
    ['models/tiny/config.json', /This file is no model.*\n.*\n {2}Name its folder: models\/tiny/],
    ['two', /There are 2 GGUF files.*\n.*\n {2}Name one of them: two\/a\.gguf, two\/b\.gguf/],
  ])('%s is told in words', async (model, message) => {
    const { code, stderr } = await cli('generate', '--model', model, '--prompts', 'p', '--output', 'o')
    expect(stderr).toMatch(message)
    expect(code).toBe(4)
  })
})
