// llama.cpp's side of `bench infer`, through node-llama-cpp in FOLDER: node llamaCpp.mjs MODEL THREADS FOLDER
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [file, threads, folder] = process.argv.slice(2)
const entry = createRequire(join(folder, 'package.json')).resolve('node-llama-cpp')
const { getLlama } = await import(pathToFileURL(entry).href)
const llama = await getLlama({ gpu: false, build: 'never', skipDownload: true, logLevel: 'error' })
const model = await llama.loadModel({ modelPath: file })
const context = await model.createContext({ contextSize: 1024, batchSize: 512, threads: Number(threads) })
const sequence = context.getSequence()

const tasks = {
  async first() {
    for await (const _ of sequence.evaluate(model.tokenize('The sea is'), { temperature: 0 })) break
    return performance.now()
  },
  async prefill(tokens) {
    await sequence.clearHistory()
    const started = performance.now()
    for await (const _ of sequence.evaluate(prompt(tokens), { temperature: 0 })) break
    return performance.now() - started
  },
  async decode(tokens) {
    await sequence.clearHistory()
    let made = 0
    let started = 0
    for await (const _ of sequence.evaluate(prompt(64), { temperature: 0, yieldEogToken: true })) {
      if (made === 0) started = performance.now()
      if (made++ === tokens) break
    }
    return performance.now() - started
  },
  hello: () => ({ version: `llama.cpp (node-llama-cpp, ${llama.llamaCppRelease.release})` }),
}

function prompt(tokens) {
  return Array.from({ length: tokens }, (_, i) => 1000 + ((i * 7919) % 40_000))
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, argument] = line.split(' ')
  const value = await tasks[name](Number(argument))
  const peakRssBytes = process.resourceUsage().maxRSS * 1024
  process.stdout.write(`${JSON.stringify({ value, peakRssBytes })}\n`)
}
process.exit(0)
