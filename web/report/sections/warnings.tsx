import type { RunReport } from '../../../src/report/data.ts'
import { Section } from '../section.tsx'

export function Warnings({ report }: { report: RunReport }) {
  const { warnings } = report
  return (
    <Section
      id="warnings"
      title="Warnings"
      missing={warnings.length === 0 && 'No step had anything to warn of.'}
    >
      <div class="panel bare">
        <ul class="warnings">
          {warnings.map(({ step, message }) => (
            <li key={`${step} ${message}`}>
              <strong>{step}</strong>: {message}
            </li>
          ))}
        </ul>
      </div>
    </Section>
  )
}
