import { type ClassifierReport, classifierSummary } from '../../src/report/classifierData.ts'
import { day } from '../report/format.ts'
import { Frame } from '../report/frame.tsx'
import { Agreement } from './sections/agreement.tsx'
import { Corpus } from './sections/corpus.tsx'
import { Examples } from './sections/examples.tsx'
import { Thresholds } from './sections/thresholds.tsx'

const CONTENTS = [
  ['corpus', 'Scores of the corpus'],
  ['thresholds', 'Thresholds'],
  ['agreement', 'Scores and labels'],
  ['examples', 'Examples'],
] as const

/** What a quality classifier does at each threshold, on held-out labels and on the corpus. */
export function Page({ report }: { report: ClassifierReport }) {
  return (
    <Frame
      contents={CONTENTS}
      title={report.name}
      when={
        <>
          A quality classifier: {report.features}, {day(report.madeAt)}
        </>
      }
      summary={classifierSummary(report)}
    >
      <Corpus report={report} />
      <Thresholds report={report} />
      <Agreement report={report} />
      <Examples report={report} />
    </Frame>
  )
}
