// smolforge's side of `bench infer`: one JSON line for each line asked. node smolforge.mjs MODEL THREADS DTYPE
import { createInterface } from 'node:readline'

const [file, threads, dtype] = process.argv.slice(2)
const root = new URL('../../dist/', import.meta.url)
const { LanguageModel } = await import(new URL('model/index.js', root).href)
const { configure, engineInfo, engineProfile } = await import(new URL('tensor/index.js', root).href)
configure({ threads: Number(threads), precision: dtype })
const model = await LanguageModel.open(file)
const generate = (ids, maxTokens) => model.generate(ids, { maxTokens, temperature: 0, stopIds: [] })

const tasks = {
  /** Milliseconds from the start of the process to the first token after a short prompt. */
  first() {
    generate(model.tokenizer.encode('The sea is'), 1).next()
    return performance.now()
  },
  /** Milliseconds for a prompt of this many tokens, the choice of the next one included. */
  prefill(tokens) {
    const made = generate(prompt(tokens), 1)
    const started = performance.now()
    made.next()
    const elapsed = performance.now() - started
    made.return()
    return elapsed
  },
  /** Milliseconds for this many tokens, one at a time, after a prompt of 64. */
  decode(tokens) {
    const made = generate(prompt(64), tokens + 1)
    made.next()
    const started = performance.now()
    for (let i = 0; i < tokens; i++) made.next()
    const elapsed = performance.now() - started
    made.return()
    return elapsed
  },
  profile: () => engineProfile({ reset: true }),
  hello: () => ({ version: 'smolforge', isa: engineInfo().isa, cpu: engineInfo().cpu }),
}

function prompt(tokens) {
  return Uint32Array.from({ length: tokens }, (_, i) => 1000 + ((i * 7919) % 40_000))
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = line.split(' ')
  const value = tasks[name](Number(argument))
  const peakRssBytes = process.resourceUsage().maxRSS * 1024
  process.stdout.write(`${JSON.stringify({ value, peakRssBytes })}\n`)
}
