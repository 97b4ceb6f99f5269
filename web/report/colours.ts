import type { RunReport } from '../../src/report/data.ts'

const SERIES = 8

/** One colour for a domain everywhere on the page: by its place among the domains that the run trains on. */
export class Colours {
  readonly domains: readonly string[]

  constructor(report: RunReport) {
    const names = [
      ...report.shards.map((shard) => shard.domain),
      ...report.stages.flatMap((stage) => Object.keys(stage.weights)),
      ...report.baselines.map((baseline) => baseline.domain),
      ...report.evaluations.flatMap((evaluation) => evaluation.heldOut.map((score) => score.domain)),
      ...report.pretraining.heldOut.map((point) => point.domain),
    ]
    this.domains = [...new Set(names)]
  }

  of(domain: string): string {
    return series(Math.max(0, this.domains.indexOf(domain)))
  }
}

export const series = (index: number) => `var(--series-${index % SERIES})`
