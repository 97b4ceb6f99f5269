import { rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Damage, readSource, type SourceConfig } from '../../src/corpus/index.ts'
import { loadAddon } from '../../src/native/addon.ts'
import type { FuzzedReader } from './readers.ts'

/**
 * Corpus files: what cannot be read is a damage with its place and never ends a run, texts are well-formed, and a page
 * ends in its time. Parquet is not among them: its decoder has loops without an end, which only compiled code guards.
 */
export function corpusReaders(): FuzzedReader[] {
  const pages = PAGES.map((page) => Buffer.from(page))
  const records = [...pages.map(httpRecord), warcRecord('warcinfo', Buffer.from('software: none\r\n'))]
  const lines = PAGES.map((text, i) =>
    JSON.stringify({ id: `p${i}`, text, url: `https://a.example/${i}`, n: i }),
  )
  const { zstdCompress } = loadAddon<{ zstdCompress(bytes: Uint8Array, level: number): Buffer }>()
  const plain = Buffer.from(`${lines.join('\n')}\n`)
  return [
    corpusReader('html', [...pages, latinPage()]),
    corpusReader('warc', [Buffer.concat(records), records[0]]),
    corpusReader('warc.gz', [Buffer.concat(records.map((record) => gzipSync(record)))]),
    corpusReader('warc.zst', [Buffer.concat(records.map((record) => zstdCompress(record, 3)))]),
    corpusReader('jsonl', [plain]),
    corpusReader('jsonl.gz', [gzipSync(plain), Buffer.concat(lines.map((line) => gzipSync(`${line}\n`)))]),
    corpusReader('jsonl.zst', [
      Buffer.concat(lines.map((line) => zstdCompress(Buffer.from(`${line}\n`), 3))),
    ]),
  ]
}

function corpusReader(kind: string, seeds: readonly Uint8Array[]): FuzzedReader {
  const file = join(tmpdir(), `smolforge-fuzz-${process.pid}.${kind}`)
  const reader = kind.split('.')[0] as NonNullable<SourceConfig['reader']>
  return { name: kind, seeds, file, read: (bytes) => readCorpus(file, reader, bytes) }
}

/** A page takes milliseconds; one that comes near this hangs. */
const MAX_MILLISECONDS = 5000

async function readCorpus(
  file: string,
  reader: NonNullable<SourceConfig['reader']>,
  bytes: Uint8Array,
): Promise<boolean> {
  writeFileSync(file, bytes)
  const packed = /\.(gz|zst)$/.test(file)
  let documents = 0
  const check = ({ file: named, byteOffset, bytesLost, reason }: Damage) => {
    if (named !== file || reason === '' || reason.length > 500)
      throw new Error(`an unclear damage: ${reason}`)
    // Places in packed lines are counted in what is unpacked.
    const end = packed ? Number.POSITIVE_INFINITY : bytes.length
    if (!(byteOffset >= 0 && bytesLost >= 0 && byteOffset + bytesLost <= end)) {
      throw new Error(`a damage of ${bytesLost} bytes at ${byteOffset} of ${bytes.length}`)
    }
  }
  const options = {
    cacheDir: tmpdir(),
    baseDir: '/',
    onDamage: check,
    onQuarantine: ({ id }: { id: string }) => {
      throw new Error(`${id} took too long`)
    },
    extraction: { threads: 1, maxMilliseconds: MAX_MILLISECONDS },
  }
  try {
    const source = { name: 'fuzz', domain: 'web', licence: 'unknown', path: file, reader }
    for await (const batch of readSource(source, options)) {
      for (const { text, id } of batch) {
        if (text === '' || /\p{Surrogate}/u.test(text) || text.includes('\0'))
          throw new Error(`${id}: no sound text`)
        documents++
      }
    }
  } finally {
    rmSync(file)
  }
  return documents > 0
}

function warcRecord(type: string, payload: Uint8Array, more = ''): Buffer {
  const head =
    `WARC/1.0\r\nWARC-Type: ${type}\r\nWARC-Target-URI: https://a.example/page\r\nWARC-Date: 2024-01-01T00:00:00Z\r\n` +
    `WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000000>\r\n${more}Content-Length: ${payload.length}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), payload, Buffer.from('\r\n\r\n')])
}

function httpRecord(page: Uint8Array): Buffer {
  const chunked = Buffer.concat([
    Buffer.from(`${page.length.toString(16)}\r\n`),
    page,
    Buffer.from('\r\n0\r\n\r\n'),
  ])
  const head =
    'HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n'
  return warcRecord(
    'response',
    Buffer.concat([Buffer.from(head), chunked]),
    'Content-Type: application/http; msgtype=response\r\n',
  )
}

/** Bytes that are no UTF-8, in the charset that the page names. */
function latinPage(): Buffer {
  const text =
    'Über die Flüsse führen Brücken, und über die größte fährt täglich der Zug nach Süden. '.repeat(4)
  return Buffer.from(
    `<html><head><meta charset="iso-8859-1"></head><body><p>${text}</p></body></html>`,
    'latin1',
  )
}

const SENTENCES =
  'The river rises in the hills and runs to the sea, past four towns and a mill that no longer turns. ' +
  'Its water was measured every spring for ninety years, and the tables are kept in the library. '
const PAGES = [
  `<!doctype html><html lang="en"><head><title>Rivers &amp; mills</title><meta charset="utf-8"><style>p{color:red}</style>
<script>if (a < b) document.write("<p>no text</p>")</script></head><body><nav><ul><li><a href="/">Home</a></li></ul></nav>
<article><h1>The river</h1><p>${SENTENCES}</p><!-- a comment --><p>${SENTENCES}<b>bold<i>both</b>italic</i></p>
<table><tr><th>Year</th><th>Depth</th></tr><tr><td>1901</td><td>2.5&nbsp;m</td></tr></table>
<ol><li>One</li><li>Two<ul><li>Inner</li></ul></li></ol><pre><code class="language-python">def f(x):
    return x &lt; 3
</code></pre></article><footer>All rights reserved</footer></body></html>`,
  `<html><body><main><p>${SENTENCES}</p><p>Take <math><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow>
<annotation encoding="application/x-tex">x^2</annotation></semantics></math> and <script type="math/tex">\\frac{1}{2}</script>,
<span class="katex"><span class="katex-mathml"><math><msqrt><mi>y</mi></msqrt></math></span><span class="katex-html">y</span></span>
or \\(a+b\\) and <img alt="$\\sum_i i$" src="x.png">.</p><div class="comment"><p>A reader wrote this.</p></div>
<svg><text>drawn</text></svg><template><p>not shown</p></template><textarea>typed</textarea><p>${SENTENCES}</p></main></body></html>`,
  `<body><div><div><div><p>${SENTENCES}<p>${SENTENCES}<br>end &#x1F600; &copy; &notanentity; &#0; &#xD800;</div></div>
<select><option>a<option>b</select><frameset><noscript><p>for others</p></noscript><plaintext>all the rest <p>is text`,
  '日本語の文章です。川は山から海へ流れます。水の深さは毎年測られました。表は図書館にあります。'.repeat(4),
]
