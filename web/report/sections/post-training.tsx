import { useCallback } from 'preact/hooks'
import type { ReportCurve, RunReport } from '../../../src/report/data.ts'
import { Chart } from '../chart.tsx'
import { drawLoss } from '../loss.ts'
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
      </div>
    </Section>
  )
}

function Panel({ title, curve }: { title: string; curve: ReportCurve }) {
  const draw = useCallback((width: number) => drawLoss(curve, [], width, 230), [curve])
  return (
    <div class="panel">
      <Chart title={title} label={`${title} over tokens`} draw={draw} />
    </div>
  )
}
