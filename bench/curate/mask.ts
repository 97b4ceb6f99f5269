// npm run bench -- curate --stage mask [--input DOCUMENTS.jsonl.gz]... [--python PYTHON] [--threads 1,2]
// Masking of mail and IP addresses beside datatrove's PIIFormatter on the same texts: how many come out the same, and
// at what speed; then everything that we mask. Medians of three; one core of datatrove.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { readLines } from '../../src/corpus/index.ts'
import { piiRule, type Rule, secretsRule, type Verdict } from '../../src/curate/index.ts'
import { median } from '../figures/median.ts'

const shared = join(import.meta.dirname, '../../../shared/data')
const { values } = parseArgs({
  options: {
    input: {
      type: 'string',
      multiple: true,
      default: ['instructions-t0', 'gsm8k-train', 'commands-multilingual', 'code-python'].map((name) =>
        join(shared, `${name}.jsonl.gz`),
      ),
    },
    python: { type: 'string' },
    threads: { type: 'string', default: '1' },
  },
})

for (const input of values.input) {
  const texts = await textsOf(input)
  const megabytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0) / 1e6
  say(`\n${basename(input)}: ${texts.length} texts, ${megabytes.toFixed(1)} MB`)
  let ours: string[] = []
  for (const threads of values.threads.split(',').map(Number)) {
    const run = async (name: string, rules: readonly Rule[]) => {
      const { seconds, masked } = await timed(texts, rules)
      const changed = masked.filter((text, i) => text !== texts[i]).length
      say(`  ${name}, ${threads} threads: ${(megabytes / seconds).toFixed(0)} MB/s, ${changed} texts changed`)
      return masked
    }
    ours = await run('mail and IP', [piiRule({ removePhones: false, threads })])
    await run('mail, IP, telephone, secrets', [piiRule({ threads }), secretsRule({ threads })])
  }
  if (values.python === undefined) continue
  const { seconds, masked } = datatrove(values.python, texts)
  const same = masked.filter((text, i) => text === ours[i]).length
  const changed = masked.filter((text, i) => text !== texts[i]).length
  say(`  datatrove, mail and IP: ${(megabytes / seconds).toFixed(1)} MB/s, ${changed} texts changed`)
  say(`  the same text from both: ${same} of ${texts.length}`)
}

async function timed(texts: readonly string[], rules: readonly Rule[]) {
  const times: number[] = []
  let masked: string[] = []
  for (let round = 0; round < 3; round++) {
    const start = performance.now()
    masked = [...texts]
    for (const rule of rules) {
      const verdicts = await rule.judge(masked.map(documentOf))
      verdicts.forEach((verdict, i) => {
        masked[i] = changedText(verdict) ?? masked[i]
      })
    }
    times.push((performance.now() - start) / 1000)
  }
  return { seconds: median(times), masked }
}

function documentOf(text: string) {
  return { id: '', text, source: '', licence: '', scores: {}, meta: {} }
}

function changedText(verdict: Verdict): string | undefined {
  return verdict.keep ? verdict.changes?.text : undefined
}

function datatrove(python: string, texts: readonly string[]): { seconds: number; masked: string[] } {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-bench-'))
  writeFileSync(join(folder, 'texts.json'), JSON.stringify(texts))
  execFileSync(python, [join(import.meta.dirname, 'mask.py'), folder], { stdio: 'inherit' })
  return JSON.parse(readFileSync(join(folder, 'masked.json'), 'utf8'))
}

/** The text of each line, or all its strings where it has none. */
async function textsOf(path: string): Promise<string[]> {
  const texts: string[] = []
  for await (const lines of readLines(path)) {
    for (const { text } of lines) {
      if (text === '') continue
      const line = JSON.parse(text) as Record<string, unknown>
      const strings = Object.values(line).filter((value) => typeof value === 'string')
      texts.push(typeof line.text === 'string' ? line.text : strings.join('\n'))
    }
  }
  return texts
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
