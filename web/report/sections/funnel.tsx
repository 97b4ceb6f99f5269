import type { ReportFunnel, RunReport } from '../../../src/report/data.ts'
import { bytes, percent, plain, whole } from '../format.ts'
import { Section } from '../section.tsx'

const WHAT: Record<string, string> = {
  read: 'Read and extracted',
  language: 'In the right language',
  quality: 'Passed the quality rules',
  dedup: 'Not a duplicate, exact or near',
  classify: 'Passed the trained classifier',
  split: 'Left for training after the held-out split',
  decontaminate: 'Free of evaluation items',
}

export function Funnel({ report }: { report: RunReport }) {
  const { funnel } = report
  const largest = Math.max(...funnel.map((step) => step.bytesIn), 1)
  return (
    <Section
      id="funnel"
      title="From raw text to training text"
      lead="Each step keeps (solid) or drops (striped) documents; the length of a bar is bytes. Every dropped document is accounted for by the rule that dropped it and the number the rule looked at: open a step to see examples."
      missing={funnel.length === 0 && 'No curation step is done yet.'}
    >
      <div class="panel">
        <ol class="funnel">
          {funnel.map((step) => (
            <Step key={step.step} step={step} largest={largest} />
          ))}
        </ol>
      </div>
    </Section>
  )
}

function Step({ step, largest }: { step: ReportFunnel; largest: number }) {
  const dropped = step.documentsIn - step.documentsOut
  const width = (n: number) => ({ width: `${(100 * n) / largest}%` })
  return (
    <li>
      <div class="funnel-head">
        <span class="what">{WHAT[step.step] ?? step.step}</span>
        <span class="flow">
          {whole(step.documentsOut)} of {whole(step.documentsIn)} documents, {bytes(step.bytesOut)} of{' '}
          {bytes(step.bytesIn)}
        </span>
      </div>
      <div
        class="bar"
        role="img"
        aria-label={`${bytes(step.bytesOut)} kept, ${bytes(step.bytesIn - step.bytesOut)} dropped`}
      >
        <div class="kept" style={width(step.bytesOut)} />
        <div class="dropped" style={width(Math.max(0, step.bytesIn - step.bytesOut))} />
      </div>
      {dropped > 0 && <Dropped step={step} dropped={dropped} />}
      {Object.entries(step.edited ?? {}).map(([rule, cut]) => (
        <p class="cut" key={rule}>
          {rule} cut {bytes(cut.bytes)} out of {whole(cut.documents)} documents that stayed
        </p>
      ))}
    </li>
  )
}

function Dropped({ step, dropped }: { step: ReportFunnel; dropped: number }) {
  const rules = Object.entries(step.dropped).sort(([, a], [, b]) => b.documents - a.documents)
  const verb = step.step === 'split' ? 'set aside' : 'dropped'
  return (
    <details>
      <summary>
        {whole(dropped)} {verb} ({percent(dropped / Math.max(1, step.documentsIn))}) by {rules.length}{' '}
        {rules.length === 1 ? 'rule' : 'rules'}
      </summary>
      <ul class="rules">
        {rules.map(([rule, drop]) => (
          <li key={rule}>
            <details>
              <summary>
                {rule}
                <span class="count">
                  {whole(drop.documents)} documents, {bytes(drop.bytes)}
                </span>
              </summary>
              {drop.examples.map((example) => (
                <div class="example" key={example.id}>
                  <span class="where">
                    {example.id}
                    {example.value !== null && ` · value ${plain(example.value)}`}
                    {typeof example.threshold === 'number' && ` · threshold ${plain(example.threshold)}`}
                  </span>
                  <p class="excerpt">{example.excerpt}</p>
                </div>
              ))}
            </details>
          </li>
        ))}
      </ul>
    </details>
  )
}
