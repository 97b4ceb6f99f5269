// Mixed text in one file {"id","text"}, from everything in ../shared/data: web pages as we extract them, code, small pages
// in many languages, instructions, problems, conversations; about 55 MB.

import { once } from 'node:events'
import { createWriteStream, existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { readLines, readSource } from '../../src/corpus/index.ts'

const FILES = [
  'code-python',
  'commands-multilingual',
  'gsm8k-train',
  'instructions',
  'instructions-t0',
  'preferences',
  'dialogue-trees',
]

export async function mixedCorpus(data: string, folder: string): Promise<string> {
  const path = join(folder, 'mixed.jsonl')
  if (existsSync(path)) return path
  const output = createWriteStream(`${path}.part`)
  let number = 0
  for await (const text of texts(data)) {
    if (!output.write(`${JSON.stringify({ id: `d${number++}`, text })}\n`)) await once(output, 'drain')
  }
  output.end()
  await once(output, 'finish')
  renameSync(`${path}.part`, path)
  return path
}

async function* texts(data: string): AsyncGenerator<string> {
  const source = {
    name: 'pages',
    domain: 'web',
    licence: 'unknown',
    path: 'web-pages.warc.gz',
    reader: 'warc',
  }
  const options = { cacheDir: data, baseDir: data, onDamage: () => {} }
  for await (const batch of readSource(source as never, options)) for (const { text } of batch) yield text
  for (const file of FILES) {
    for await (const lines of readLines(join(data, `${file}.jsonl.gz`))) {
      for (const line of lines) {
        const value = JSON.parse(line.text) as Record<string, unknown>
        const text = typeof value.text === 'string' ? value.text : strings(value).join('\n')
        if (text !== '') yield text
      }
    }
  }
}

function strings(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(strings)
}
