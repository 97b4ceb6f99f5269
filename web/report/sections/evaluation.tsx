import type { ReportScore, RunReport } from '../../../src/report/data.ts'
import { bits, percent, whole } from '../format.ts'
import { Interval } from '../interval.tsx'
import { Section, Table } from '../section.tsx'

interface Reading {
  label: string
  score: ReportScore
}

export function Evaluation({ report }: { report: RunReport }) {
  const tasks = new Map<string, Reading[]>()
  for (const { label, scores } of report.evaluations) {
    for (const score of scores) {
      if (score.form === 'bits-per-byte') continue
      const key = [score.task, score.form, score.shots, score.normalisation].join(' · ')
      tasks.set(key, [...(tasks.get(key) ?? []), { label, score }])
    }
  }
  return (
    <Section
      id="evaluation"
      title="What it can do"
      lead="Accuracy with its 95 % interval. The dashed line is what guessing reaches; an interval that lies wholly to the right of it is more than luck. The same task in another form is another number, so form, shots and normalisation are named."
      missing={tasks.size === 0 && 'No evaluation is done yet.'}
    >
      <Table label="Scores by task and model">
        <thead>
          <tr>
            <th>Task</th>
            <th>Model</th>
            <th class="number">Score</th>
            <th class="number">95 % interval</th>
            <th style={{ width: '38%' }}>0 % to 100 %</th>
          </tr>
        </thead>
        <tbody>
          {[...tasks].map(([key, readings]) =>
            readings.map(({ label, score }, index) => (
              <tr key={`${key} ${label}`} class={index === 0 ? 'group' : 'within'}>
                {index === 0 && (
                  <th scope="rowgroup" rowSpan={readings.length} style={{ borderTopColor: 'var(--line)' }}>
                    <TaskName score={score} items={readings.map((reading) => reading.score.n)} />
                  </th>
                )}
                <td class="model">{label}</td>
                <td class={`number ${isAboveChance(score) ? 'best' : ''}`}>{show(score, score.value)}</td>
                <td class="number">
                  {show(score, score.low)} – {show(score, score.high)}
                </td>
                <td>
                  <Interval {...score} name={`${score.task}, ${label}`} />
                </td>
              </tr>
            )),
          )}
        </tbody>
      </Table>
    </Section>
  )
}

function TaskName({ score, items }: { score: ReportScore; items: readonly number[] }) {
  const { task, metric, form, shots, normalisation, chance, chat } = score
  const [fewest, most] = [Math.min(...items), Math.max(...items)]
  return (
    <>
      {task}
      <span class="sub">
        {metric}, {form}, {shots}-shot
      </span>
      {normalisation && <span class="sub">normalised by {normalisation}</span>}
      <span class="sub">
        {fewest === most ? whole(most) : `${whole(fewest)} to ${whole(most)}`} items
        {chance !== undefined && `, chance ${percent(chance, 0)}`}
        {chat && ', chat template'}
      </span>
    </>
  )
}

const isAboveChance = ({ low, chance }: ReportScore) => chance !== undefined && low > chance
const show = (score: ReportScore, value: number) =>
  score.form === 'bits-per-byte' ? bits(value) : percent(value)
