import type { RunReport } from '../../../src/report/data.ts'
import { Section } from '../section.tsx'

export function Samples({ report }: { report: RunReport }) {
  const stages = report.evaluations.filter((evaluation) => evaluation.samples.length > 0)
  const prompts = [...new Set(stages.flatMap((stage) => stage.samples.map((sample) => sample.prompt)))]
  return (
    <Section
      id="samples"
      title="What it says"
      lead="The same prompts at each stage, drawn with a fixed seed as the model continued them; nothing is picked or mended."
      missing={prompts.length === 0 && 'No sample was drawn yet.'}
    >
      {prompts.map((prompt) => (
        <article class="sample" key={prompt}>
          <p class="prompt">{prompt}</p>
          <div class="columns">
            {stages.map((stage) => {
              const sample = stage.samples.find((one) => one.prompt === prompt)
              return (
                sample && (
                  <div key={stage.label}>
                    <h4>{stage.label}</h4>
                    <p>{sample.completion.trim() || '(nothing)'}</p>
                  </div>
                )
              )
            })}
          </div>
        </article>
      ))}
    </Section>
  )
}
