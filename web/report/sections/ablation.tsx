import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { ReportAblation, RunReport } from '../../../src/report/data.ts'
import { Chart } from '../chart.tsx'
import { compact, percent, plain } from '../format.ts'
import { Section, Table } from '../section.tsx'

export function Ablation({ report }: { report: RunReport }) {
  const { ablation } = report
  return (
    <Section
      id="ablation"
      title="Was the candidate worth adding?"
      lead={
        ablation &&
        `An annealing ablation: from one checkpoint the learning rate is taken to zero on ${compact(ablation.tokens)} tokens, ` +
          `once with the mixture as it is and once with ${percent(ablation.share, 0)} of “${ablation.candidate}”, ` +
          `over ${ablation.seeds.length} ${ablation.seeds.length === 1 ? 'seed' : 'seeds'}. ` +
          'The difference is candidate minus control, with its 95 % interval.'
      }
      missing={ablation === undefined && 'No ablation was run.'}
    >
      {ablation && <Result ablation={ablation} />}
    </Section>
  )
}

function Result({ ablation }: { ablation: ReportAblation }) {
  const draw = useCallback((width: number) => drawDifferences(ablation, width), [ablation])
  return (
    <>
      <div class="panel">
        {ablation.conclusion.map((line) => (
          <p key={line} style={{ margin: '0 0 8px' }}>
            {line}
          </p>
        ))}
        {ablation.differences.length > 0 && (
          <Chart label="Differences between candidate and control with intervals" draw={draw} />
        )}
      </div>
      <div style={{ height: '16px' }} />
      <Table label="Ablation results">
        <thead>
          <tr>
            <th>Measure</th>
            <th>Subject</th>
            <th class="number">Control</th>
            <th class="number">Candidate</th>
            <th class="number">Difference</th>
            <th class="number">95 % interval</th>
            <th>Verdict</th>
          </tr>
        </thead>
        <tbody>
          {ablation.differences.map((row) => (
            <tr key={`${row.arm} ${row.measure} ${row.subject}`}>
              <td>{row.measure}</td>
              <th scope="row">{row.subject}</th>
              <td class="number">{plain(row.arms.control)}</td>
              <td class="number">{plain(row.arms.candidate)}</td>
              <td class={`number ${row.significant && row.better ? 'best' : ''}`}>
                {signed(row.difference)}
              </td>
              <td class="number">
                {signed(row.low)} to {signed(row.high)}
              </td>
              <td>{verdict(row)}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  )
}

function verdict({ significant, better }: { significant: boolean; better: boolean }): string {
  if (!significant) return 'no clear difference'
  return better ? 'better' : 'worse'
}

const signed = (value: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${plain(Math.abs(value))}`

function drawDifferences({ differences }: ReportAblation, width: number): Element {
  const measures = [...new Set(differences.map((row) => row.measure))]
  const rows = differences.map((row) => ({
    ...row,
    colour: !row.significant ? 'var(--soft)' : row.better ? 'var(--good)' : 'var(--warn)',
    // Measures have different units: each is drawn by itself only when there are several.
    name: measures.length > 1 ? `${row.subject} (${row.measure})` : row.subject,
  }))
  return Plot.plot({
    width,
    height: 30 * rows.length + 64,
    marginBottom: 42,
    marginLeft: Math.min(width * 0.4, 24 + 6.6 * Math.max(...rows.map((row) => row.name.length))),
    x: {
      label: 'candidate minus control',
      grid: true,
      ticks: Math.max(3, Math.floor(width / 130)),
      inset: 10,
    },
    y: { label: null, domain: rows.map((row) => row.name), tickSize: 0 },
    marks: [
      Plot.ruleX([0], { stroke: 'var(--soft)', strokeDasharray: '3 3' }),
      Plot.ruleY(rows, {
        x1: 'low',
        x2: 'high',
        y: 'name',
        stroke: 'colour',
        strokeWidth: 6,
        strokeOpacity: 0.35,
        strokeLinecap: 'round',
      }),
      Plot.dot(rows, { x: 'difference', y: 'name', fill: 'colour', r: 4.5 }),
    ],
  })
}
