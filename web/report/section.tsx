import type { ComponentChildren } from 'preact'

/** A part of the page with its heading, a line or two on how to read it, and its content, or why there is none. */
export function Section(props: {
  id: string
  title: string
  lead?: ComponentChildren
  missing?: string | false
  children?: ComponentChildren
}) {
  const { id, title, lead, missing, children } = props
  return (
    <section id={id} aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>{title}</h2>
      {lead !== undefined && <p class="lead">{lead}</p>}
      {missing ? <p class="empty">{missing}</p> : children}
    </section>
  )
}

/** A table that scrolls inside its frame when the window is narrow; reachable by keyboard. */
export function Table({ label, children }: { label: string; children: ComponentChildren }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
    <section class="scroll" aria-label={label} tabIndex={0}>
      <table>{children}</table>
    </section>
  )
}
