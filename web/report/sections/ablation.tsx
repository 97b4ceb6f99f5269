import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { ReportAblation, RunReport } from '../../../src/report/data.ts'
import { Chart } from '../chart.tsx'
import { compact, percent } from '../format.ts'
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
  // Each measure has its own unit and with it its own plot.
  const measures = [...new Set(ablation.differences.map((row) => row.measure))]
  return (
    <>
      <div class="panel">
        {ablation.conclusion.map((line) => (
          <p key={line} style={{ margin: '0 0 8px' }}>
            {line}
          </p>
        ))}
        {measures
          .filter((measure) => differs(ablation, measure))
          .map((measure) => (
            <Differences key={measure} ablation={ablation} measure={measure} />
          ))}
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
            <tr key={`${row.measure} ${row.subject}`}>
              <td>{row.measure}</td>
              <th scope="row">{row.subject}</th>
              <td class="number">{row.control.toFixed(3)}</td>
              <td class="number">{row.candidate.toFixed(3)}</td>
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

/** A plot of nothing but zeros shows nothing: the table says it. */
const differs = ({ differences }: ReportAblation, measure: string) =>
  differences.some((row) => row.measure === measure && (row.low !== 0 || row.high !== 0))

function verdict({ significant, better }: { significant: boolean; better: boolean }): string {
  if (!significant) return 'no clear difference'
  return better ? 'better' : 'worse'
}

const signed = (value: number) => `${value > 0 ? '+' : value < 0 ? '−' : ''}${Math.abs(value).toFixed(3)}`

function Differences({ ablation, measure }: { ablation: ReportAblation; measure: string }) {
  const draw = useCallback((width: number) => drawDifferences(ablation, measure, width), [ablation, measure])
  return (
    <Chart
      title={measure}
      label={`Differences in ${measure}, candidate minus control, with intervals`}
      draw={draw}
    />
  )
}

function drawDifferences({ differences }: ReportAblation, measure: string, width: number): Element {
  const rows = differences
    .filter((row) => row.measure === measure)
    .map((row) => ({
      ...row,
      name: row.subject,
      colour: !row.significant ? 'var(--soft)' : row.better ? 'var(--good)' : 'var(--warn)',
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
