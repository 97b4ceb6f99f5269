import * as Plot from '@observablehq/plot'
import { useCallback } from 'preact/hooks'
import {
  type ClassifierReport,
  keptAt,
  keptOf,
  type ReportedSurvey,
} from '../../../src/report/classifierData.ts'
import { Chart, Legend } from '../../report/chart.tsx'
import { series } from '../../report/colours.ts'
import { bytes, percent, plain, whole } from '../../report/format.ts'
import { Section, Table } from '../../report/section.tsx'

export function Corpus({ report }: { report: ClassifierReport }) {
  const { survey, threshold } = report
  if (survey === undefined || survey.documents === 0) {
    return (
      <Section
        id="corpus"
        title="Scores of the corpus"
        missing="Only examples with labels were scored: smolforge classifier score --report draws the whole corpus."
      />
    )
  }
  const domains = domainsOf(survey)
  return (
    <Section
      id="corpus"
      title="Scores of the corpus"
      lead={`${whole(survey.documents)} documents, ${bytes(survey.bytes)}. Each line of the second plot starts at everything and falls to nothing: where it crosses the dashed line is what the chosen threshold of ${plain(threshold)} keeps.`}
    >
      <Plots report={report} survey={survey} domains={domains} />
      <div style={{ height: '16px' }} />
      <Table label="What the threshold keeps by domain">
        <thead>
          <tr>
            <th>Domain</th>
            <th class="number">documents</th>
            <th class="number">kept</th>
            <th class="number">dropped</th>
            <th class="number">bytes kept</th>
            <th class="number">bytes dropped</th>
          </tr>
        </thead>
        <tbody>
          {domains.map((domain) => {
            const all = keptAt(survey, Number.NEGATIVE_INFINITY, domain)
            const kept = keptOf(report, domain)
            const share = kept.documents / Math.max(1, all.documents)
            return (
              <tr key={domain}>
                <th scope="row">{domain}</th>
                <td class="number">{whole(all.documents)}</td>
                <td class="number">
                  {whole(kept.documents)} <span class="sub">{percent(share)}</span>
                </td>
                <td class="number">{whole(all.documents - kept.documents)}</td>
                <td class="number">{bytes(kept.bytes)}</td>
                <td class="number">{bytes(all.bytes - kept.bytes)}</td>
              </tr>
            )
          })}
        </tbody>
      </Table>
    </Section>
  )
}

function Plots(props: { report: ClassifierReport; survey: ReportedSurvey; domains: string[] }) {
  const { report, survey, domains } = props
  const histogram = useCallback((width: number) => drawHistogram(report, survey, domains, width), [report])
  const kept = useCallback((width: number) => drawKept(report, survey, domains, width), [report])
  return (
    <div class="panel">
      <Legend items={domains.map((name, i) => ({ name, colour: series(i) }))} />
      <Chart title="Documents by score" label="Histogram of scores by domain" draw={histogram} />
      <Chart
        title="Share of the documents that a threshold keeps, by domain"
        label="Kept share by threshold and domain"
        draw={kept}
      />
    </div>
  )
}

/** Largest first. */
function domainsOf(survey: ReportedSurvey): string[] {
  const names = new Set(survey.bins.flatMap((bin) => Object.keys(bin.byDomain)))
  const size = (domain: string) => keptAt(survey, Number.NEGATIVE_INFINITY, domain).documents
  return [...names].sort((a, b) => size(b) - size(a) || (a < b ? -1 : 1))
}

function drawHistogram(
  { threshold, lowest, highest }: ClassifierReport,
  survey: ReportedSurvey,
  domains: readonly string[],
  width: number,
): Element {
  const bars = survey.bins.flatMap((bin) =>
    domains.map((domain, i) => ({
      low: bin.low,
      high: bin.high,
      domain,
      colour: series(i),
      documents: bin.byDomain[domain]?.documents ?? 0,
    })),
  )
  return Plot.plot({
    width,
    height: 240,
    marginBottom: 40,
    marginLeft: 54,
    x: { label: 'score', domain: [lowest, highest], ticks: Math.max(3, Math.floor(width / 100)) },
    y: { label: 'documents', grid: true, ticks: 5 },
    marks: [
      Plot.rectY(
        bars.filter((bar) => bar.documents > 0),
        {
          x1: 'low',
          x2: 'high',
          y: 'documents',
          fill: 'colour',
          inset: 0.4,
          title: (bar: (typeof bars)[number]) =>
            `${bar.domain}, ${plain(bar.low)} to ${plain(bar.high)}: ${whole(bar.documents)} documents`,
        },
      ),
      Plot.ruleY([0], { stroke: 'var(--line)' }),
      ruleAt(threshold, lowest, highest),
    ],
  })
}

function drawKept(
  { threshold, lowest, highest }: ClassifierReport,
  survey: ReportedSurvey,
  domains: readonly string[],
  width: number,
): Element {
  const points = domains.flatMap((domain, i) => {
    const all = Math.max(1, keptAt(survey, Number.NEGATIVE_INFINITY, domain).documents)
    return [...survey.bins.map((bin) => bin.low), highest].map((at) => ({
      domain,
      colour: series(i),
      at,
      share: keptAt(survey, at, domain).documents / all,
    }))
  })
  const title = (point: (typeof points)[number]) =>
    `${point.domain} from ${plain(point.at)} on: ${percent(point.share)}`
  return Plot.plot({
    width,
    height: 240,
    marginBottom: 40,
    marginLeft: 54,
    x: { label: 'threshold', domain: [lowest, highest], ticks: Math.max(3, Math.floor(width / 100)) },
    y: { label: null, domain: [0, 1], grid: true, tickFormat: '%', ticks: 5 },
    marks: [
      Plot.line(points, { x: 'at', y: 'share', z: 'domain', stroke: 'colour', strokeWidth: 2 }),
      ruleAt(threshold, lowest, highest),
      Plot.tip(points, Plot.pointer({ x: 'at', y: 'share', title })),
    ],
  })
}

const ruleAt = (threshold: number, lowest: number, highest: number) =>
  Plot.ruleX(threshold >= lowest && threshold <= highest ? [threshold] : [], {
    stroke: 'var(--accent)',
    strokeDasharray: '4 3',
  })
