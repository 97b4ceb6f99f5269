import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { CorpusKernels } from '../../src/corpus/kernels.ts'
import { loadAddon } from '../../src/native/addon.ts'
import { readAll, temporaryFolder } from './collect.ts'

const line = (text: string) => `${JSON.stringify({ text })}\n`
const zstd = (bytes: Buffer) => loadAddon<CorpusKernels>().zstdCompress(bytes, 3)

/** Text that does not compress away, so that every member has some thousand bytes. */
function noise(n: number, lines: number): Buffer {
  let x = n + 1
  const word = () => {
    x = (x * 48271) % 2147483647
    return x.toString(36)
  }
  return Buffer.from(
    Array.from({ length: lines }, (_, i) =>
      line(`${n}.${i} ${Array.from({ length: 20 }, word).join(' ')}`),
    ).join(''),
  )
}

async function readFileOf(name: string, bytes: Buffer, source: Record<string, unknown> = {}) {
  const path = join(await temporaryFolder(), name)
  await writeFile(path, bytes)
  return readAll({ name: 'a', path, ...source })
}

describe('damage in JSON lines', () => {
  for (const [name, pack] of [
    ['a.jsonl.gz', gzipSync],
    ['a.jsonl.zst', zstd],
  ] as const) {
    const members = [0, 1, 2, 3].map((n) => pack(noise(n, 100)))
    const second = members[0]!.length + members[1]!.length

    test(`a changed member of ${name} costs its own lines, and those behind it are read`, async () => {
      const bytes = Buffer.concat(members)
      for (let i = 0; i < 12; i++) bytes[second + 3000 + i]! ^= 0x5a
      const { documents, damages } = await readFileOf(name, bytes)
      const ofMember = (n: number) => documents.filter(({ text }) => text.startsWith(`${n}.`)).length
      expect([ofMember(0), ofMember(1), ofMember(3)]).toEqual([100, 100, 100])
      expect(ofMember(2)).toBeLessThan(100)
      const { byteOffset, bytesLost } = damages.find(({ reason }) => reason.startsWith('compressed data'))!
      expect(byteOffset).toBeGreaterThanOrEqual(second)
      expect(byteOffset + bytesLost).toBe(second + members[2]!.length)
    })

    test(`garbage between members of ${name}, a cut end and a damaged start are told to the byte`, async () => {
      const garbage = await readFileOf(name, Buffer.concat([members[0]!, Buffer.alloc(500, 9), members[1]!]))
      expect(garbage.documents).toHaveLength(200)
      expect(garbage.damages).toMatchObject([{ byteOffset: members[0]!.length, bytesLost: 500 }])
      const whole = Buffer.concat(members)
      const cut = await readFileOf(name, whole.subarray(0, -100))
      expect(cut.documents.length).toBeGreaterThanOrEqual(300)
      expect(cut.damages.at(-1)!.byteOffset + cut.damages.at(-1)!.bytesLost).toBe(whole.length - 100)
      const headless = Buffer.concat(members)
      headless.fill(0, 0, 6)
      const rest = await readFileOf(name, headless)
      expect(rest.documents).toHaveLength(300)
      expect(rest.damages).toMatchObject([{ byteOffset: 0, bytesLost: members[0]!.length }])
    })
  }

  test('a file named .gz that is plain is read as it is', async () => {
    expect((await readFileOf('a.jsonl.gz', noise(1, 10))).documents).toHaveLength(10)
  })

  test('a line of 100 MB is one damage and does not fill the memory, not even out of a bomb of 100 kB', async () => {
    const long = Buffer.alloc(100 << 20, 0x20)
    const whole = Buffer.concat([
      Buffer.from(line('before')),
      long,
      Buffer.from('\n'),
      Buffer.from(line('after')),
    ])
    const packed = gzipSync(whole)
    expect(packed.length).toBeLessThan(200_000)
    for (const [name, bytes] of [
      ['a.jsonl', whole],
      ['a.jsonl.gz', packed],
    ] as const) {
      const { documents, damages } = await readFileOf(name, bytes)
      expect(documents.map(({ text }) => text)).toEqual(['before', 'after'])
      expect(damages).toMatchObject([
        { byteOffset: line('before').length, bytesLost: 100 << 20, reason: 'line 2: longer than 64 MiB' },
      ])
    }
  })

  test('bytes that are no UTF-8, runs of zeros and half surrogate pairs are replaced or passed over, and counted', async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"text":"caf'),
      Buffer.from([0xe9, 0x20, 0xff]),
      Buffer.from(' and a real \uFFFD"}\n'),
      Buffer.alloc(4096),
      Buffer.from(line('behind zeros')),
      Buffer.alloc(100),
      Buffer.from('\n{"text":"half \\ud83d of a pair and \\u0000"}\n'),
    ])
    const { documents, damages } = await readFileOf('a.jsonl', bytes)
    expect(documents.map(({ text, meta }) => [text, meta.replaced])).toEqual([
      ['caf\uFFFD \uFFFD and a real \uFFFD', 2],
      ['behind zeros', undefined],
      ['half \uFFFD of a pair and \uFFFD', 2],
    ])
    expect(damages.map(({ bytesLost, reason }) => [bytesLost, reason])).toEqual([
      [4096, 'line 2: zero bytes'],
      [100, 'line 3: zero bytes'],
    ])
    for (const { byteOffset, bytesLost } of damages) {
      expect(bytes.subarray(byteOffset, byteOffset + bytesLost).every((byte) => byte === 0)).toBe(true)
    }
  })
})

