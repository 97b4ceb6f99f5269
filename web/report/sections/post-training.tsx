import { useCallback } from 'preact/hooks'
import type { ReportCurve, RunReport } from '../../../src/report/data.ts'
import { Chart } from '../chart.tsx'
import { drawCurve, type Measure } from '../loss.ts'
import { Section } from '../section.tsx'

export function PostTraining({ report }: { report: RunReport }) {
  const { sft, dpo } = report
  return (
    <Section
      id="post-training"
      title="From base model to chat model"
      lead="Instruction tuning counts the loss of the answers alone; preference tuning (DPO) starts at ln 2 = 0.693, where the model does not yet prefer the chosen answer to the rejected one."
      missing={!sft && !dpo && 'No post-training is done yet.'}
    >
      <div class="side-by-side">
        {sft && <Panel title="Instruction tuning (SFT), loss on answers" curve={sft} />}
        {dpo && <Panel title="Preference tuning (DPO), loss" curve={dpo} />}
        {dpo && has(dpo, 'accuracy') && (
          <Panel title="DPO: share of pairs whose chosen answer gained more" curve={dpo} measure="accuracy" />
        )}
        {dpo && has(dpo, 'margin') && (
          <Panel title="DPO: margin of the rewards (nats)" curve={dpo} measure="margin" />
        )}
      </div>
    </Section>
  )
}

const has = ({ points }: ReportCurve, measure: Measure) =>
  points.some((point) => typeof point[measure] === 'number')

function Panel({ title, curve, measure }: { title: string; curve: ReportCurve; measure?: Measure }) {
  const draw = useCallback(
    (width: number) => drawCurve(curve, width, { measure, height: 230 }),
    [curve, measure],
  )
  return (
    <div class="panel">
      <Chart title={title} label={`${title} over tokens`} draw={draw} />
    </div>
  )
}
