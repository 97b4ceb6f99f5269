import { percentileInterval, resample } from '../eval/index.ts'
import { Random } from '../random/random.ts'
import type { AblationDifference, AblationRun } from './ablation.ts'

const RESAMPLES = 1000

/**
 * Candidate minus control for each domain, the mean over domains, and each task: 95 % intervals by a paired
 * bootstrap that draws seeds and documents (or items) with replacement, the same ones for both arms.
 */
export function differences(runs: readonly AblationRun[], seeds: readonly number[]): AblationDifference[] {
  const pairs = seeds.map((seed) => ({
    control: find(runs, 'control', seed),
    candidate: find(runs, 'candidate', seed),
  }))
  const { heldOut, scores = [] } = pairs[0].control
  const byDomain = heldOut.map(({ domain, documents }, d) =>
    compare(pairs, 'bits per byte', domain, [documents.length], (run, [units]) => bitsOf(run, d, units)),
  )
  const sizes = heldOut.map(({ documents }) => documents.length)
  // Documents are drawn within each domain, the domains count alike.
  const meanOfDomains = (run: AblationRun, units: readonly Uint32Array[]) =>
    units.reduce((sum, own, d) => sum + bitsOf(run, d, own), 0) / units.length
  const all = sizes.length > 1 ? [compare(pairs, 'bits per byte', 'all domains', sizes, meanOfDomains)] : []
  const tasks = scores.flatMap(({ task, metric, outcomes }, t) =>
    outcomes === undefined || metric === 'bits per byte'
      ? []
      : [compare(pairs, metric, task, [outcomes.length], (run, [units]) => shareRight(run, t, units))],
  )
  return [...byDomain, ...all, ...tasks]
}

interface Pair {
  control: AblationRun
  candidate: AblationRun
}

function compare(
  pairs: readonly Pair[],
  measure: AblationDifference['measure'],
  subject: string,
  sizes: readonly number[],
  statistic: (run: AblationRun, units: readonly Uint32Array[]) => number,
): AblationDifference {
  const random = Random.derive(0, `ablation ${measure} ${subject}`)
  const mean = (chosen: readonly Pair[], of: (pair: Pair) => number) =>
    chosen.reduce((sum, pair) => sum + of(pair), 0) / chosen.length
  const all = sizes.map((size) => Uint32Array.from({ length: size }, (_, i) => i))
  const control = mean(pairs, (pair) => statistic(pair.control, all))
  const candidate = mean(pairs, (pair) => statistic(pair.candidate, all))
  const resampled = Array.from({ length: RESAMPLES }, () => {
    const chosen = pairs.map(() => random.pick(pairs))
    const units = sizes.map((size) => resample(size, random))
    return mean(chosen, (pair) => statistic(pair.candidate, units) - statistic(pair.control, units))
  })
  const { low, high } = percentileInterval(resampled)
  const difference = candidate - control
  const better = measure === 'bits per byte' ? difference < 0 : difference > 0
  const significant = low > 0 || high < 0
  return { measure, subject, control, candidate, difference, low, high, significant, better }
}

function bitsOf(run: AblationRun, domain: number, units: Uint32Array): number {
  const { documents } = run.heldOut[domain]
  let bits = 0
  let bytes = 0
  for (const unit of units) {
    bits += documents[unit].bits
    bytes += documents[unit].bytes
  }
  return bytes === 0 ? 0 : bits / bytes
}

function shareRight(run: AblationRun, task: number, units: Uint32Array): number {
  const outcomes = run.scores?.[task]?.outcomes ?? []
  return units.reduce((sum, unit) => sum + (outcomes[unit] ?? 0), 0) / Math.max(1, units.length)
}

function find(runs: readonly AblationRun[], arm: AblationRun['arm'], seed: number): AblationRun {
  const found = runs.find((run) => run.arm === arm && run.seed === seed)
  if (found === undefined) throw new RangeError(`there is no run of the ${arm} arm with seed ${seed}`)
  return found
}
