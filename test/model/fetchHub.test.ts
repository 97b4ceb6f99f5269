import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import { type FetchModelOptions, fetchModel } from '../../src/model/index.ts'
import { COMMIT, startHub, type TestHub } from './hubServer.ts'

const folders: string[] = []
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true })
})

async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'smolforge-hub-'))
  folders.push(folder)
  return folder
}

async function hubWith(...args: Parameters<typeof startHub>): Promise<TestHub> {
  const hub = await startHub(...args)
  onTestFinished(() => hub.close())
  return hub
}

const weights = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 31) % 251))
const small = {
  'config.json': Buffer.from('{"model_type":"llama"}'),
  'tokenizer.json': Buffer.from('{"model":{}}'),
  'tokenizer_config.json': Buffer.from('{}'),
  'README.md': Buffer.from('# A model'),
  'pytorch_model.bin': Buffer.from('code'),
}
const single = { ...small, 'model.safetensors': weights }

async function get(hub: TestHub, options: FetchModelOptions & { id?: string; token?: string } = {}) {
  const output = options.output ?? join(await scratch(), 'model')
  const env = { HF_ENDPOINT: `${hub.endpoint}/`, HF_TOKEN: options.token }
  return fetchModel(options.id ?? 'tiny/model', { retryDelayMs: 1, ...options, output, env })
}

/** The byte that each request to the store began at. */
const startsOf = (hub: TestHub) =>
  hub.requests
    .filter(({ host }) => host === 'store')
    .map(({ range }) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')?.[1]))

describe('a model of a hub', () => {
  test('comes with configuration, tokenizer and safetensors, and nothing else', async () => {
    const hub = await hubWith(single)
    const { folder, source, files, wasThere } = await get(hub)
    expect(wasThere).toBe(false)
    expect(source).toBe(`${hub.endpoint}/tiny/model@${COMMIT}`)
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    expect(files.map(({ name }) => name).sort()).toEqual(names)
    expect((await readdir(folder)).sort()).toEqual(['.smolforge-model.json', ...names])
    expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true)
    expect(await readdir(join(folder, '..'))).toEqual(['model'])
  })

  test('comes with every part of sharded weights', async () => {
    const parts = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
    const index = { weight_map: { a: parts[0], b: parts[1], c: parts[0] } }
    const hub = await hubWith({
      ...small,
      [parts[0]]: weights,
      [parts[1]]: Buffer.from('more'),
      'model.safetensors.index.json': Buffer.from(JSON.stringify(index)),
    })
    const { folder } = await get(hub)
    expect(weights.equals(await readFile(join(folder, parts[0])))).toBe(true)
    expect(await readFile(join(folder, parts[1]), 'utf8')).toBe('more')
  })

  test.each(['../../evil.safetensors', 'model-00009-of-00009.safetensors', 'config.json'])(
    'is refused when its index names %s as a part',
    async (part) => {
      const index = Buffer.from(JSON.stringify({ weight_map: { a: part } }))
      const hub = await hubWith({ ...small, 'model.safetensors.index.json': index })
      const output = join(await scratch(), 'model')
      await expect(get(hub, { output })).rejects.toMatchObject({ code: 'input' })
      expect(existsSync(output)).toBe(false)
    },
  )

  test('is the named GGUF alone where --file names one, from a folder of the repository too', async () => {
    const hub = await hubWith({ ...small, 'q/m.Q8_0.gguf': weights, 'm.Q4_0.gguf': Buffer.from('other') })
    const { folder } = await get(hub, { file: 'q/m.Q8_0.gguf' })
    expect((await readdir(folder)).sort()).toEqual(['.smolforge-model.json', 'm.Q8_0.gguf'])
    expect(weights.equals(await readFile(join(folder, 'm.Q8_0.gguf')))).toBe(true)
  })

  test('says which GGUF files there are when it has to be told, or was told a wrong one', async () => {
    const hub = await hubWith({ 'a.gguf': weights, 'b.gguf': weights })
    await expect(get(hub)).rejects.toMatchObject({ code: 'input', hint: 'It has a.gguf, b.gguf.' })
    await expect(get(hub, { file: 'c.gguf' })).rejects.toMatchObject({ hint: 'It has a.gguf, b.gguf.' })
  })

  test('with weights as a pickle alone is refused', async () => {
    await expect(get(await hubWith(small))).rejects.toThrow(/neither safetensors nor GGUF/)
  })

  test('is found the second time without a request, at a revision of its own', async () => {
    const hub = await hubWith(single)
    const { folder } = await get(hub, { id: 'tiny/model@v2' })
    const asked = hub.requests.length
    expect(await get(hub, { id: 'tiny/model@v2', output: folder })).toMatchObject({ wasThere: true })
    expect(hub.requests).toHaveLength(asked)
    // The folder holds v2: main would be another model in its place.
    await expect(get(hub, { output: folder })).rejects.toMatchObject({ code: 'usage' })
  })

  test('that was changed since is not taken for whole', async () => {
    const hub = await hubWith(single)
    const { folder } = await get(hub)
    await writeFile(join(folder, 'model.safetensors'), 'cut')
    await expect(get(hub, { output: folder })).rejects.toMatchObject({ code: 'damaged' })
  })

  test("never takes the place of a folder that is someone else's", async () => {
    const output = await scratch()
    await writeFile(join(output, 'thesis.txt'), 'years of work')
    await expect(get(await hubWith(single), { output })).rejects.toMatchObject({ code: 'usage' })
    expect(await readdir(output)).toEqual(['thesis.txt'])
  })
})