describe('damage in WARC files', () => {
  const record = (n: number, body: string, more = '') =>
    Buffer.from(
      `WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: http://a.example/${n}\r\nContent-Type: text/plain\r\n${more}` +
        `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}\r\n\r\n`,
    )

  test('a bomb of 200 MB is refused at the limit and its neighbours are read', async () => {
    const bomb = gzipSync(record(1, ' '.repeat(200 << 20)))
    expect(bomb.length).toBeLessThan(300_000)
    const before = gzipSync(record(0, 'before'))
    const bytes = Buffer.concat([before, bomb, gzipSync(record(2, 'after'))])
    const { documents, damages } = await readFileOf('a.warc.gz', bytes)
    expect(documents.map(({ text }) => text)).toEqual(['before', 'after'])
    expect(damages).toMatchObject([
      { byteOffset: before.length, bytesLost: bomb.length, reason: 'a record larger than the limit' },
    ])
  })

  test('zeros and garbage between records cost what they are, and records that hold no page are skipped by kind', async () => {
    const revisit = Buffer.from(
      'WARC/1.1\r\nWARC-Type: revisit\r\nWARC-Target-URI: http://a.example/r\r\nContent-Length: 0\r\n\r\n\r\n\r\n',
    )
    const parts = [
      record(0, 'first'),
      Buffer.alloc(3000),
      record(1, 'second', 'WARC-Date: 2024-05-01T00:00:00Z\r\n'),
      revisit,
    ]
    const { documents, damages, skipped } = await readFileOf(
      'a.warc',
      Buffer.concat([...parts, record(2, 'third')]),
    )
    expect(documents.map(({ text }) => text)).toEqual(['first', 'second', 'third'])
    expect(documents[1]?.meta.date).toBe('2024-05-01T00:00:00Z')
    expect(damages).toMatchObject([{ byteOffset: parts[0]!.length, bytesLost: 3000 }])
    expect(skipped).toEqual(['WARC revisit record'])
  })

  test('frames made with the dictionary at the start of the file are read', async () => {
    // A dictionary of plain content is one of zstd's two kinds; frames that do not use it are read beside it.
    const dictionary = record(0, 'some text that records have in common')
    const frame = Buffer.alloc(8)
    frame.writeUInt32LE(0x184d2a5d, 0)
    frame.writeUInt32LE(dictionary.length, 4)
    const bytes = Buffer.concat([frame, dictionary, zstd(record(0, 'first')), zstd(record(1, 'second'))])
    const { documents, damages } = await readFileOf('a.warc.zst', bytes)
    expect(damages).toEqual([])
    expect(documents.map(({ text }) => text)).toEqual(['first', 'second'])
  })
})
