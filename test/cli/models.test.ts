import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { writeGguf } from '../../src/files/ggufWriter.ts'
import { LoraAdapter, mergeAdapter, saveAdapter } from '../../src/model/index.ts'
import { Random } from '../../src/random/random.ts'
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
  const name = { type: 'STRING', value: 'mamba' } as const
  await writeGguf(file('other.gguf'), new Map([['general.architecture', name]]), [])
  await writeFile(file('text.gguf'), 'these are no tensors, this is a text')
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

describe('smolforge export', () => {
  test('writes a GGUF file that every command takes in place of the folder', async () => {
    const { code, stdout } = await cli('export', '--model', 'models/tiny', '--output', 'tiny.gguf', '--json')
    expect(code).toBe(0)
    expect(jsonLines(stdout)).toEqual([
      {
        output: 'tiny.gguf',
        dtype: 'f32',
        bytes: expect.any(Number),
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        formats: { F32: 20 },
        fallbacks: [],
      },
    ])
    expect(await score('tiny.gguf')).toEqual(await score('models/tiny'))
    expect(await encode('tiny.gguf')).toEqual(await encode('models/tiny'))
    expect(await generate('tiny.gguf')).toEqual(await generate('models/tiny'))
    expect(await chat('tiny.gguf')).toBe(await chat('models/tiny'))
    const inspected = await cli('inspect', 'tiny.gguf', '--json')
    expect(jsonLines(inspected.stdout)[0]).toMatchObject({ formats: { F32: 20 }, config: { hiddenSize: 32 } })
  })

  test('in few bits comes near, and says what could not be had in them', async () => {
    const [exact, near] = [await score('models/tiny'), await exported('q8_0')]
    expect(near).not.toEqual(exact)
    for (const [i, value] of near.entries()) expect(Math.abs(value - exact[i])).toBeLessThan(0.05)
    const { stdout } = await cli('export', '--model', 'models/tiny', '--output', 'k.gguf', '--dtype', 'q4_k')
    expect(stdout).toMatch(/14 of them have rows that Q4_K cannot hold/)
  })

  test('writes a folder from a GGUF file, from which the same comes back', async () => {
    await cli('export', '--model', 'models/tiny', '--output', 'again.gguf')
    const { code, stdout } = await cli('export', '--model', 'again.gguf', '--output', 'again')
    expect(stdout).toMatch(/^again: a Hugging Face folder in F32/)
    expect(code).toBe(0)
    const weights = (folder: string) => readFile(file(`${folder}/model.safetensors`))
    expect((await weights('again')).equals(await weights('models/tiny'))).toBe(true)
  })

  test('merges an adapter into what it writes', async () => {
    const llama = tinyLlama()
    const adapter = LoraAdapter.create(llama.config, { rank: 2, targets: ['q_proj', 'down_proj'] }, 1)
    const random = new Random(2)
    for (const each of adapter.parameters.values()) {
      each.write((each.read() as Float32Array).map(() => random.normal() / 10))
    }
    await saveAdapter(file('adapter'), adapter)
    mergeAdapter(llama, adapter)
    await llama.save(file('merged-here'), await tinyTokenizer())
    const args = ['--model', 'models/tiny', '--adapter', 'adapter', '--output', 'merged-there']
    const { code, stderr } = await cli('export', ...args)
    expect([code, stderr]).toEqual([0, ''])
    expect(await score('merged-there')).toEqual(await score('merged-here'))
    expect(await score('merged-there')).not.toEqual(await score('models/tiny'))
  })

  test.each<[string[], RegExp]>([
    [['--adapter', 'nowhere', '--output', 'new'], /nowhere/],
    [['--output', 'two'], /There is something in this folder already/],
    [['--output', 'new', '--dtype', 'q8_0'], /cannot be q8_0\n {2}Choose f32, f16 or bf16, or name a file/],
    [['--output', 'new.gguf', '--dtype', 'q5'], /Allowed choices are f32, f16, bf16, q8_0, q4_0, q4_1, q4_k/],
  ])('%j is told in words', async (options, message) => {
    const { code, stderr } = await cli('export', '--model', 'models/tiny', ...options)
    expect(stderr).toMatch(message)
    expect(code).toBe(options[0] === '--adapter' ? 4 : 2)
  })

  async function exported(dtype: string): Promise<number[]> {
    await cli('export', '--model', 'models/tiny', '--output', `${dtype}.gguf`, '--dtype', dtype)
    return score(`${dtype}.gguf`)
  }

  async function encode(tokenizer: string): Promise<unknown> {
    await cli(
      'tokenizer',
      'encode',
      '--tokenizer',
      tokenizer,
      '--input',
      'texts.jsonl',
      '--output',
      'ids.jsonl',
    )
    return jsonLines(await readFile(file('ids.jsonl'), 'utf8'))
  }

  async function generate(model: string): Promise<unknown> {
    await writeFile(
      file('prompts.jsonl'),
      '{"prompt":"the sea"}\n{"messages":[{"role":"user","content":"sea?"}]}\n',
    )
    const options = ['--prompts', 'prompts.jsonl', '--max-tokens', '8', '--output', 'new.jsonl']
    await cli('generate', '--model', model, ...options)
    return jsonLines(await readFile(file('new.jsonl'), 'utf8'))
  }

  async function chat(model: string): Promise<string> {
    const args = ['chat', '--model', model, '--temperature', '0', '--max-tokens', '5']
    const { stdout, code } = await smolforge(args, { cwd: scratch, input: 'the sea\n' })
    expect(code).toBe(0)
    return stdout
  }
})

describe('smolforge eval --model', () => {
  test('takes a GGUF file and --dtype', async () => {
    await cli('export', '--model', 'models/tiny', '--output', 'eval.gguf', '--dtype', 'f16')
    await writeFile(
      file('piqa.jsonl'),
      '{"goal":"see the sea","sol1":"go to the river","sol2":"eat it","label":0}\n',
    )
    const args = ['--benchmark', 'piqa=piqa.jsonl', '--dtype', 'bf16', '--json']
    const { code, stdout } = await cli('eval', '--model', 'eval.gguf', ...args)
    expect(code).toBe(0)
    expect(jsonLines(stdout)[0]).toMatchObject({ task: 'piqa', n: 1 })
  })
})

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
    ['other.gguf', /mamba/],
    ['text.gguf', /text\.gguf.*byte 0/],
  ])('%s is told in words', async (model, message) => {
    const { code, stderr } = await cli('generate', '--model', model, '--prompts', 'p', '--output', 'o')
    expect(stderr).toMatch(message)
    expect(stderr).not.toMatch(/\n {4}at /)
    expect([4, 5]).toContain(code)
  })
})
