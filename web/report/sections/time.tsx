import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { RunReport } from '../../../src/report/data.ts'
import { Chart } from '../chart.tsx'
import { compact, duration } from '../format.ts'
import { Section } from '../section.tsx'

export function Time({ report }: { report: RunReport }) {
  const draw = useCallback((width: number) => drawTime(report, width), [report])
  return (
    <Section
      id="time"
      title="Where the time went"
      lead={`${duration(report.totalSeconds)} in ${report.steps.length} steps; training steps with their usual speed.`}
      missing={report.steps.length === 0 && 'No step is done yet.'}
    >
      <div class="panel">
        <Chart label="Seconds by step" draw={draw} />
      </div>
    </Section>
  )
}

function drawTime({ steps }: RunReport, width: number): Element {
  const rows = steps.map((step) => ({
    name: step.name,
    seconds: step.seconds,
    colour: step.tokensPerSecond === undefined ? 'var(--series-7)' : 'var(--accent)',
    text: [
      duration(step.seconds),
      step.tokensPerSecond === undefined ? '' : `${compact(Math.round(step.tokensPerSecond))} tokens/s`,
    ]
      .filter(Boolean)
      .join(' · '),
  }))
  return Plot.plot({
    width,
    height: 25 * rows.length + 16,
    marginLeft: 104,
    marginRight: 150,
    marginTop: 4,
    marginBottom: 10,
    x: { axis: null },
    y: { label: null, domain: rows.map((row) => row.name), tickSize: 0, padding: 0.3 },
    marks: [
      Plot.barX(rows, { x: 'seconds', y: 'name', fill: 'colour', rx: 2 }),
      Plot.text(rows, { x: 'seconds', y: 'name', text: 'text', textAnchor: 'start', dx: 7 }),
    ],
  })
}
