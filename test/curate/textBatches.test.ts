import { mkdtempSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { convertCorpus, type Damage } from '../../src/corpus/index.ts'
import { inputBytes, readTextBatches } from '../../src/curate/readTextBatches.ts'
import { Random } from '../../src/random/random.ts'

const folder = mkdtempSync(join(tmpdir(), 'smolforge-texts-'))

async function readAll(bytes: string | Uint8Array, batchBytes?: number) {
  const path = join(folder, 'documents.jsonl')
  writeFileSync(path, bytes)
  const documents: { id: unknown; text: string; url: string | null; line: number }[] = []
  const damages: Damage[] = []
  for await (const batch of readTextBatches(path, { batchBytes, onDamage: (d) => damages.push(d) })) {
    const urls = batch.urls()
    batch.idsJson().forEach((id, i) => {
      documents.push({ id: JSON.parse(id), text: batch.text(i), url: urls[i], line: batch.line(i) })
    })
  }
  return { documents, damages }
}

describe('batches of texts from JSON lines', () => {
  it('hold what JSON.parse finds, for random strings and values around them', async () => {
    const random = new Random(7)
    const characters = [...'aé"\\/\n\t\u0000\u001f\u007f日😀{}[]:,', '\ud800', '\u2028']
    const word = () =>
      Array.from({ length: random.int(30) }, () => characters[random.int(characters.length)] ?? '').join('')
    const lines = Array.from({ length: 3000 }, () => {
      const value = { [word()]: [1, -2.5e-7, { x: word() }, null], id: word(), text: word(), url: word() }
      return JSON.stringify(value, null, random.int(2) === 0 ? undefined : '\t').replaceAll('\n', ' ')
    })
    const wellFormed = (text: string) => text.replace(/\p{Surrogate}/gu, '\ufffd')
    const expected = lines.map((line, i) => {
      const { id, text, url } = JSON.parse(line) as { id: string; text: string; url: string }
      return { id: wellFormed(id), text: wellFormed(text), url: wellFormed(url), line: i + 1 }
    })
    for (const batchBytes of [1000, 1 << 20]) {
      expect(await readAll(lines.join('\n'), batchBytes)).toEqual({ documents: expected, damages: [] })
    }
    expect((await readAll(gzipSync(lines.join('\n')))).documents).toEqual(expected)
  })

  it('say of every line that gives no document where it is', async () => {
    const broken = ['{"text":"cut', '{"id":1}', 'null', '{"text":"a"} b', '\0\0']
    const { documents, damages } = await readAll(
      ['{"text":"first"}', ...broken, '{"text":"last"}'].join('\n'),
    )
    expect(documents).toEqual([
      { id: 1, text: 'first', url: null, line: 1 },
      { id: 7, text: 'last', url: null, line: 7 },
    ])
    let byteOffset = 17
    expect(damages.map((damage) => [damage.byteOffset, damage.bytesLost])).toEqual(
      broken.map((line) => {
        const place = [byteOffset, line.length]
        byteOffset += line.length + 1
        return place
      }),
    )
    expect(damages[0].reason).toContain('line 2: the JSON ends too early')
  })

  it('take a line of 100 MB', async () => {
    const text = 'word '.repeat(20 << 20)
    const { documents } = await readAll(`{"text":"before"}\n{"text":"${text}"}\n{"text":"after"}`)
    expect(documents.map(({ text }) => text.length)).toEqual([6, text.length, 5])
  })

  it('give what a cut gzip file still has, and a damage', async () => {
    const whole = gzipSync(Array.from({ length: 5000 }, (_, i) => `{"id":${i},"text":"t${i}"}`).join('\n'))
    const { documents, damages } = await readAll(whole.subarray(0, whole.length - 500))
    expect(documents.length).toBeGreaterThan(4000)
    expect(damages.map(({ reason }) => reason).join()).toContain('file is damaged or ends too early')
  })

  it('name the file that is not there', async () => {
    const reading = readTextBatches(join(folder, 'absent.jsonl')).next()
    await expect(reading).rejects.toMatchObject({
      code: 'input',
      place: { file: join(folder, 'absent.jsonl') },
    })
  })
})

describe('batches of texts from a folder', () => {
  it('come from JSON lines and Parquet alike, with their ids, addresses and damages, in the order of the names', async () => {
    const home = mkdtempSync(join(folder, 'mixed-'))
    const documents = [
      {
        id: 'p1',
        text: 'from Parquet',
        url: 'https://a.example/x',
        source: 's',
        licence: 'MIT',
        domain: 'web',
      },
      { id: 'p2', text: 'without an address', source: 's', licence: 'MIT', domain: 'web' },
    ]
    writeFileSync(join(home, 'b.jsonl.gz'), gzipSync('{"id":7,"text":"packed"}\nno line\n'))
    writeFileSync(join(home, 'c.jsonl'), '{"id":"last","text":"plain"}\n')
    writeFileSync(join(home, 'notes.txt'), 'not read')
    const lines = join(home, '.parquet.jsonl')
    writeFileSync(lines, documents.map((document) => JSON.stringify(document)).join('\n'))
    await convertCorpus(
      { name: 'in', domain: 'web', licence: 'unknown', path: lines },
      { output: join(home, 'a.parquet'), cacheDir: home, baseDir: '/' },
    )
    const found: unknown[] = []
    const damages: Damage[] = []
    for await (const batch of readTextBatches(home, { onDamage: (damage) => damages.push(damage) })) {
      const urls = batch.urls()
      batch.idsJson().forEach((id, i) => {
        found.push([JSON.parse(id), batch.text(i), urls[i]])
      })
    }
    expect(found).toEqual([
      ['p1', 'from Parquet', 'https://a.example/x'],
      ['p2', 'without an address', null],
      [7, 'packed', null],
      ['last', 'plain', null],
    ])
    expect(damages).toMatchObject([{ file: join(home, 'b.jsonl.gz'), byteOffset: 25, bytesLost: 7 }])
    expect(await inputBytes(home)).toBe(
      ['a.parquet', 'b.jsonl.gz', 'c.jsonl'].reduce((sum, name) => sum + statSync(join(home, name)).size, 0),
    )
  })

  it('are refused with one clear error where there is nothing to read', async () => {
    const empty = mkdtempSync(join(folder, 'empty-'))
    const reading = async () => {
      for await (const _ of readTextBatches(empty));
    }
    await expect(reading()).rejects.toMatchObject({ code: 'input', place: { file: empty } })
    await expect(inputBytes(join(folder, 'missing.jsonl'))).rejects.toMatchObject({ code: 'input' })
  })
})
