// The documents that the filters are compared on: the real input of ../shared/data, a file {"id","text"} for each kind.
import { createReadStream, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createGunzip } from 'node:zlib'
import { readSource } from '../../src/corpus/index.ts'

interface Line {
  [field: string]: unknown
}

/** Writes the files that are not there yet; the answer is their names and paths. */
export async function filtersCorpus(shared: string, folder: string): Promise<[name: string, path: string][]> {
  mkdirSync(folder, { recursive: true })
  const lines = (file: string) => gunzipped(join(shared, `${file}.jsonl.gz`))
  const kinds: Record<string, () => AsyncGenerator<[string, string]>> = {
    'web-pages': () => webPages(shared),
    'code-python': () => texts(lines('code-python'), 'path', 'text'),
    'commands-multilingual': () => texts(everyNth(lines('commands-multilingual'), 20), 'path', 'text'),
    instructions: () => joined(lines('instructions'), ['instruction', 'input', 'output']),
    'instructions-t0': () => joined(everyNth(lines('instructions-t0'), 10), ['prompt', 'completion']),
    dialogue: () => dialogues(lines('dialogue-trees')),
  }
  const files: [string, string][] = []
  for (const [name, documents] of Object.entries(kinds)) {
    const path = join(folder, `${name}.jsonl`)
    files.push([name, path])
    if (existsSync(path)) continue
    let all = ''
    for await (const [id, text] of documents())
      if (text.trim() !== '') all += `${JSON.stringify({ id, text })}\n`
    writeFileSync(path, all)
  }
  return files
}

async function* webPages(shared: string): AsyncGenerator<[string, string]> {
  const source = { name: 'web-pages', domain: 'web', licence: 'unknown', path: 'web-pages.warc.gz' }
  const options = { cacheDir: shared, baseDir: shared, onDamage: () => {} }
  for await (const batch of readSource(source as never, options))
    for (const { id, text } of batch) yield [id, text]
}

async function* texts(
  lines: AsyncIterable<Line>,
  id: string,
  text: string,
): AsyncGenerator<[string, string]> {
  for await (const line of lines) yield [String(line[id]), String(line[text])]
}

async function* joined(lines: AsyncIterable<Line>, fields: string[]): AsyncGenerator<[string, string]> {
  let number = 0
  for await (const line of lines) {
    const parts = fields.map((field) => line[field]).filter((part) => typeof part === 'string' && part !== '')
    yield [String(number++), parts.join('\n\n')]
  }
}

interface Message {
  text: string
  replies?: Message[]
}

async function* dialogues(lines: AsyncIterable<Line>): AsyncGenerator<[string, string]> {
  for await (const tree of lines) {
    const parts: string[] = []
    const walk = ({ text, replies }: Message) => {
      parts.push(text)
      for (const reply of replies ?? []) walk(reply)
    }
    walk(tree.prompt as Message)
    yield [String(tree.message_tree_id), parts.join('\n\n')]
  }
}

async function* everyNth(lines: AsyncIterable<Line>, n: number): AsyncGenerator<Line> {
  let number = 0
  for await (const line of lines) if (number++ % n === 0) yield line
}

async function* gunzipped(path: string): AsyncGenerator<Line> {
  const input = createReadStream(path).pipe(createGunzip())
  for await (const line of createInterface({ input })) yield JSON.parse(line) as Line
}
