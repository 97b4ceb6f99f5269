import { execFileSync } from 'node:child_process'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from 'tar'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Document, writeDocuments } from '../../src/corpus/index.ts'
import { COMMIT, startHub } from '../model/hubServer.ts'
import { readAll, temporaryFolder } from './collect.ts'
import { KEYS, startStore } from './s3Server.ts'

const document = (n: number): Document => ({
  id: `${n}`,
  text: `Text ${n}. ${'words '.repeat(n % 50)}${Math.sin(n)}`,
  source: 'x',
  licence: 'MIT',
  scores: {},
  meta: {},
})

async function parquet(from: number, count: number): Promise<Buffer> {
  const path = join(await temporaryFolder(), 'a.parquet')
  await writeDocuments(
    path,
    (async function* () {
      yield Array.from({ length: count }, (_, n) => document(from + n))
    })(),
  )
  return readFile(path)
}

describe('a git checkout', () => {
  const git = (cwd: string, ...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=A', '-c', 'user.email=a@b.example', ...args], {
      cwd,
      encoding: 'utf8',
    })

  test('gives the files that are tracked, with the commit, and follows no link', async () => {
    const folder = await temporaryFolder()
    const outside = await temporaryFolder()
    await writeFile(join(outside, 'secret.txt'), 'not of this checkout')
    git(folder, 'init', '--quiet')
    await mkdir(join(folder, 'docs'))
    await mkdir(join(folder, 'later'))
    for (const [name, text] of Object.entries({
      'a.py': 'print("a")\n',
      'docs/über uns.md': 'About us.\n',
      'later/secret.txt': 'once a file\n',
      'gone.txt': 'soon gone\n',
    })) {
      await writeFile(join(folder, name), text)
    }
    await symlink(join(outside, 'secret.txt'), join(folder, 'link.txt'))
    git(folder, 'add', '.')
    git(folder, 'commit', '--quiet', '-m', 'First')
    const commit = git(folder, 'rev-parse', 'HEAD').trim()
    await writeFile(join(folder, 'untracked.txt'), 'not tracked')
    await rm(join(folder, 'gone.txt'))
    await rm(join(folder, 'later'), { recursive: true })
    await symlink(outside, join(folder, 'later'))
    const { documents, skipped } = await readAll({ name: 'repo', git: folder })
    expect(documents.map(({ id, text, meta }) => [id, text, meta.commit]).sort()).toEqual([
      ['repo:a.py', 'print("a")\n', commit],
      ['repo:docs/über uns.md', 'About us.', commit],
    ])
    expect(skipped.sort()).toEqual(['a link', 'a link', 'deleted since the commit'])
    const only = await readAll({ name: 'repo', git: folder, include: ['*.py'] })
    expect(only.documents).toHaveLength(1)
  })

  test('a folder that is none is an error in words, and no program that it names is run', async () => {
    const folder = await temporaryFolder()
    await expect(readAll({ name: 'repo', git: folder })).rejects.toMatchObject({ code: 'input' })
    git(folder, 'init', '--quiet')
    await writeFile(join(folder, 'a.txt'), 'text')
    git(folder, 'add', '.')
    git(folder, 'commit', '--quiet', '-m', 'First')
    git(folder, 'config', 'core.fsmonitor', `touch ${join(folder, 'ran')}; false`)
    expect((await readAll({ name: 'repo', git: folder })).documents).toHaveLength(1)
    expect(await readdir(folder)).not.toContain('ran')
  })
})

describe('the tarball of a package', () => {
  test('is a path like a folder, unpacked once', async () => {
    const folder = await temporaryFolder()
    await mkdir(join(folder, 'package/texts'), { recursive: true })
    await writeFile(join(folder, 'package/texts/one.txt'), 'One text.')
    const path = join(folder, 'texts-1.0.0.tgz')
    await create({ file: path, cwd: folder, gzip: true }, ['package'])
    const cacheDir = join(folder, 'cache')
    for (let round = 0; round < 2; round++) {
      const { documents } = await readAll({ name: 'texts', path }, { cacheDir })
      expect(documents.map(({ id }) => id)).toEqual(['texts:texts/one.txt'])
    }
    expect(await readdir(cacheDir)).toHaveLength(1)
    await writeFile(path, (await readFile(path)).subarray(0, 60))
    await expect(readAll({ name: 'texts', path }, { cacheDir })).rejects.toThrow()
  })
})

