import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  ended,
  jsonLines,
  root,
  scratchFolder,
  smolforge,
  startSmolforge,
  tinyRecipe,
} from '../recipe/child.ts'

const scratch = await scratchFolder()
const runDir = join(scratch, 'tiny')
const file = (name: string) => join(scratch, name)
const cli = (...args: string[]) => smolforge(args, { cwd: scratch })
const readLines = async (name: string) => jsonLines(await readFile(file(name), 'utf8'))

const texts = [
  'The sea was calm.',
  'def words(text):\n    return text.split()',
  '<|im_start|>user\nhi<|im_end|>',
  'a',
  '',
]

let firstRun: Awaited<ReturnType<typeof smolforge>>

beforeAll(async () => {
  firstRun = await cli('run', tinyRecipe, '--run', runDir, '--json')
  expect(firstRun.code).toBe(0)
  await writeFile(file('texts.jsonl'), texts.map((text) => `${JSON.stringify({ text, tag: 7 })}\n`).join(''))
})

describe('smolforge run', () => {
  test('with --json writes one object a line to standard output and nothing else there', () => {
    const lines = jsonLines(firstRun.stdout)
    expect(lines[0]).toMatchObject({ type: 'plan' })
    expect(lines.filter(({ type }) => type === 'step-done')).toHaveLength(27)
    expect(lines.at(-1)).toMatchObject({ type: 'run-done', done: 27, kept: 0 })
  })

  test('leaves the report, the ledger and the model where they are looked for', async () => {
    for (const name of [
      'report.html',
      'report.json',
      'ledger.jsonl',
      'run.json',
      'recipe.yaml',
      'model/config.json',
    ]) {
      expect(existsSync(join(runDir, name)), name).toBe(true)
    }
    const report = JSON.parse(await readFile(join(runDir, 'report.json'), 'utf8'))
    expect(report.finished).toBe(true)
    expect(report.missing).toEqual([])
    expect(report.stages).toHaveLength(3)
    const ledger = jsonLines(await readFile(join(runDir, 'ledger.jsonl'), 'utf8'))
    expect(ledger.map(({ step }) => step)).toEqual(['pretrain-1', 'refine-1', 'refine-2', 'ablate'])
  })

  test('a second time finds everything done', async () => {
    const { stdout, code } = await cli('run', tinyRecipe, '--run', runDir)
    expect(code).toBe(0)
    expect(stdout).toContain('all 27 steps are done')
    expect(stdout).toContain('0 steps done, 27 kept')
  })

  test('piped writes plain lines without colours, and stays quiet when the reader leaves', async () => {
    const { stdout } = await cli('inspect', runDir)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with ESC
    expect(stdout).not.toMatch(/\x1b\[/)
    const child = startSmolforge(['corpus', 'list', runDir, '--limit', '100000'], { cwd: scratch })
    child.stdout?.destroy()
    const { stderr } = await ended(child)
    expect(stderr).toBe('')
  })

  test('after a change of the recipe does only what depends on it', async () => {
    const { stdout, code } = await cli('run', tinyRecipe, '--run', runDir, '--set', 'dpo.beta=0.2', '--json')
    expect(code).toBe(0)
    const done = jsonLines(stdout).filter((line) => line.type === 'step-done' && line.kept === false)
    expect(done.map(({ step }) => step)).toEqual(['dpo', 'evaluate-dpo', 'report'])
  })
})

describe('smolforge inspect', () => {
  test('--json prints one object with the steps and the hash of the last model', async () => {
    const { stdout } = await cli('inspect', runDir, '--json')
    const lines = jsonLines(stdout)
    expect(lines).toHaveLength(1)
    expect(lines[0].modelSha256).toMatch(/^[0-9a-f]{64}$/)
    expect((lines[0].steps as object[])[0]).toEqual({
      name: 'read',
      kind: 'read',
      state: 'done',
      seconds: expect.any(Number),
      key: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
  })

  test.each([
    ['a step', 'steps/dedup', /checksums hold/],
    ['shards', 'steps/shards/prose', /prose: [\d,]+ tokens of/],
    ['a checkpoint', 'steps/pretrain-1/state', /pretrain after step 46/],
    ['a model', 'model', /parameters/],
  ])('knows %s', async (_, path, expected) => {
    const { stdout, code } = await cli('inspect', join(runDir, path))
    expect(stdout).toMatch(expected)
    expect(code).toBe(0)
  })

  test('names the documents in the batch of a training step of any stage', async () => {
    for (const [step, stage] of [
      ['3', 1],
      ['60', 2],
      ['138', 3],
    ] as const) {
      const { stdout } = await cli('inspect', runDir, '--batch', step, '--json')
      const [{ documents, stage: found }] = jsonLines(stdout) as {
        documents: { tokens: number }[]
        stage: number
      }[]
      expect(found).toBe(stage)
      expect(documents.reduce((sum, { tokens }) => sum + tokens, 0)).toBeGreaterThanOrEqual(4 * 128)
    }
  })
})

describe('smolforge corpus', () => {
  test('lists dropped documents with rule and value, and shows the verdict of every step', async () => {
    const { stdout } = await cli('corpus', 'list', runDir, '--end', 'dedup', '--json')
    const dropped = jsonLines(stdout)
    expect(dropped.length).toBeGreaterThan(0)
    expect(dropped[0]).toMatchObject({ end: 'dedup', rule: expect.any(String), value: expect.any(Number) })
    const shown = await cli('corpus', 'show', String(dropped[0].id), '--run', runDir, '--json')
    const [{ verdicts }] = jsonLines(shown.stdout) as { verdicts: { step: string; verdict: string }[] }[]
    expect(verdicts.map(({ step, verdict }) => `${step} ${verdict}`)).toEqual([
      'read kept',
      'language kept',
      'quality kept',
      'dedup dropped',
    ])
  })
})

describe('smolforge score', () => {
  test('adds ids, log-probabilities after the first token, and the 20 likeliest after the last', async () => {
    const { code } = await cli(
      'score',
      '--model',
      runDir,
      '--input',
      'texts.jsonl',
      '--output',
      'scored.jsonl',
    )
    expect(code).toBe(0)
    const lines = await readLines('scored.jsonl')
    expect(lines).toHaveLength(texts.length)
    for (const line of lines.slice(0, 4)) {
      const ids = line.ids as number[]
      const top = line.top_logprobs as number[]
      expect(line.tag).toBe(7)
      expect(line.token_logprobs).toHaveLength(ids.length - 1)
      expect(line.top_ids).toHaveLength(20)
      expect(top).toEqual([...top].sort((a, b) => b - a))
      expect(Math.max(...(line.token_logprobs as number[]), -1e-9)).toBeLessThan(0)
    }
    expect(lines[4]).toMatchObject({ ids: [], token_logprobs: [], top_ids: [], top_logprobs: [] })
  })

  test('scores a text longer than the context', async () => {
    await writeFile(file('long.jsonl'), `${JSON.stringify({ text: 'the sea and the rain '.repeat(80) })}\n`)
    const { code, stderr } = await cli(
      'score',
      '--model',
      runDir,
      '--input',
      'long.jsonl',
      '--output',
      'long-out.jsonl',
    )
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })
})

describe('smolforge generate', () => {
  test('continues prompts and answers messages, greedily the same each time', async () => {
    await writeFile(
      file('prompts.jsonl'),
      '{"prompt":"The sea"}\n{"messages":[{"role":"user","content":"Hello!"}]}\n',
    )
    const args = [
      '--model',
      join(runDir, 'model'),
      '--prompts',
      'prompts.jsonl',
      '--max-tokens',
      '12',
      '--temperature',
      '0',
    ]
    expect((await cli('generate', ...args, '--output', 'one.jsonl')).code).toBe(0)
    await cli('generate', ...args, '--output', 'two.jsonl')
    const lines = await readLines('one.jsonl')
    expect(lines).toEqual(await readLines('two.jsonl'))
    expect(lines[0]).toMatchObject({
      prompt: 'The sea',
      prompt_ids: expect.any(Array),
      text: expect.any(String),
    })
    expect((lines[0].new_ids as number[]).length).toBeLessThanOrEqual(12)
    expect(lines[1].messages).toHaveLength(1)
  })
})

describe('smolforge tokenizer', () => {
  test('encodes a text that spells a special token as that token, and decodes back', async () => {
    const tokenizer = join(runDir, 'model')
    expect(
      (
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
      ).code,
    ).toBe(0)
    const encoded = await readLines('ids.jsonl')
    expect((encoded[2].ids as number[])[0]).toBe(1)
    await writeFile(file('ids-only.jsonl'), encoded.map(({ ids }) => `${JSON.stringify({ ids })}\n`).join(''))
    const json = join(tokenizer, 'tokenizer.json')
    await cli(
      'tokenizer',
      'decode',
      '--tokenizer',
      json,
      '--input',
      'ids-only.jsonl',
      '--output',
      'back.jsonl',
    )
    expect((await readLines('back.jsonl')).map(({ text }) => text)).toEqual(texts)
  })

  test('is trained on a file of texts', async () => {
    const { code, stdout } = await cli(
      'tokenizer',
      'train',
      'texts.jsonl',
      '--output',
      'own',
      '--vocab-size',
      '280',
    )
    expect(code).toBe(0)
    expect(stdout).toContain('own')
    expect(existsSync(file('own/tokenizer.json'))).toBe(true)
  })
})

describe('a loaded model', () => {
  test('is tuned with adapters from the command line, and loaded again', async () => {
    const conversation = {
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'assistant', content: 'The sea.' },
      ],
    }
    await writeFile(file('talk.jsonl'), `${JSON.stringify(conversation)}\n`.repeat(8))
    const args = ['tune', 'sft', '--model', runDir, '--input', 'talk.jsonl', '--output', 'tuned']
    const tuned = await cli(
      ...args,
      '--lora',
      '4',
      '--epochs',
      '2',
      '--batch',
      '4',
      '--state',
      '8bit',
      '--json',
    )
    expect(tuned.stderr + tuned.code).toMatch(/0$/)
    expect(jsonLines(tuned.stdout).at(-1)).toMatchObject({ type: 'done', output: 'tuned' })
    expect(existsSync(file('tuned/adapter/adapter_model.safetensors'))).toBe(true)
    const { stdout } = await cli('inspect', 'tuned')
    expect(stdout).toMatch(/parameters/)
    const again = await cli(...args)
    expect([again.code, again.stderr]).toEqual([2, expect.stringContaining('exists already')])
  })

  test('is what a recipe begins from, with its tokenizer', async () => {
    const text = (await readFile(tinyRecipe, 'utf8'))
      .replaceAll('../test/', join(root, 'test/'))
      .replace(/^tokenizer: .*$/m, `baseModel: ${join(runDir, 'model')}`)
      .replace(/^model:\n( .*\n)+/m, '')
      .replace(/^stages:\n([ ].*\n)+/m, 'stages: [{ tokens: 6k, mixture: { prose: 1, code: 1 } }]\n')
      .replace(/^(ablation|dpo|sft): .*$/gm, '')
      .replace(/^training:/m, 'training:\n  optimizerState: 8bit\n  recomputeActivations: true')
    await writeFile(file('base-model.yaml'), text)
    const { code, stderr } = await cli('pretrain', 'base-model.yaml', '--run', 'further')
    expect(stderr + code).toMatch(/0$/)
    const vocabulary = async (dir: string) =>
      JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')).vocab_size
    expect(await vocabulary(file('further/model'))).toBe(await vocabulary(join(runDir, 'model')))
    const lossOf = async (dir: string) =>
      (jsonLines(await readFile(join(dir, 'steps/pretrain-1/metrics.jsonl'), 'utf8'))[0] as { loss: number })
        .loss
    // It begins where the other ended, not where one begins.
    expect(await lossOf(file('further'))).toBeLessThan((await lossOf(runDir)) - 1)
    await writeFile(file('without-base.yaml'), text.replace(join(runDir, 'model'), 'nowhere'))
    const none = await cli('pretrain', 'without-base.yaml', '--run', 'none')
    expect(none.stderr).toMatch(/No such file or folder[\s\S]*nowhere/)
    await writeFile(file('two-shapes.yaml'), `${text}\nmodel: { hiddenSize: 48, numHiddenLayers: 2 }`)
    expect((await cli('pretrain', 'two-shapes.yaml', '--run', 'both')).stderr).toContain(
      'brings its own shape',
    )
  })
})

describe('smolforge chat', () => {
  test('piped answers every line, forgets on /reset and ends on /exit', async () => {
    const { stdout, code } = await smolforge(
      ['chat', '--model', runDir, '--temperature', '0', '--max-tokens', '5'],
      { cwd: scratch, input: 'Hello!\n/reset\nHello!\n/exit\nnever asked\n' },
    )
    expect(code).toBe(0)
    // The same question twice, the second time without a memory of the first: the same answer.
    const half = stdout.length / 2
    expect(stdout.slice(0, half)).toBe(stdout.slice(half))
    expect(stdout.trim()).not.toBe('')
  })
})

describe('a mistake on the command line', () => {
  test.each([
    [['trian'], 2, /Did you mean train|unknown command 'trian'/],
    [['inspct', 'x'], 2, /Did you mean inspect/],
    [['run'], 2, /missing required argument/],
    [['run', tinyRecipe, '--threads', 'two'], 2, /not a whole number/],
    [['run', tinyRecipe, '--set', 'nonsense'], 2, /path=value/],
    [['run', 'nowhere.yaml'], 4, /No such file or folder\n {2}at nowhere\.yaml/],
    [['run', tinyRecipe, '--set', 'model.hiddenSize=50'], 3, /4 heads do not divide hiddenSize 50/],
    [['inspect', '.'], 4, /no run, step, shards/],
    [
      ['score', '--model', '.', '--input', 'texts.jsonl', '--output', 'x.jsonl'],
      4,
      /no model in this folder/,
    ],
    [['corpus', 'show', 'no:such', '--run', 'tiny'], 4, /No step of this run has seen/],
  ])('%j answers %i in words', async (args, code, expected) => {
    const result = await cli(...args)
    expect(result.stderr).toMatch(expected)
    expect(result.stderr).not.toMatch(/\n {4}at /)
    expect(result.code).toBe(code)
  })

  test('in a line of the input names file and line', async () => {
    await writeFile(file('broken.jsonl'), '{"text":"fine"}\n{"txt":"not"}\n')
    const { stderr, code } = await cli(
      'score',
      '--model',
      runDir,
      '--input',
      'broken.jsonl',
      '--output',
      'x.jsonl',
    )
    expect(stderr).toContain('broken.jsonl:2')
    expect(code).toBe(4)
  })

  test('with --json is told as an object too', async () => {
    const { stdout } = await cli('run', 'nowhere.yaml', '--json')
    expect(jsonLines(stdout)).toEqual([
      { type: 'error', code: 'input', message: 'No such file or folder', place: { file: 'nowhere.yaml' } },
    ])
  })
})

describe('--help', () => {
  test.each([
    [],
    ...[
      'run',
      'corpus fetch',
      'corpus list',
      'corpus show',
      'curate',
      'tokenizer train',
      'tokenizer encode',
      'tune sft',
      'fetch model',
      'export',
    ].map((name) => name.split(' ')),
    ...[
      'pretrain',
      'ablate',
      'refine',
      'sft',
      'dpo',
      'eval',
      'generate',
      'chat',
      'score',
      'report',
      'inspect',
      'serve',
    ].map((name) => [name]),
  ])('of %s teaches with an example and the exit codes', async (...names) => {
    const { stdout, code } = await cli(...names.filter((name) => typeof name === 'string'), '--help')
    expect(code).toBe(0)
    expect(stdout).toMatch(/Example|Begin with/)
    expect(stdout).toContain('Exit codes')
  })
})

describe('the command', () => {
  test('works through a symbolic link, as npm installs it', async () => {
    await symlink(join(root, 'dist/cli/main.js'), file('smolforge'))
    const { stderr, code } = await ended(spawn(process.execPath, [file('smolforge')], { cwd: scratch }))
    expect(stderr).toContain('smolforge run recipes/quickstart.yaml')
    expect(code).toBe(2)
  })
})
