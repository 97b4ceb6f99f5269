import type { RunReport } from '../../../src/report/data.ts'
import { Section } from '../section.tsx'

export function Reproduce({ report }: { report: RunReport }) {
  const { name, recipeFile, recipeText } = report
  const run = `runs/${name}`
  return (
    <Section
      id="reproduce"
      title="Do it again, and talk to it"
      lead="The same recipe, seeds and thread count give the same bits. A run that is already there is not done twice: only steps whose inputs changed run again."
    >
      <h3>Make this run</h3>
      <pre class="command">npx smolforge run {recipeFile ?? `recipes/${name}.yaml`}</pre>
      <h3>Chat with the model</h3>
      <pre class="command">npx smolforge chat --model {run}/model</pre>
      {recipeText && (
        <details>
          <summary>The recipe as it was written</summary>
          <pre class="command">{recipeText}</pre>
        </details>
      )}
    </Section>
  )
}
