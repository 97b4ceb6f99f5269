import type { RunReport } from '../../src/report/data.ts'
import { Colours } from './colours.ts'
import { day } from './format.ts'
import { Frame } from './frame.tsx'
import { Ablation } from './sections/ablation.tsx'
import { BitsPerByte } from './sections/bits-per-byte.tsx'
import { Curves } from './sections/curves.tsx'
import { Evaluation } from './sections/evaluation.tsx'
import { Figures } from './sections/figures.tsx'
import { Funnel } from './sections/funnel.tsx'
import { Machine } from './sections/machine.tsx'
import { Mixture } from './sections/mixture.tsx'
import { PostTraining } from './sections/post-training.tsx'
import { Reproduce } from './sections/reproduce.tsx'
import { Samples } from './sections/samples.tsx'
import { Sources } from './sections/sources.tsx'
import { Time } from './sections/time.tsx'
import { Warnings } from './sections/warnings.tsx'

const CONTENTS = [
  ['sources', 'Sources'],
  ['funnel', 'Curation'],
  ['mixture', 'Mixture'],
  ['curves', 'Training'],
  ['bits', 'Against baselines'],
  ['evaluation', 'Evaluation'],
  ['samples', 'Samples'],
  ['ablation', 'Ablation'],
  ['post-training', 'Post-training'],
  ['time', 'Time'],
  ['machine', 'Machine'],
  ['warnings', 'Warnings'],
  ['reproduce', 'Reproduce'],
] as const

/** The report of one run, from where the text came from to how to do it again. */
export function Page({ report }: { report: RunReport }) {
  const colours = new Colours(report)
  return (
    <Frame
      contents={CONTENTS}
      title={report.name}
      when={
        <>
          {report.finished ? 'A language model from data' : 'An unfinished run'}
          {report.startedAt && `, started ${day(report.startedAt)}`}
        </>
      }
      summary={report.summary}
      figures={<Figures report={report} />}
    >
      <Sources report={report} />
      <Funnel report={report} />
      <Mixture report={report} colours={colours} />
      <Curves report={report} colours={colours} />
      <BitsPerByte report={report} />
      <Evaluation report={report} />
      <Samples report={report} />
      <Ablation report={report} />
      <PostTraining report={report} />
      <Time report={report} />
      <Machine report={report} />
      <Warnings report={report} />
      <Reproduce report={report} />
    </Frame>
  )
}