test('two calls for one folder do not write over each other', async () => {
  const hub = await hubWith(single)
  const output = join(await scratch(), 'model')
  const both = await Promise.allSettled([get(hub, { output }), get(hub, { output })])
  const [done] = both.filter(({ status }) => status === 'fulfilled')
  const [refused] = both.filter((result) => result.status === 'rejected')
  expect(done).toMatchObject({ value: { wasThere: false } })
  expect(refused).toMatchObject({ reason: { code: 'usage', hint: expect.stringContaining('--output') } })
  expect(weights.equals(await readFile(join(output, 'model.safetensors')))).toBe(true)
})

describe('a connection that breaks', () => {
  test('is taken up at the byte where it broke', async () => {
    const hub = await hubWith(single)
    hub.misbehave.set('model.safetensors', ['truncate', 'fail', 'truncate'])
    const { folder } = await get(hub)
    expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true)
    const starts = startsOf(hub)
    expect(starts).toHaveLength(4)
    expect(starts[0]).toBe(0)
    expect(starts[1]).toBeGreaterThan(0)
    expect(starts[2]).toBe(starts[1])
    expect(starts[3]).toBeGreaterThan(starts[2])
  })

  test('begins anew at a server that knows no ranges', async () => {
    const hub = await hubWith(single)
    hub.misbehave.set('model.safetensors', ['truncate', 'ignore-range'])
    const { folder } = await get(hub)
    expect(weights.equals(await readFile(join(folder, 'model.safetensors')))).toBe(true)
  })

  test('for good leaves no model, and the next call goes on with what has come', async () => {
    const hub = await hubWith(single)
    const output = join(await scratch(), 'model')
    hub.misbehave.set('model.safetensors', ['truncate', ...Array<'fail'>(9).fill('fail')])
    await expect(get(hub, { output })).rejects.toMatchObject({ code: 'network' })
    expect(existsSync(output)).toBe(false)
    hub.misbehave.clear()
    hub.requests.length = 0
    await get(hub, { output })
    expect(weights.equals(await readFile(join(output, 'model.safetensors')))).toBe(true)
    expect(startsOf(hub)).toEqual([expect.any(Number)])
    expect(startsOf(hub)[0]).toBeGreaterThan(0)
    // What was whole already is not asked for again.
    expect(hub.requests.some(({ url }) => url.endsWith('/config.json'))).toBe(false)
  })

  test('before, over bytes of another version, is found out by the hash and done anew', async () => {
    const hub = await hubWith(single)
    const output = join(await scratch(), 'model')
    hub.misbehave.set('model.safetensors', ['truncate', ...Array<'fail'>(9).fill('fail')])
    await expect(get(hub, { output })).rejects.toMatchObject({ code: 'network' })
    await writeFile(join(output, '../.model.partial/model.safetensors.part'), Buffer.alloc(100_000))
    hub.misbehave.clear()
    await get(hub, { output })
    expect(weights.equals(await readFile(join(output, 'model.safetensors')))).toBe(true)
  })
})

