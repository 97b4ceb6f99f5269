import { existsSync } from 'node:fs'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { fixtures, readAll, temporaryFolder } from './collect.ts'

const crawl = fileURLToPath(new URL('../../../shared/data/web-pages.warc.gz', import.meta.url))
const goldFile = fileURLToPath(new URL('../../../shared/data/web-pages.gold.json', import.meta.url))

describe('a small crawl', () => {
  test('gives the articles without the furniture of the page', async () => {
    const { documents } = await readAll({ name: 'web', path: 'web.warc.gz' })
    expect(documents).toHaveLength(12)
    for (const { text, url, meta } of documents) {
      expect(url).toMatch(/^https:\/\/almanac\.example\//)
      expect(meta.mime).toBe('text/html')
      for (const unwanted of [
        'cookies',
        'Sign in',
        'newsletter',
        'All rights reserved',
        'dataLayer',
        'Most read',
      ]) {
        expect(text, url).not.toContain(unwanted)
      }
    }
    const texts = documents.map((document) => document.text).join('\n\n')
    for (const wanted of [
      '$ax^2 + bx + c = 0$ with $a \\neq 0$',
      '$$x = \\frac{-b \\pm \\sqrt{b^2 - 4ac}}{2a}$$',
      '\\(x^2 - 5x + 6 = 0\\)',
      '$\\alpha + \\beta + \\gamma = 180^\\circ$',
      '$a^2+b^2=c^2$',
      '$$S_n = a \\frac{1 - r^n}{1 - r}$$',
      'ratio | first term | sum',
      '```python\ndef lower_bound(items, target):\n    low, high = 0, len(items)\n',
      '- worms, which pull leaves into the soil,',
      '“we repair with you.” Coffee costs €2, the repair costs nothing – and',
      'since 1961',
      'After some dozens of flakes',
      'muss am Freitagabend anfangen',
    ]) {
      expect(texts).toContain(wanted)
    }
  })

  test('accounts for the damaged member and for the picture to the byte', async () => {
    const { damages, skipped } = await readAll({ name: 'web', path: 'web.warc.gz' })
    expect(damages.map((damage) => damage.reason)).toEqual([
      'compressed data that cannot be read',
      'no page but image/png',
    ])
    const bytes = await readFile(join(fixtures, 'web.warc.gz'))
    for (const { byteOffset } of damages) expect(bytes.readUInt16BE(byteOffset)).toBe(0x1f8b)
    expect(skipped.sort()).toEqual(['WARC request record', 'WARC warcinfo record'])
  })

  test('reads the same documents from a plain file and its first ones from a file that was cut', async () => {
    const folder = await temporaryFolder()
    const whole = await readFile(join(fixtures, 'web.warc.gz'))
    const expected = await readAll({ name: 'web', path: 'web.warc.gz' })
    // The damaged member cannot be unpacked: take what comes before it.
    const damagedAt = expected.damages[0]!.byteOffset
    const plain = join(folder, 'a.warc')
    await writeFile(plain, gunzipSync(whole.subarray(0, damagedAt)))
    const { documents } = await readAll({ name: 'web', path: plain })
    expect(documents.map((document) => document.text)).toEqual(
      expected.documents.slice(0, documents.length).map((document) => document.text),
    )
    for (const cut of [damagedAt - 10, 3000, 40]) {
      const path = join(folder, 'b.warc.gz')
      await writeFile(path, whole.subarray(0, cut))
      const read = await readAll({ name: 'web', path })
      const last = read.damages.at(-1)!
      expect(last.byteOffset + last.bytesLost).toBe(cut)
      expect(read.documents.length).toBeLessThan(expected.documents.length)
    }
  })

  test('HTML files and WET records are read too', async () => {
    const folder = await temporaryFolder()
    await writeFile(
      join(folder, 'page.html'),
      '<html lang=en><title>T</title><body><nav>Menu</nav><p>One paragraph of the page.</p></body></html>',
    )
    const body = 'Plain text of a page.'
    await writeFile(
      join(folder, 'a.warc'),
      `WARC/1.0\r\nWARC-Type: conversion\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n${body}\r\n\r\n`,
    )
    const { documents, damages } = await readAll({ name: 'web', path: folder })
    expect(damages).toEqual([])
    expect(documents.map((document) => document.text).sort()).toEqual(['One paragraph of the page.', body])
    const page = documents.find((document) => document.meta.path === 'page.html')
    expect(page?.meta).toMatchObject({ title: 'T', declaredLanguage: 'en', charset: 'UTF-8' })
  })
})

describe.skipIf(!existsSync(crawl))('470 real pages (skipped where the shared data is absent)', () => {
  test('every page is accounted for and the main text is found', async () => {
    const { documents, damages, skipped } = await readAll({ name: 'pages', path: crawl })
    expect(documents.length + damages.length).toBe(470)
    expect(skipped).toEqual([])
    const size = (await stat(crawl)).size
    for (const { byteOffset, bytesLost } of damages) expect(byteOffset + bytesLost).toBeLessThanOrEqual(size)
    const gold = JSON.parse(await readFile(goldFile, 'utf8')) as {
      url: string
      with: string[]
      without: string[]
    }[]
    const texts = new Map(documents.map((document) => [document.url, document.text]))
    let [kept, missed, leaked] = [0, 0, 0]
    for (const page of gold) {
      const text = texts.get(page.url) ?? ''
      for (const wanted of page.with) text.includes(wanted) ? kept++ : missed++
      for (const unwanted of page.without) if (text.includes(unwanted)) leaked++
    }
    const [precision, recall] = [kept / (kept + leaked), kept / (kept + missed)]
    // trafilatura has .919 on these pages; `npm run bench -- curate --stage extraction` runs both.
    expect((2 * precision * recall) / (precision + recall)).toBeGreaterThan(0.919)
  })
})
