import { render } from 'preact'
import type { ClassifierReport } from '../../src/report/classifierData.ts'
import '../theme.css'
import '../report/style.css'
import './style.css'
import { Page } from './page.tsx'

const data: ClassifierReport | null = JSON.parse(
  document.getElementById('report-data')?.textContent ?? 'null',
)
const place = document.getElementById('page')
if (place !== null) {
  place.replaceChildren()
  render(
    data === null ? (
      <p>There is no classifier in this page: make one with smolforge classifier train.</p>
    ) : (
      <Page report={data} />
    ),
    place,
  )
}
