import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { gunzipSync } from 'node:zlib'

const root = join(import.meta.dirname, '../..')
const fields = ['text', 'question', 'answer', 'instruction', 'output', 'prompt', 'completion', 'chosen']
const code = new Set(['.ts', '.rs', '.md', '.js', '.mjs', '.cjs', '.json', '.html', '.py', '.yaml'])

/**
 * About so many bytes of mixed texts: shell pages in many languages, Python, word problems and instructions of
 * ../shared/data where it is, then the source and documentation of this repository and of its packages.
 */
export function mixedTexts(bytes: number): string[] {
  const texts: string[] = []
  let left = bytes
  for (const text of everything()) {
    if (left <= 0) break
    texts.push(text)
    left -= Buffer.byteLength(text)
  }
  return texts
}

function* everything(): Generator<string> {
  const data = join(root, '../shared/data')
  for (const name of existsSync(data) ? readdirSync(data).sort() : []) {
    if (name.endsWith('.jsonl.gz')) yield* textsOf(join(data, name))
  }
  for (const folder of ['src', 'native/crates', 'docs', 'test', 'node_modules']) {
    const names = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).sort()
    for (const name of names) {
      if (!code.has(extname(name)) || /\.min\.|\.map$|fixtures/.test(name)) continue
      try {
        const text = readFileSync(join(root, folder, name), 'utf8')
        if (text.length > 0 && text.length < 1e6) yield text
      } catch {
        // A folder with such a name, or a link that leads nowhere.
      }
    }
  }
}

function* textsOf(file: string): Generator<string> {
  for (const line of gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n')) {
    const row = JSON.parse(line) as Record<string, unknown>
    for (const field of fields) {
      const value = row[field]
      if (typeof value === 'string' && value !== '') yield value
    }
  }
}
