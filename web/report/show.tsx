import { type ComponentType, render } from 'preact'

/** Shows the report that stands in the page as JSON; a page that was not filled says how one is made. */
export function showReport<Report>(
  Page: ComponentType<{ report: Report }>,
  empty: { what: string; command: string },
): void {
  const report: Report | null = JSON.parse(document.getElementById('report-data')?.textContent ?? 'null')
  const place = document.getElementById('page')
  if (place === null) return
  place.replaceChildren()
  const page =
    report === null ? (
      <p>
        There is no {empty.what} in this page: make one with {empty.command}.
      </p>
    ) : (
      <Page report={report} />
    )
  render(page, place)
}
