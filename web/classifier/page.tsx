import { type ClassifierReport, classifierSummary } from '../../src/report/classifierData.ts'
import { day } from '../report/format.ts'
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
    <div class="layout">
      <nav class="contents" aria-label="Contents">
        <p class="brand">smolforge</p>
        <ol>
          {CONTENTS.map(([id, title]) => (
            <li key={id}>
              <a href={`#${id}`}>{title}</a>
            </li>
          ))}
        </ol>
      </nav>
      <main>
        <header class="run">
          <h1>{report.name}</h1>
          <p class="when">
            A quality classifier: {report.features}, {day(report.madeAt)}
          </p>
          <div class="summary">
            {classifierSummary(report).map((sentence) => (
              <p key={sentence}>{sentence}</p>
            ))}
          </div>
        </header>
        <Corpus report={report} />
        <Thresholds report={report} />
        <Agreement report={report} />
        <Examples report={report} />
      </main>
    </div>
  )
}
