import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dedupFile, dedupUnits, minhashDedup } from '../../src/curate/index.ts'
import { Random } from '../../src/random/random.ts'
import { document, numbered, streamOf } from './documents.ts'
import { slowJaccard } from './slowNgrams.ts'

interface Line {
  id: unknown
  keep: boolean
  cluster: number
}

function write(name: string, lines: readonly object[]): { input: string; output: string; folder: string } {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-dedup-'))
  const input = join(folder, name)
  writeFileSync(input, lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  return { input, output: join(folder, 'out.jsonl'), folder }
}

const read = (path: string) =>
  readFileSync(path, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line)

/** Texts in families of the same words, with some of them replaced. */
function families(count: number, random: Random): string[] {
  return Array.from({ length: count }, (_, family) => {
    const words = numbered(family * 1000, family * 1000 + 120).split(' ')
    return Array.from({ length: 1 + random.int(4) }, () => {
      const copy = [...words]
      for (let i = random.int(6); i > 0; i--) copy[random.int(copy.length)] = `edit${random.uint32()}`
      return copy.join(' ')
    })
  }).flat()
}

describe('dedup of a file', () => {
  it('gives every document its line, in order, one kept in each cluster', async () => {
    const texts = families(60, new Random(11))
    const { input, output, folder } = write(
      'docs.jsonl',
      texts.map((text, i) => ({ id: i % 2 ? `d"${i}` : i, text })),
    )
    const counts = await dedupFile({ input, output, memoryBytes: 1 << 14 })
    const lines = read(output)
    expect(lines.map(({ id }) => id)).toEqual(texts.map((_, i) => (i % 2 ? `d"${i}` : i)))
    const keepers = new Map<number, number>()
    for (const { cluster, keep } of lines) keepers.set(cluster, (keepers.get(cluster) ?? 0) + Number(keep))
    expect([...keepers.values()].every((keepers) => keepers === 1)).toBe(true)
    expect(counts).toMatchObject({ documents: texts.length, kept: keepers.size })
    expect(counts.spilled).toBeGreaterThan(0)
    expect(readdirSync(folder).sort()).toEqual(['docs.jsonl', 'out.jsonl'])
  })

  it('says the same on disk and in memory, on one thread and on three, packed and plain', async () => {
    const texts = families(80, new Random(12))
    const { input, output } = write(
      'docs.jsonl',
      texts.map((text) => ({ text })),
    )
    const outputs: string[] = []
    for (const options of [{ memoryBytes: 1000, threads: 1 }, { threads: 3 }]) {
      await dedupFile({ input, output, ...options })
      outputs.push(readFileSync(output, 'utf8'))
    }
    expect(outputs[1]).toBe(outputs[0])
  })

  it('joins exactly the pairs of the true Jaccard similarity when it verifies', async () => {
    const texts = families(25, new Random(13))
    const { input, output } = write(
      'docs.jsonl',
      texts.map((text, id) => ({ id, text })),
    )
    // Rows of one: every pair with a chance at all is compared.
    for (const verify of [0.5, 0.8, 0.95]) {
      await dedupFile({ input, output, bands: 256, rows: 1, verify, memoryBytes: 5000 })
      const label = texts.map((_, i) => i)
      for (let pass = 0; pass < texts.length; pass++) {
        for (let i = 0; i < texts.length; i++) {
          for (let j = Math.max(0, i - 5); j < i; j++) {
            if (slowJaccard(texts[i], texts[j], 5) < verify) continue
            const least = Math.min(label[i], label[j])
            label[i] = least
            label[j] = least
          }
        }
        if (texts.every((_, i) => label[label[i]] === label[i]) && pass > 5) break
      }
      expect(read(output).map(({ cluster }) => cluster)).toEqual(label)
    }
  })

  it('decides as the rule of recipes does', async () => {
    const texts = families(60, new Random(14))
    const documents = texts.map((text, i) => document(text, { id: `${i}` }))
    const { input, output } = write('docs.jsonl', documents)
    await dedupFile({ input, output, verify: 0.7 })
    const rule = await minhashDedup(() => streamOf(documents, 7))
    const verdicts = await rule.judge(documents)
    expect(read(output).map(({ keep }) => keep)).toEqual(verdicts.map(({ keep }) => keep))
  })

  it('finds documents with the same words when only those are asked for', async () => {
    const { input, output } = write('docs.jsonl', [
      { id: 'a', text: 'One, two' },
      { id: 'b', text: 'one two three' },
      { id: 'c', text: 'ONE two!' },
    ])
    await dedupFile({ input, output, exact: true })
    expect(read(output)).toEqual([
      { id: 'a', keep: true, cluster: 0 },
      { id: 'b', keep: true, cluster: 1 },
      { id: 'c', keep: false, cluster: 0 },
    ])
  })
})

describe('the texts that stay', () => {
  const texts = [
    ...families(60, new Random(21)),
    'é"\\\n\t\b\f\u0001\u007f日😀',
    'é"\\\n\t\b\f\u0001\u007f日😀',
  ]
  const lines = texts.map((text, i) => ({ id: i % 2 ? `d"${i}` : i, text, url: 'http://x' }))

  it.each([
    { what: 'near', options: {} },
    { what: 'exact', options: { exact: true } },
    { what: 'verified', options: { verify: 0.9 } },
    { what: 'on one thread, on the disk', options: { threads: 1, memoryBytes: 1000 } },
  ])('are those that the verdicts keep, as JSON.stringify writes them: $what', async ({ options }) => {
    const { input, output, folder } = write('docs.jsonl', lines)
    const texts = join(folder, 'kept.jsonl')
    const counts = await dedupFile({ input, output, texts, ...options })
    const kept = read(output).map(({ keep }) => keep)
    expect(kept).toContain(false)
    const expected = lines.filter((_, i) => kept[i]).map(({ id, text }) => JSON.stringify({ id, text }))
    expect(readFileSync(texts, 'utf8')).toBe(`${expected.join('\n')}\n`)
    expect(counts.kept).toBe(expected.length)
    expect(readdirSync(folder).sort()).toEqual(['docs.jsonl', 'kept.jsonl', 'out.jsonl'])
  })

  it('are none of a later run on the same documents with an index, and damaged lines count once', async () => {
    const { input, output, folder } = write('docs.jsonl', lines)
    appendFileSync(input, '{"id": broken\n{"id":"last","text":"a text of its own"}\n')
    const [index, texts] = [join(folder, 'index'), join(folder, 'kept.jsonl')]
    const damages: number[] = []
    const onDamage = () => damages.push(1)
    await dedupFile({ input, output, texts, index, onDamage })
    expect(readFileSync(texts, 'utf8').split('\n').at(-2)).toBe('{"id":"last","text":"a text of its own"}')
    expect(damages).toEqual([1])
    await dedupFile({ input, output, texts, index })
    expect(readFileSync(texts, 'utf8')).toBe('')
  })

  it('have no file where the input changed between the passes, nor have the verdicts', async () => {
    const { input, output, folder } = write('docs.jsonl', lines)
    const texts = join(folder, 'kept.jsonl')
    for (const change of [
      () => writeFileSync(input, '{"text":"a"}\n'),
      () => appendFileSync(input, '{"text":"a"}\n'),
    ]) {
      const onProgress = ({ message }: { message?: string }) => message === 'keys' && change()
      await expect(dedupFile({ input, output, texts, onProgress })).rejects.toMatchObject({ code: 'input' })
      expect(readdirSync(folder)).toEqual(['docs.jsonl'])
    }
  })
})

describe('an index of earlier runs', () => {
  it('makes documents of earlier runs win, and grows', async () => {
    const texts = families(50, new Random(15))
    const { input, output, folder } = write(
      'all.jsonl',
      texts.map((text, id) => ({ id, text })),
    )
    await dedupFile({ input, output })
    const whole = read(output)
    const index = join(folder, 'index')
    const parts: Line[] = []
    for (const [from, to] of [
      [0, 40],
      [40, 41],
      [41, texts.length],
    ]) {
      const part = write(
        'part.jsonl',
        texts.slice(from, to).map((text, i) => ({ id: from + i, text })),
      )
      await dedupFile({ ...part, index, memoryBytes: 1 << 12 })
      parts.push(...read(part.output))
    }
    expect(parts).toEqual(whole)
  })

  it('is as it was when the run ends before its output is there', async () => {
    const { input, output, folder } = write('docs.jsonl', [{ id: 1, text: numbered(0, 50) }])
    const index = join(folder, 'index')
    await expect(dedupFile({ input, output: join(folder, 'no/such/out.jsonl'), index })).rejects.toThrow()
    expect(existsSync(join(index, 'index.json'))).toBe(false)
    await dedupFile({ input, output, index })
    expect(read(output)).toEqual([{ id: 1, keep: true, cluster: 0 }])
    await dedupFile({ input, output, index })
    expect(read(output)).toEqual([{ id: 1, keep: false, cluster: 0 }])
  })

  it('refuses other bands and a changed file', async () => {
    const { input, output, folder } = write('docs.jsonl', [{ id: 1, text: numbered(0, 50) }])
    const index = join(folder, 'index')
    await dedupFile({ input, output, index })
    await expect(dedupFile({ input, output, index, bands: 9 })).rejects.toMatchObject({ code: 'usage' })
    await expect(dedupFile({ input, output, index, verify: 0.8 })).rejects.toMatchObject({ code: 'usage' })
    const segment = join(index, 'segment-000001.keys')
    const bytes = readFileSync(segment)
    bytes[3] ^= 1
    writeFileSync(segment, bytes)
    await expect(dedupFile({ input, output, index })).rejects.toMatchObject({ code: 'damaged' })
  })
})

describe('repeated lines and paragraphs', () => {
  it('go from the documents after those that may have them', async () => {
    const cookies = 'We value your privacy and use cookies'
    const texts = Array.from(
      { length: 40 },
      (_, i) => `${cookies}\nText number ${i} is about ${numbered(i, i + 9)}\n}`,
    )
    const { input, output } = write(
      'docs.jsonl',
      texts.map((text, id) => ({ id, text })),
    )
    const counts = await dedupUnits({ input, output, units: 'lines', occurrences: 3, memoryBytes: 100 })
    const cleaned = read(output) as unknown as { text: string; removed: number }[]
    expect(cleaned.map(({ text }) => text)).toEqual(
      texts.map((text, i) => (i < 3 ? text : text.slice(cookies.length + 1))),
    )
    expect(counts).toMatchObject({ documents: 40, units: 80, removed: 37, repeated: 1, emptied: 0 })
  })
})
