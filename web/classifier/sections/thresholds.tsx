import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { ClassifierReport } from '../../../src/report/classifierData.ts'
import { Chart, Legend } from '../../report/chart.tsx'
import { percent, plain } from '../../report/format.ts'
import { Section, Table } from '../../report/section.tsx'

const LINES = [
  { name: 'precision', colour: 'var(--series-0)', field: 'precision' },
  { name: 'recall', colour: 'var(--series-1)', field: 'recall' },
  { name: 'F1', colour: 'var(--series-2)', field: 'f1' },
  { name: 'kept', colour: 'var(--faint)', field: 'kept' },
] as const

export function Thresholds({ report }: { report: ClassifierReport }) {
  const { evaluation, threshold } = report
  const { thresholds, heldOutExamples } = evaluation
  const draw = useCallback((width: number) => drawLines(report, width), [report])
  const nearest = thresholds.reduce(
    (best, row, i) =>
      Math.abs(row.threshold - threshold) < Math.abs((thresholds[best]?.threshold ?? 0) - threshold)
        ? i
        : best,
    0,
  )
  return (
    <Section
      id="thresholds"
      title="What a threshold keeps and loses"
      lead={`On ${heldOutExamples} examples with labels that the classifier did not learn from. Good is a label at or above ${plain(evaluation.threshold)}: precision is how much of what is kept is good, recall how much of what is good is kept.`}
      missing={heldOutExamples === 0 && 'No examples were held out.'}
    >
      <div class="panel">
        <Legend items={LINES.map(({ name, colour }) => ({ name, colour, shape: 'line' as const }))} />
        <Chart label="Precision, recall, F1 and kept share by threshold" draw={draw} />
      </div>
      <div style={{ height: '16px' }} />
      <Table label="What each threshold keeps and loses">
        <thead>
          <tr>
            <th class="number">threshold</th>
            <th class="number">kept</th>
            <th class="number">good of the kept</th>
            <th class="number">good lost</th>
            <th class="number">F1</th>
            <th class="number">mean label of the kept</th>
          </tr>
        </thead>
        <tbody>
          {thresholds.map((row, i) => (
            <tr key={row.threshold} class={i === nearest ? 'chosen' : ''}>
              <td class="number">{plain(row.threshold)}</td>
              <td class="number">{percent(row.kept)}</td>
              <td class="number">{row.kept > 0 ? percent(row.precision) : '–'}</td>
              <td class="number">{percent(1 - row.recall)}</td>
              <td class="number">{percent(row.f1)}</td>
              <td class="number">{row.kept > 0 ? plain(row.meanLabelKept) : '–'}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </Section>
  )
}

function drawLines({ evaluation, threshold, lowest, highest }: ClassifierReport, width: number): Element {
  const points = LINES.flatMap(({ name, colour, field }) =>
    evaluation.thresholds
      .filter((row) => field !== 'precision' || row.kept > 0)
      .map((row) => ({ name, colour, threshold: row.threshold, value: row[field] })),
  )
  const title = (point: { name: string; threshold: number; value: number }) =>
    `${point.name} at ${plain(point.threshold)}: ${percent(point.value)}`
  return Plot.plot({
    width,
    height: 300,
    marginBottom: 40,
    x: { label: 'threshold', domain: [lowest, highest], ticks: Math.max(3, Math.floor(width / 100)) },
    y: { label: null, domain: [0, 1], grid: true, tickFormat: '%' },
    marks: [
      Plot.ruleX(threshold >= lowest && threshold <= highest ? [threshold] : [], {
        stroke: 'var(--accent)',
        strokeDasharray: '4 3',
      }),
      Plot.line(points, { x: 'threshold', y: 'value', z: 'name', stroke: 'colour', strokeWidth: 2 }),
      Plot.tip(points, Plot.pointer({ x: 'threshold', y: 'value', title })),
    ],
  })
}
