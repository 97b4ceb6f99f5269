import { expectTypeOf, it } from 'vitest'
import type { DropCounts, Funnel } from '../../src/curate/index.ts'
import type { BaselineScores, HeldOutScore, Sample, Score } from '../../src/eval/index.ts'
import type { Ablation, LedgerEntry } from '../../src/mixture/index.ts'
import type { RunReport } from '../../src/report/index.ts'
import type { Sampler } from '../../src/shards/index.ts'
import type { HeldOutMetrics, TrainMetrics } from '../../src/train/index.ts'

it('reads what the other rooms write: a renamed field fails to compile here, not silently in a report', () => {
  expectTypeOf<Funnel>().toExtend<RunReport['funnel'][number]>()
  expectTypeOf<DropCounts>().toExtend<RunReport['funnel'][number]['dropped'][string]>()
  expectTypeOf<BaselineScores>().toExtend<RunReport['baselines'][number]>()
  expectTypeOf<Score>().toExtend<RunReport['evaluations'][number]['scores'][number]>()
  expectTypeOf<HeldOutScore>().toExtend<RunReport['evaluations'][number]['heldOut'][number]>()
  expectTypeOf<Sample>().toExtend<RunReport['evaluations'][number]['samples'][number]>()
  expectTypeOf<LedgerEntry>().toExtend<RunReport['ledger'][number]>()
  expectTypeOf<Ablation>().toExtend<NonNullable<RunReport['ablation']>>()
  expectTypeOf<ReturnType<Sampler['filled']>>().toExtend<NonNullable<RunReport['stages'][number]['rows']>>()
  expectTypeOf<TrainMetrics>().toExtend<RunReport['pretraining']['points'][number]>()
  expectTypeOf<HeldOutMetrics>().toExtend<RunReport['pretraining']['heldOut'][number]>()
})
