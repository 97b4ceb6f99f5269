/**
 * Damaged files of checkpoints and corpora by the million against their readers; whatever is neither accepted as sound nor refused by
 * a clear error is written to a file: `npm run bench -- fuzz [--reader gguf] [--iterations 3000000] [--seed 1]`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Random } from '../src/random/random.ts'
import { fuzz, fuzzedReaders } from './fuzz/readers.ts'

const { values: options } = parseArgs({
  options: {
    reader: { type: 'string', default: fuzzedReaders.map(({ name }) => name).join() },
    iterations: { type: 'string', default: '300000' },
    seed: { type: 'string', default: '1' },
    output: { type: 'string', default: join(tmpdir(), 'smolforge-fuzz') },
  },
})
const iterations = Number(options.iterations)
const ROUND = 50_000

for (const name of options.reader.split(',')) {
  const reader = fuzzedReaders.find((candidate) => candidate.name === name)
  if (reader === undefined)
    throw new Error(`unknown reader ${name}: ${fuzzedReaders.map((r) => r.name).join(', ')}`)
  const start = performance.now()
  let [accepted, refused, failed, slowestMs, peakBytes] = [0, 0, 0, 0, 0]
  // Each round grows a small corpus of its own, so that a long run does not stay where its first files lead.
  for (let done = 0; done < iterations && failed === 0; done += ROUND) {
    const random = Random.derive(Number(options.seed), `${name}/${done}`)
    const result = await fuzz(reader, Math.min(ROUND, iterations - done), random)
    accepted += result.accepted
    refused += result.refused
    failed += result.failures.length
    slowestMs = Math.max(slowestMs, result.slowest.elapsedMs)
    peakBytes = Math.max(peakBytes, process.memoryUsage.rss())
    for (const { input, error } of result.failures) {
      mkdirSync(options.output, { recursive: true })
      const file = join(options.output, `${name}-${failed}-${done}-${input.length}`)
      writeFileSync(file, input)
      console.log(file, error)
    }
  }
  const seconds = (performance.now() - start) / 1000
  console.log(
    `${name}: ${accepted + refused + failed} files in ${seconds.toFixed(0)} s, ${accepted} accepted, ${refused} refused, ` +
      `${failed} failures; slowest ${slowestMs.toFixed(1)} ms, resident ${(peakBytes / 2 ** 20).toFixed(0)} MiB`,
  )
  if (failed > 0) process.exitCode = 1
}
