import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { RunReport } from '../../../src/report/data.ts'
import { Chart, Legend } from '../chart.tsx'
import type { Colours } from '../colours.ts'
import { compact, percent, whole } from '../format.ts'
import { drawCurve, drawRate } from '../loss.ts'
import { Section, Table } from '../section.tsx'

export function Curves({ report, colours }: { report: RunReport; colours: Colours }) {
  const { pretraining, stages } = report
  const starts = stages.slice(1).map((stage) => ({ tokens: stage.tokensStart, name: `stage ${stage.stage}` }))
  const loss = useCallback(
    (width: number) => drawCurve(pretraining, width, { boundaries: starts }),
    [pretraining],
  )
  const rate = useCallback((width: number) => drawRate(pretraining, starts, width), [pretraining])
  const domains = colours.domains.filter((domain) =>
    pretraining.heldOut.some((point) => point.domain === domain && point.bitsPerByte !== null),
  )
  return (
    <Section
      id="curves"
      title="How training went"
      lead="The loss on training batches, and the learning rate below it: a warm-up, a constant middle and a decay to zero, over all stages together."
      missing={pretraining.points.length === 0 && 'Pretraining has not begun yet.'}
    >
      <div class="panel">
        <Legend
          items={[
            { name: 'smoothed', colour: 'var(--accent)', shape: 'line' },
            { name: 'as logged', colour: 'var(--faint)', shape: 'line' },
          ]}
        />
        <Chart title="Training loss (nats per token)" label="Training loss over tokens" draw={loss} />
        <Chart title="Learning rate" label="Learning rate over tokens" draw={rate} />
      </div>
      <Packing stages={stages} />
      {domains.length > 0 && <HeldOut report={report} colours={colours} domains={domains} />}
    </Section>
  )
}

function Packing({ stages }: { stages: RunReport['stages'] }) {
  const packed = stages.flatMap(({ stage, rows }) => (rows === undefined ? [] : [{ stage, ...rows }]))
  if (packed.length === 0) return null
  return (
    <>
      <h3>How documents filled the batches</h3>
      <Table label="How documents filled the batches, by stage">
        <thead>
          <tr>
            <th>Stage</th>
            <th>Packing</th>
            <th class="number">Places for tokens</th>
            <th class="number">Padding</th>
            <th class="number">Cut off from the document’s beginning</th>
          </tr>
        </thead>
        <tbody>
          {packed.map(({ stage, packing, places, padding, continued }) => (
            <tr key={stage}>
              <td>{stage}</td>
              <td>{packing === 'best-fit' ? 'best fit' : 'end to end'}</td>
              <td class="number">{whole(places)}</td>
              <Share part={padding} of={places} />
              <Share part={continued} of={places} />
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  )
}

function Share({ part, of }: { part: number; of: number }) {
  return (
    <td class="number">
      {whole(part)} ({percent(of === 0 ? 0 : part / of)})
    </td>
  )
}

function HeldOut(props: { report: RunReport; colours: Colours; domains: string[] }) {
  const { report, colours, domains } = props
  return (
    <>
      <h3>Held-out bits per byte, by domain</h3>
      <p class="lead" style={{ color: 'var(--soft)', marginTop: 0, maxWidth: '46em' }}>
        How many bits the model needs for a byte of text that it has never seen: less is better. Lines to pass
        are what a compressor needs that was shown the domain’s training text, and an n-gram model of the same
        training tokens.
      </p>
      <div class="panel">
        <Legend
          items={[
            { name: 'model', colour: 'var(--ink)', shape: 'line' },
            { name: 'best compressor', colour: 'var(--faint)', shape: 'line dashed' },
            { name: 'Kneser-Ney n-gram', colour: 'var(--warn)', shape: 'line dashed' },
          ]}
        />
        <div class="multiples">
          {domains.map((domain) => (
            <HeldOutChart key={domain} report={report} colours={colours} domain={domain} />
          ))}
        </div>
      </div>
    </>
  )
}

function HeldOutChart({ report, colours, domain }: { report: RunReport; colours: Colours; domain: string }) {
  const draw = useCallback(
    (width: number) => drawHeldOut(report, domain, colours.of(domain), width),
    [report, colours, domain],
  )
  return <Chart title={domain} label={`Held-out bits per byte of ${domain} over tokens`} draw={draw} />
}

function drawHeldOut(report: RunReport, domain: string, colour: string, width: number): Element {
  const points = report.pretraining.heldOut.filter(
    (point) => point.domain === domain && point.bitsPerByte !== null,
  )
  const baseline = report.baselines.find((one) => one.domain === domain)
  const compressed = [baseline?.zstd?.bitsPerByte, baseline?.xz?.bitsPerByte].filter(
    (one) => one !== undefined,
  )
  const bars = [
    ...(compressed.length > 0 ? [{ y: Math.min(...compressed), colour: 'var(--faint)' }] : []),
    ...(baseline?.kneserNey ? [{ y: baseline.kneserNey.bitsPerByte, colour: 'var(--warn)' }] : []),
  ]
  const values = [...points.map((point) => point.bitsPerByte ?? 0), ...bars.map((bar) => bar.y)]
  const low = Math.min(...values)
  const high = Math.max(...values)
  const room = (high - low || 1) * 0.08
  return Plot.plot({
    width,
    height: 190,
    marginLeft: 40,
    marginRight: 14,
    x: {
      label: null,
      tickFormat: compact,
      ticks: 4,
      domain: [0, Math.max(...points.map((point) => point.tokens))],
    },
    y: { label: null, ticks: 4, grid: true, domain: [low - room, high + room] },
    marks: [
      Plot.ruleY(bars, { y: 'y', stroke: 'colour', strokeDasharray: '5 4', strokeWidth: 1.5 }),
      Plot.lineY(points, { x: 'tokens', y: 'bitsPerByte', stroke: colour, strokeWidth: 2 }),
      Plot.dot(points, {
        x: 'tokens',
        y: 'bitsPerByte',
        fill: colour,
        r: 3,
        channels: { tokens: { value: 'tokens', label: 'tokens' } },
        tip: { format: { x: compact, tokens: false, y: (value: number) => value.toFixed(3) } },
      }),
    ],
  })
}