describe('a data set on a hub', () => {
  async function hubOf(files: Record<string, Buffer>, token?: string) {
    const hub = await startHub(files, { model: 'some/texts', kind: 'datasets', token })
    onTestFinished(() => hub.close())
    const cacheDir = await temporaryFolder()
    const read = (source: Record<string, unknown>, env: NodeJS.ProcessEnv = {}) =>
      readAll(
        { name: 'far', ...source },
        { cacheDir, retryDelayMs: 1, env: { HF_ENDPOINT: hub.endpoint, HF_TOKEN: token, ...env } },
      )
    return { hub, read, cacheDir }
  }

  test('is read shard by shard from its Parquet export, over broken connections, and leaves nothing behind', async () => {
    const { hub, read, cacheDir } = await hubOf(
      {
        'default/train/0000.parquet': await parquet(0, 3000),
        'default/train/0001.parquet': await parquet(3000, 3000),
        'default/train/0002.parquet': await parquet(6000, 10),
        'default/test/0000.parquet': await parquet(9000, 10),
      },
      'hf_secret',
    )
    hub.misbehave.set('default/train/0000.parquet', ['truncate', 'fail', 'truncate'])
    hub.misbehave.set('default/train/0001.parquet', ['corrupt', 'ignore-range'])
    hub.misbehave.set('default/train/0002.parquet', ['fail', 'fail', 'fail'])
    // The corrupt shard is noticed by its hash; a call that began with nothing says so.
    await expect(read({ hub: 'some/texts' })).rejects.toMatchObject({ code: 'damaged' })
    const { documents, damages } = await read({ hub: 'some/texts' })
    expect(damages).toEqual([])
    expect(documents.map(({ text }) => text)).toEqual(
      Array.from({ length: 6010 }, (_, n) => document(n).text),
    )
    expect(documents[3000]?.id).toBe('far:default/train/0001.parquet#0')
    expect(await readdir(join(cacheDir, 'shards'))).toEqual([])
    expect(hub.requests.some(({ range }) => range !== undefined)).toBe(true)
    // The token is for the hub and not for the store that it sends us to.
    expect(
      new Set(hub.requests.filter(({ authorization }) => authorization).map(({ host }) => host)),
    ).toEqual(new Set(['hub']))
  })

  test('of several configurations asks which one, and of a revision reads the files that are wanted', async () => {
    const { read } = await hubOf({
      'main/train/0000.parquet': await parquet(0, 5),
      'socratic/train/0000.parquet': await parquet(10, 5),
      'README.md': Buffer.from('# Texts'),
      'data/x.jsonl': Buffer.from('{"content":"one line"}\n'),
    })
    await expect(read({ hub: 'some/texts' })).rejects.toMatchObject({
      code: 'input',
      hint: expect.stringContaining('main, socratic'),
    })
    expect((await read({ hub: 'some/texts', include: ['main/train/*'] })).documents).toHaveLength(5)
    const source = { hub: `some/texts@${COMMIT}`, include: ['data/*'], textField: 'content' }
    expect((await read(source)).documents.map(({ text }) => text)).toEqual(['one line'])
    await expect(read({ hub: 'some/texts', include: ['x/*'] })).rejects.toMatchObject({ code: 'input' })
    await expect(read({ hub: 'some/nothing' })).rejects.toMatchObject({ code: 'input' })
    await expect(read({ hub: 'some/texts' }, { HF_ENDPOINT: 'nowhere' })).rejects.toMatchObject({
      code: 'usage',
    })
  })

  test('a damaged shard names its address, and a source that is full fetches no more', async () => {
    const { hub, read, cacheDir } = await hubOf({
      'default/train/0000.parquet': await parquet(0, 50),
      'default/train/0001.parquet': Buffer.from('no Parquet at all'),
      'default/train/0002.parquet': await parquet(100, 50),
    })
    const { documents, damages } = await read({ hub: 'some/texts' })
    expect(documents).toHaveLength(100)
    expect(damages).toMatchObject([
      { file: `${hub.endpoint}/datasets/some/texts@${COMMIT}/default/train/0001.parquet`, bytesLost: 17 },
    ])
    hub.requests.length = 0
    expect((await read({ hub: 'some/texts', maxDocuments: 3 })).documents).toHaveLength(3)
    expect(hub.requests.some(({ url }) => url.includes('0002'))).toBe(false)
    expect((await readdir(join(cacheDir, 'shards'))).length).toBeLessThanOrEqual(2)
  })
})

