import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

/** A plot that is as wide as its place and is drawn anew when that changes. */
export function Chart(props: {
  label: string
  title?: ComponentChildren
  caption?: ComponentChildren
  draw: (width: number) => Element
}) {
  const { label, title, caption, draw } = props
  const place = useRef<HTMLDivElement>(null)
  useEffect(() => {
    const element = place.current
    if (element === null) return
    let drawn = 0
    const redraw = () => {
      const width = Math.floor(element.clientWidth)
      if (width < 40 || width === drawn) return
      drawn = width
      element.replaceChildren(draw(width))
    }
    redraw()
    const observer = new ResizeObserver(redraw)
    observer.observe(element)
    return () => observer.disconnect()
  }, [draw])
  return (
    <figure>
      {title !== undefined && <p class="chart-title">{title}</p>}
      <div ref={place} class="chart" role="img" aria-label={label} />
      {caption !== undefined && <figcaption>{caption}</figcaption>}
    </figure>
  )
}

export function Legend({ items }: { items: readonly LegendItem[] }) {
  return (
    <ul class="legend">
      {items.map(({ name, colour, shape }) => (
        <li key={name}>
          <span class={`key ${shape ?? ''}`} style={{ '--swatch': colour }} aria-hidden="true" />
          {name}
        </li>
      ))}
    </ul>
  )
}

interface LegendItem {
  name: string
  colour: string
  shape?: 'line' | 'line dashed'
}
