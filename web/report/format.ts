/** Numbers as a reader wants them: three figures, the unit beside them, no more digits than were measured. */
export function compact(n: number): string {
  if (n >= 1e9) return `${trim(n / 1e9)}\u00a0B`
  if (n >= 1e6) return `${trim(n / 1e6)}\u00a0M`
  if (n >= 1e4) return `${trim(n / 1e3)}\u00a0k`
  return whole(n)
}

export const whole = (n: number) => Math.round(n).toLocaleString('en')

export function bytes(n: number): string {
  if (n >= 1e9) return `${trim(n / 1e9)}\u00a0GB`
  if (n >= 1e6) return `${trim(n / 1e6)}\u00a0MB`
  if (n >= 1e3) return `${trim(n / 1e3)}\u00a0kB`
  return `${whole(n)}\u00a0B`
}

export function duration(seconds: number): string {
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1000))}\u00a0ms`
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)}\u00a0s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}\u00a0min ${Math.round(seconds % 60)}\u00a0s`
  return `${Math.floor(minutes / 60)}\u00a0h ${minutes % 60}\u00a0min`
}

export const percent = (share: number, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`
export const bits = (value: number) => value.toFixed(3)

/** A number of which nothing is known beforehand: a rule's value, a weight, a difference. */
export function plain(value: number): string {
  if (Number.isInteger(value)) return whole(value)
  const size = Math.abs(value)
  if (size >= 1000) return whole(value)
  return size >= 0.001 ? String(Number(value.toPrecision(4))) : value.toExponential(2)
}

export function day(iso: string | undefined): string {
  const date = new Date(iso ?? '')
  if (Number.isNaN(date.getTime())) return ''
  return date
    .toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })
    .concat(' UTC')
}

const trim = (n: number) => String(Number(n.toFixed(n >= 100 ? 0 : n >= 10 ? 1 : 2)))
