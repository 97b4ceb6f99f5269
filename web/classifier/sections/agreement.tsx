import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { ClassifierReport } from '../../../src/report/classifierData.ts'
import { Chart } from '../../report/chart.tsx'
import { plain, whole } from '../../report/format.ts'
import { Section, Table } from '../../report/section.tsx'

export function Agreement({ report }: { report: ClassifierReport }) {
  const { levels, confusion, heldOutExamples, expectedCalibrationError } = report.evaluation
  const draw = useCallback((width: number) => drawCalibration(report, width), [report])
  return (
    <Section
      id="agreement"
      title="Scores against labels"
      lead="On the same held-out examples. Well calibrated means on the line: documents of a score have that label on average. The table counts labels (rows) by the nearest score (columns)."
      missing={heldOutExamples === 0 && 'No examples were held out.'}
    >
      <div class="pair">
        <div class="panel">
          <Chart
            title="Mean label by score"
            label="Calibration: mean label over mean score"
            caption={`A dot is a tenth of the scale, its area the number of examples. Expected calibration error ${plain(expectedCalibrationError)}.`}
            draw={draw}
          />
        </div>
        <div class="panel confusion">
          <p class="chart-title">Labels by score</p>
          <Table label="Confusion of labels with scores">
            <thead>
              <tr>
                <th>label</th>
                {levels.map((level) => (
                  <th class="number" key={level}>
                    {plain(level)}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {confusion.map((row, i) => {
                const all = Math.max(
                  1,
                  row.reduce((sum, n) => sum + n, 0),
                )
                return (
                  <tr key={levels[i]}>
                    <th scope="row">{plain(levels[i] ?? 0)}</th>
                    {row.map((n, j) => (
                      <td
                        key={levels[j]}
                        class={i === j ? 'agrees' : ''}
                        style={{ '--share': (n / all).toFixed(3) }}
                      >
                        {whole(n)}
                      </td>
                    ))}
                  </tr>
                )
              })}
            </tbody>
          </Table>
        </div>
      </div>
    </Section>
  )
}

function drawCalibration({ evaluation, lowest, highest }: ClassifierReport, width: number): Element {
  const bins = evaluation.calibration.filter((bin) => bin.examples > 0)
  return Plot.plot({
    width,
    height: Math.min(width, 340),
    marginBottom: 40,
    x: { label: 'mean score', domain: [lowest, highest], grid: true },
    y: { label: 'mean label', domain: [lowest, highest], grid: true },
    r: { range: [2, 15] },
    marks: [
      Plot.line(
        [
          [lowest, lowest],
          [highest, highest],
        ],
        { stroke: 'var(--faint)', strokeDasharray: '4 3' },
      ),
      Plot.dot(bins, {
        x: 'meanScore',
        y: 'meanLabel',
        r: 'examples',
        fill: 'var(--accent)',
        fillOpacity: 0.75,
        title: (bin: (typeof bins)[number]) =>
          `${whole(bin.examples)} examples of score ${plain(bin.meanScore)}: mean label ${plain(bin.meanLabel)}`,
      }),
    ],
  })
}
