import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import type { Damage } from '../../src/corpus/index.ts'
import { readTextBatches } from '../../src/curate/textBatches.ts'
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
