import { render } from 'preact'
import type { RunReport } from '../../src/report/data.ts'
import '../theme.css'
import './style.css'
import { Page } from './page.tsx'

const data: RunReport | null = JSON.parse(document.getElementById('report-data')?.textContent ?? 'null')
const place = document.getElementById('page')
if (place !== null) {
  place.replaceChildren()
  render(
    data === null ? (
      <p>There is no run in this page: make one with smolforge report.</p>
    ) : (
      <Page report={data} />
    ),
    place,
  )
}
