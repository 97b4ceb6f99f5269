import type { ClassifierReport } from '../../../src/report/classifierData.ts'
import { plain } from '../../report/format.ts'
import { Section } from '../../report/section.tsx'

interface Example {
  where: string
  excerpt: string
}

export function Examples({ report }: { report: ClassifierReport }) {
  const { evaluation } = report
  const { above, below } = aroundThreshold(report)
  return (
    <Section
      id="examples"
      title="What it calls good and bad"
      lead="Whether the threshold is right, only reading tells: what it just keeps, what it just drops, and what it takes for each level."
      missing={evaluation.examplesByLevel.length === 0 && 'No examples were held out.'}
    >
      <div class="panel">
        {above.length > 0 && <Group title="Just kept" examples={above} open />}
        {below.length > 0 && <Group title="Just dropped" examples={below} open />}
        {evaluation.examplesByLevel.map(({ level, examples }) => (
          <Group
            key={level}
            title={`Scored about ${plain(level)}, with their labels`}
            examples={examples.map(({ score, label, excerpt }) => ({
              where: `score ${plain(score)} · label ${plain(label)}`,
              excerpt,
            }))}
          />
        ))}
      </div>
    </Section>
  )
}

function Group({ title, examples, open }: { title: string; examples: readonly Example[]; open?: boolean }) {
  return (
    <details open={open === true}>
      <summary>
        {title}
        <span class="count">{examples.length === 0 ? 'none' : examples.length}</span>
      </summary>
      {examples.map(({ where, excerpt }) => (
        <div class="example" key={where + excerpt}>
          <span class="where">{where}</span>
          <p class="excerpt">{excerpt}</p>
        </div>
      ))}
    </details>
  )
}

const SHOWN = 5

/** Documents of the corpus on both sides of the threshold, nearest first. */
function aroundThreshold({ survey, threshold }: ClassifierReport): { above: Example[]; below: Example[] } {
  const all = survey?.bins.flatMap((bin) => bin.examples) ?? []
  const nearest = (some: typeof all) =>
    some
      .sort((a, b) => Math.abs(a.score - threshold) - Math.abs(b.score - threshold))
      .slice(0, SHOWN)
      .map(({ id, score, excerpt }) => ({ where: `${id} · score ${plain(score)}`, excerpt }))
  return {
    above: nearest(all.filter(({ score }) => score >= threshold)),
    below: nearest(all.filter(({ score }) => score < threshold)),
  }
}
