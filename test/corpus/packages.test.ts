import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { create } from 'tar'
import { describe, expect, test } from 'vitest'
import { fetchPackage } from '../../src/corpus/index.ts'
import { readAll, temporaryFolder } from './collect.ts'

const integrityOf = (bytes: Buffer) => `sha512-${createHash('sha512').update(bytes).digest('base64')}`

/** A real tarball made by npm from a small package. */
async function packed(folder: string): Promise<{ from: string; integrity: string }> {
  const project = join(folder, 'project')
  await mkdir(join(project, 'texts'), { recursive: true })
  const script = "node -e \"require('fs').writeFileSync('ran', '')\""
  await writeFile(
    join(project, 'package.json'),
    JSON.stringify({
      name: 'little-texts',
      version: '1.2.3',
      scripts: { prepack: script, postinstall: script },
    }),
  )
  await writeFile(join(project, 'texts/one.txt'), 'One text.')
  await writeFile(join(project, 'texts/two.txt'), 'Another text.')
  execFileSync('npm', ['pack', project, '--ignore-scripts', '--pack-destination', folder], {
    stdio: 'ignore',
  })
  const from = join(folder, 'little-texts-1.2.3.tgz')
  return { from, integrity: integrityOf(await readFile(from)) }
}

describe('fetching a package', () => {
  test('verifies and unpacks once, and needs nothing the second time', async () => {
    const folder = await temporaryFolder()
    const cacheDir = join(folder, 'cache')
    const { from, integrity } = await packed(folder)
    const reference = { name: 'little-texts', version: '1.2.3', integrity }
    const unpacked = await fetchPackage({ ...reference, from }, cacheDir)
    expect(await readFile(join(unpacked, 'texts/one.txt'), 'utf8')).toBe('One text.')
    // Without `from` npm would have to ask the registry for a package that it does not have.
    expect(await fetchPackage(reference, cacheDir)).toBe(unpacked)
    expect(await readdir(cacheDir)).toHaveLength(1)
    const source = { name: 'little', npm: 'little-texts@1.2.3', integrity }
    const { documents } = await readAll(source, { cacheDir })
    expect(documents.map((document) => document.id)).toEqual(['little:texts/one.txt', 'little:texts/two.txt'])
  })

  test('several at once in one cache do not disturb each other', async () => {
    const folder = await temporaryFolder()
    const { from, integrity } = await packed(folder)
    const reference = { name: 'little-texts', version: '1.2.3', integrity, from }
    const cacheDir = join(folder, 'cache')
    const folders = await Promise.all([1, 2, 3].map(() => fetchPackage(reference, cacheDir)))
    expect(new Set(folders).size).toBe(1)
    expect(await readdir(cacheDir)).toHaveLength(1)
  })

  test('a tarball with another content than was pinned is refused', async () => {
    const folder = await temporaryFolder()
    const { from } = await packed(folder)
    const integrity = integrityOf(Buffer.from('something else'))
    const cacheDir = join(folder, 'cache')
    await expect(
      fetchPackage({ name: 'little-texts', version: '1.2.3', integrity, from }, cacheDir),
    ).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('little-texts@1.2.3'),
    })
    expect(await readdir(cacheDir)).toEqual([])
  })

  test('a failing npm names the package and the empty cache', async () => {
    const folder = await temporaryFolder()
    const reference = { name: 'little-texts', version: '1.2.3', integrity: integrityOf(Buffer.from('')) }
    const missing = { ...reference, from: join(folder, 'no-such-folder') }
    await expect(fetchPackage(missing, join(folder, 'cache'))).rejects.toMatchObject({
      code: 'network',
      hint: expect.stringContaining('not in the cache'),
    })
  })

  test('links and paths that lead out of the folder are refused', async () => {
    const folder = await temporaryFolder()
    const inside = join(folder, 'package')
    await mkdir(inside)
    await writeFile(join(inside, 'package.json'), '{"name":"sly","version":"1.0.0"}')
    await symlink('/etc', join(inside, 'link'))
    const linked = join(folder, 'linked.tgz')
    await create({ file: linked, cwd: folder, gzip: true }, ['package'])
    await writeFile(join(folder, 'outside.txt'), 'x')
    const outside = join(folder, 'outside.tgz')
    await create({ file: outside, cwd: inside, gzip: true, preservePaths: true }, [
      'package.json',
      '../outside.txt',
    ])
    for (const from of [linked, outside]) {
      const integrity = integrityOf(await readFile(from))
      const attempt = fetchPackage({ name: 'sly', version: '1.0.0', integrity, from }, join(folder, 'cache'))
      await expect(attempt, from).rejects.toMatchObject({
        code: expect.stringMatching(/input|network|damaged/),
      })
    }
    expect(await readdir(join(folder, 'cache'))).toEqual([])
  })
})