describe('objects in S3', () => {
  const keys = {
    AWS_ACCESS_KEY_ID: KEYS.id,
    AWS_SECRET_ACCESS_KEY: KEYS.secret,
    AWS_REGION: KEYS.region,
  }

  async function storeOf(objects: Record<string, Buffer>) {
    const store = await startStore('my-bucket', objects)
    onTestFinished(() => store.close())
    const cacheDir = await temporaryFolder()
    const read = (source: Record<string, unknown>, env: NodeJS.ProcessEnv = keys) =>
      readAll(
        { name: 'far', ...source },
        { cacheDir, retryDelayMs: 1, env: { AWS_ENDPOINT_URL: `${store.endpoint}/`, ...env } },
      )
    return { store, read, cacheDir }
  }

  test('are listed page by page and read with signed requests, over broken connections', async () => {
    const long = Buffer.from(`{"text":"${'one long line '.repeat(100_000)}"}\n`)
    const { store, read, cacheDir } = await storeOf({
      'crawl/a.jsonl': Buffer.from('{"text":"first"}\n'),
      "crawl/b c+d (e)/ü'*.jsonl": Buffer.from('{"text":"second"}\n'),
      'crawl/c.jsonl': long,
      'crawl/d.bin': Buffer.from([1, 2, 3]),
      'crawl/folder/': Buffer.alloc(0),
      'other/e.jsonl': Buffer.from('{"text":"elsewhere"}\n'),
    })
    store.misbehave.set('', ['fail'])
    store.misbehave.set('crawl/c.jsonl', ['truncate', 'fail', 'truncate'])
    const { documents, damages, skipped } = await read({ s3: 's3://my-bucket/crawl/' })
    expect(damages).toEqual([])
    expect(skipped).toEqual(['not for the known readers'])
    expect(documents.map(({ id, text }) => [id, text.length])).toEqual([
      ['far:a.jsonl#1', 5],
      ["far:b c+d (e)/ü'*.jsonl#1", 6],
      ['far:c.jsonl#1', 1_400_000],
    ])
    expect(store.requests.filter((request) => request.includes('bytes=')).length).toBeGreaterThan(0)
    expect(await readdir(join(cacheDir, 'shards'))).toEqual([])
    expect((await read({ s3: 's3://my-bucket/crawl/', include: ['a*'] })).documents).toHaveLength(1)
    await expect(read({ s3: 's3://my-bucket/nothing/' })).rejects.toMatchObject({ code: 'input' })
  })

  test('wrong keys, no keys and an object that changes are errors in words', async () => {
    const { store, read } = await storeOf({ 'a.jsonl': Buffer.from('{"text":"first"}\n') })
    const wrong = { ...keys, AWS_SECRET_ACCESS_KEY: 'another' }
    await expect(read({ s3: 's3://my-bucket' }, wrong)).rejects.toMatchObject({
      code: 'network',
      hint: expect.stringContaining('AWS_SECRET_ACCESS_KEY'),
    })
    await expect(read({ s3: 's3://my-bucket' }, {})).rejects.toMatchObject({ code: 'network' })
    await expect(read({ s3: 's3://my-bucket' }, { AWS_ACCESS_KEY_ID: 'x' })).rejects.toMatchObject({
      code: 'usage',
    })
    await expect(read({ s3: 's3://another-bucket' })).rejects.toMatchObject({ code: 'input' })
    store.misbehave.set('a.jsonl', ['replace'])
    await expect(read({ s3: 's3://my-bucket' })).rejects.toMatchObject({
      code: 'network',
      message: expect.stringContaining('412'),
    })
  })
})
