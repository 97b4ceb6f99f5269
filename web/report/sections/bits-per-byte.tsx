import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import type { RunReport } from '../../../src/report/data.ts'
import { Chart, Legend } from '../chart.tsx'
import { series } from '../colours.ts'
import { bits, bytes, compact } from '../format.ts'
import { Section, Table } from '../section.tsx'

interface Cell {
  value: number
  low?: number
  high?: number
}

interface Column {
  name: string
  note: string
  baseline: boolean
  colour: string
  of: (domain: string) => Cell | undefined
}

export function BitsPerByte({ report }: { report: RunReport }) {
  const columns = columnsOf(report)
  const domains = [
    ...new Set([
      ...report.baselines.map((one) => one.domain),
      ...report.evaluations.flatMap((one) => one.heldOut.map((score) => score.domain)),
    ]),
  ]
  const draw = useCallback((width: number) => drawDots(columns, domains, width), [report])
  return (
    <Section
      id="bits"
      title="Against baselines, on the same held-out bytes"
      lead="Bits per byte of text that was kept out of training by whole documents, with near-duplicates of training text removed: less is better. The compressors have the domain’s training text as prefix; the n-gram model counted training tokens."
      missing={domains.length === 0 && 'No baseline and no held-out evaluation is done yet.'}
    >
      <div class="panel">
        <Legend items={columns.map(({ name, colour }) => ({ name, colour }))} />
        <Chart label="Held-out bits per byte by domain, models and baselines" draw={draw} />
      </div>
      <div style={{ height: '16px' }} />
      <Table label="Held-out bits per byte by domain">
        <thead>
          <tr>
            <th>Domain</th>
            {columns.map(({ name, note }) => (
              <th class="number" key={name}>
                {name}
                {note && <span class="sub">{note}</span>}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {domains.map((domain) => (
            <Row key={domain} domain={domain} columns={columns} size={sizeOf(report, domain)} />
          ))}
        </tbody>
      </Table>
    </Section>
  )
}

function Row({ domain, columns, size }: { domain: string; columns: readonly Column[]; size?: number }) {
  const cells = columns.map((column) => column.of(domain))
  const best = Math.min(...cells.flatMap((cell) => cell?.value ?? []))
  return (
    <tr>
      <th scope="row">
        {domain}
        {size !== undefined && <span class="sub">{bytes(size)} held out</span>}
      </th>
      {cells.map((cell, index) => (
        <td class={`number ${cell?.value === best ? 'best' : ''}`} key={columns[index]?.name}>
          {cell === undefined ? '–' : bits(cell.value)}
          {cell?.low !== undefined && cell.high !== undefined && (
            <span class="sub">
              {cell.low.toFixed(2)}–{cell.high.toFixed(2)}
            </span>
          )}
        </td>
      ))}
    </tr>
  )
}

function columnsOf(report: RunReport): Column[] {
  const { baselines, evaluations } = report
  const baseline = (domain: string) => baselines.find((one) => one.domain === domain)
  const ngram = baselines.find((one) => one.kneserNey !== undefined)?.kneserNey
  const tokens = baselines.map((one) => one.kneserNey?.trainingTokens ?? 0)
  const columns: Column[] = [
    {
      name: 'zstd -22',
      note: 'training text as prefix',
      baseline: true,
      colour: 'var(--faint)',
      of: (domain) => cell(baseline(domain)?.zstd?.bitsPerByte),
    },
    {
      name: 'xz -9e',
      note: 'training text as prefix',
      baseline: true,
      colour: 'var(--soft)',
      of: (domain) => cell(baseline(domain)?.xz?.bitsPerByte),
    },
    {
      name: `Kneser-Ney ${ngram?.order ?? 5}-gram`,
      note: ngram?.trainingTokens === undefined ? '' : `up to ${compact(Math.max(...tokens))} tokens`,
      baseline: true,
      colour: 'var(--warn)',
      of: (domain) => cell(baseline(domain)?.kneserNey?.bitsPerByte),
    },
  ]
  const measured = evaluations.filter((evaluation) => evaluation.heldOut.length > 0)
  for (const [index, evaluation] of measured.entries()) {
    columns.push({
      name: evaluation.label,
      note: '',
      baseline: false,
      colour: series([4, 0, 2, 3, 6, 5][index % 6] ?? 0),
      of: (domain) => {
        const score = evaluation.heldOut.find((one) => one.domain === domain)
        return score && { value: score.bitsPerByte, low: score.low, high: score.high }
      },
    })
  }
  const known = new Set([...baselines, ...measured.flatMap((one) => one.heldOut)].map((one) => one.domain))
  return columns.filter((column) => [...known].some((domain) => column.of(domain) !== undefined))
}

const cell = (value: number | undefined): Cell | undefined => (value === undefined ? undefined : { value })

const sizeOf = (report: RunReport, domain: string) =>
  report.baselines.find((one) => one.domain === domain)?.bytes ??
  report.evaluations.flatMap((one) => one.heldOut).find((score) => score.domain === domain)?.bytes

function drawDots(columns: readonly Column[], domains: readonly string[], width: number): Element {
  const rows = columns.flatMap((column) =>
    domains.flatMap((domain) => {
      const found = column.of(domain)
      return found === undefined
        ? []
        : [{ domain, colour: column.colour, name: column.name, baseline: column.baseline, ...found }]
    }),
  )
  const title = (row: { name: string; domain: string; value: number }) =>
    `${row.name}, ${row.domain}: ${bits(row.value)} bits per byte`
  return Plot.plot({
    width,
    height: 44 * domains.length + 60,
    marginBottom: 42,
    marginLeft: Math.min(110, 20 + 7.5 * Math.max(...domains.map((domain) => domain.length))),
    marginRight: 20,
    x: {
      label: 'bits per byte',
      grid: true,
      ticks: Math.max(3, Math.floor(width / 110)),
      nice: true,
      inset: 8,
    },
    y: { label: null, domain: [...domains], tickSize: 0, padding: 0.4 },
    marks: [
      Plot.tickX(
        rows.filter((row) => row.baseline),
        { x: 'value', y: 'domain', stroke: 'colour', strokeWidth: 3, title },
      ),
      Plot.ruleY(
        rows.filter((row) => !row.baseline && row.low !== undefined),
        { x1: 'low', x2: 'high', y: 'domain', stroke: 'colour', strokeWidth: 2, strokeOpacity: 0.5 },
      ),
      Plot.dot(
        rows.filter((row) => !row.baseline),
        { x: 'value', y: 'domain', fill: 'colour', stroke: 'var(--panel)', strokeWidth: 1, r: 5.5, title },
      ),
      Plot.tip(rows, Plot.pointer({ x: 'value', y: 'domain', title })),
    ],
  })
}
