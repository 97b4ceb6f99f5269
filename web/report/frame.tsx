import type { ComponentChildren } from 'preact'

/** A report's page: the contents beside it, its name and what happened in sentences, then its sections. */
export function Frame(props: {
  /** Ids of sections and what the contents call them. */
  contents: readonly (readonly [id: string, title: string])[]
  title: string
  when: ComponentChildren
  summary: readonly string[]
  /** Below the summary. */
  figures?: ComponentChildren
  children: ComponentChildren
}) {
  const { contents, title, when, summary, figures, children } = props
  return (
    <div class="layout">
      <nav class="contents" aria-label="Contents">
        <p class="brand">smolforge</p>
        <ol>
          {contents.map(([id, name]) => (
            <li key={id}>
              <a href={`#${id}`}>{name}</a>
            </li>
          ))}
        </ol>
      </nav>
      <main>
        <header class="run">
          <h1>{title}</h1>
          <p class="when">{when}</p>
          <div class="summary">
            {summary.map((sentence) => (
              <p key={sentence}>{sentence}</p>
            ))}
          </div>
          {figures}
        </header>
        {children}
      </main>
    </div>
  )
}
