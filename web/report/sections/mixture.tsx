import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { ReportLedgerEntry, RunReport } from '../../../src/report/data.ts'
import { Chart, Legend } from '../chart.tsx'
import type { Colours } from '../colours.ts'
import { compact, percent, plain } from '../format.ts'
import { Section } from '../section.tsx'

export function Mixture({ report, colours }: { report: RunReport; colours: Colours }) {
  const { stages, ledger } = report
  return (
    <Section
      id="mixture"
      title="What it was trained on, stage by stage"
      lead="The share of each domain in the tokens of a stage. After a stage the evaluation of that checkpoint proposes the next mixture; a person can pin it instead. Each change is here with its reason and the numbers it stood on."
      missing={stages.length === 0 && ledger.length === 0 && 'No stage has begun yet.'}
    >
      {stages.length > 0 && <MixturePlot report={report} colours={colours} />}
      <ol class="decisions">
        {ledger.map((entry, index) => (
          <li class="panel" key={`${entry.step} ${index}`}>
            <Decision entry={entry} />
          </li>
        ))}
      </ol>
    </Section>
  )
}

function MixturePlot({ report, colours }: { report: RunReport; colours: Colours }) {
  const { stages } = report
  const draw = useCallback((width: number) => drawMixture(report, colours, width), [report, colours])
  const used = colours.domains.filter((domain) => stages.some((stage) => (stage.weights[domain] ?? 0) > 0))
  return (
    <div class="panel">
      <Legend items={used.map((name) => ({ name, colour: colours.of(name) }))} />
      <Chart label={`Share of each domain over the training tokens, ${stages.length} stages`} draw={draw} />
    </div>
  )
}

function drawMixture({ stages }: RunReport, colours: Colours, width: number): Element {
  const areas: { tokens: number; domain: string; low: number; high: number }[] = []
  const names: { tokens: number; share: number; text: string }[] = []
  for (const { weights, tokensStart, tokensEnd, stage } of stages) {
    const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0) || 1
    const span = (tokensEnd - tokensStart) / Math.max(1, stages.at(-1)?.tokensEnd ?? 1)
    let low = 0
    for (const domain of colours.domains) {
      const share = (weights[domain] ?? 0) / total
      for (const tokens of [tokensStart, tokensEnd]) areas.push({ tokens, domain, low, high: low + share })
      if (share >= 0.05 && span * width > 64) {
        names.push({ tokens: (tokensStart + tokensEnd) / 2, share: low + share / 2, text: percent(share, 0) })
      }
      low += share
    }
    areas.sort((a, b) => a.tokens - b.tokens || 0)
    if (span * width > 64) {
      names.push({ tokens: (tokensStart + tokensEnd) / 2, share: 1.06, text: `stage ${stage}` })
    }
  }
  return Plot.plot({
    width,
    height: 300,
    marginLeft: 46,
    marginTop: 26,
    marginBottom: 44,
    x: {
      label: 'tokens trained on',
      labelOffset: 40,
      tickFormat: compact,
      ticks: Math.max(3, Math.floor(width / 110)),
    },
    y: { label: null, domain: [0, 1], tickFormat: '.0%', ticks: 4 },
    marks: [
      Plot.areaY(areas, {
        x: 'tokens',
        y1: 'low',
        y2: 'high',
        z: 'domain',
        fill: (row: { domain: string }) => colours.of(row.domain),
        fillOpacity: 0.85,
      }),
      Plot.ruleX(stages.slice(1), { x: 'tokensStart', stroke: 'var(--panel)', strokeWidth: 2 }),
      Plot.text(
        names.filter((name) => name.share <= 1),
        { x: 'tokens', y: 'share', text: 'text', fill: 'var(--panel)', fontWeight: 600 },
      ),
      Plot.text(
        names.filter((name) => name.share > 1),
        { x: 'tokens', y: () => 1, dy: -12, text: 'text', fill: 'currentColor', clip: false },
      ),
    ],
  })
}

function Decision({ entry }: { entry: ReportLedgerEntry }) {
  return (
    <>
      <h3>
        {sentence(entry.decision)}
        <By by={entry.by} />
      </h3>
      {entry.after && <Weights before={entry.before} after={entry.after} />}
      <ul class="reasons">
        {entry.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      {entry.evidence.length > 0 && (
        <details>
          <summary>The evidence: {entry.evidence.length} measured numbers</summary>
          <div class="scroll">
            <table>
              <tbody>
                {entry.evidence.map(({ measure, subject, value, low, high, unit }, index) => (
                  <tr key={`${index} ${measure}`}>
                    <td>{measure}</td>
                    <td>{subject}</td>
                    <td class="number">{value === null ? '' : plain(value)}</td>
                    <td class="number">
                      {typeof low === 'number' &&
                        typeof high === 'number' &&
                        `${plain(low)} to ${plain(high)}`}
                    </td>
                    <td>{unit}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </>
  )
}

function By({ by }: { by: string }) {
  return <span class={`badge ${by === 'rule' ? '' : 'person'}`}>by a {by}</span>
}

function Weights({ before = {}, after }: { before?: Record<string, number>; after: Record<string, number> }) {
  return (
    <ul class="weights">
      {Object.entries(after).map(([domain, weight]) => (
        <li key={domain}>
          {domain}{' '}
          {before[domain] !== undefined && percent(before[domain]) !== percent(weight) && (
            <span class="old">{percent(before[domain])} → </span>
          )}
          <strong>{percent(weight)}</strong>
        </li>
      ))}
    </ul>
  )
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