describe('what a hub sends', () => {
  test.each([
    ['of LFS', 'model.safetensors'],
    ['of git', 'tokenizer.json'],
  ])('is held against the hash %s, and removed when it differs', async (_, name) => {
    const hub = await hubWith(single)
    hub.misbehave.set(name, ['corrupt', 'corrupt'])
    const output = join(await scratch(), 'model')
    await expect(get(hub, { output })).rejects.toMatchObject({ code: 'damaged' })
    expect(existsSync(output)).toBe(false)
    expect(existsSync(join(output, `../.model.partial/${name}.part`))).toBe(false)
  })

  test('is not taken past the size that was announced', async () => {
    const hub = await hubWith(single, { announced: { 'model.safetensors': weights.subarray(0, 1000) } })
    await expect(get(hub)).rejects.toMatchObject({ code: 'damaged' })
  })
})

describe('HF_TOKEN', () => {
  test('goes to the hub, and never to the store that it redirects to', async () => {
    const hub = await hubWith(single, { token: 'hf_secret' })
    await get(hub, { token: 'hf_secret' })
    const seen = new Map(hub.requests.map(({ host, authorization }) => [host, authorization]))
    expect(seen.get('hub')).toBe('Bearer hf_secret')
    expect(seen.has('store')).toBe(true)
    expect(seen.get('store')).toBeUndefined()
  })

  test.each([
    [undefined, /\(401\).*restricted/],
    ['hf_wrong', /\(403\).*restricted/],
  ])('%s is refused in words that name it', async (token, message) => {
    const hub = await hubWith(single, { token: 'hf_secret' })
    const failure = get(hub, { token })
    await expect(failure).rejects.toThrow(message)
    await expect(failure).rejects.toMatchObject({ code: 'network', hint: /HF_TOKEN/ })
  })
})

describe('a name', () => {
  test('that the hub does not have is an input error with its address', async () => {
    const hub = await hubWith(single)
    await expect(get(hub, { id: 'tiny/modle' })).rejects.toMatchObject({
      code: 'input',
      place: { file: expect.stringContaining('/api/models/tiny/modle/revision/main') },
    })
    await expect(get(hub, { id: 'tiny/model@v9' })).rejects.toMatchObject({ code: 'input' })
  })

  test.each(['smolm2', '../etc/passwd', 'a/b/c', 'a/..', '-x/y', 'https://huggingface.co/a/b'])(
    '%s is no name of a model',
    async (id) => {
      await expect(fetchModel(id)).rejects.toMatchObject({ code: 'usage', hint: /smollm2-135m-instruct/ })
    },
  )
})

test('a hub that is not there is told with the way to name another', async () => {
  const hub = await startHub(single)
  await hub.close()
  await expect(get(hub)).rejects.toMatchObject({ code: 'network', hint: /HF_ENDPOINT/ })
})

test('a listing that names paths of its own makes no file outside of the folder', async () => {
  const hub = await hubWith({
    ...single,
    '../config.json': Buffer.from('evil'),
    '.bashrc': Buffer.from('evil'),
  })
  const parent = join(await scratch(), 'in')
  await mkdir(parent)
  await get(hub, { output: join(parent, 'model') })
  expect(await readdir(parent)).toEqual(['model'])
  expect(await readdir(join(parent, '..'))).toEqual(['in'])
})
