import colors from 'picocolors'
import type { RunEvent } from '../recipe/index.ts'
import { formatCount, formatSeconds, type Output } from './output.ts'

type ProgressEvent = Extract<RunEvent, { type: 'progress' }>

const LIVE_EVERY_MS = 100
const PLAIN_EVERY_MS = 15_000
const JSON_EVERY_MS = 1000

/**
 * Shows a run: on a terminal one live line for the step at work, piped a line now and then, with `--json` objects.
 * Call `end` when the run is over, however it ended.
 */
export class ProgressView {
  readonly #output: Output
  readonly #live: boolean
  #lastShown = 0
  #lineIsOpen = false
  #stepStarted = Date.now()
  #first: { at: number; done: number } | undefined

  constructor(output: Output) {
    this.#output = output
    this.#live = !output.json && process.stdout.isTTY === true
  }

  readonly show = (event: RunEvent): void => {
    if (this.#output.json) this.#showJson(event)
    else this.#showText(event)
  }

  end(): void {
    this.#clear()
  }

  #showJson(event: RunEvent): void {
    if (event.type === 'progress' && !this.#isDue(JSON_EVERY_MS)) return
    if (event.type === 'step-done') {
      const { decisions: _, files, ...record } = event.record
      this.#output.emit({
        type: event.type,
        step: event.step,
        kept: event.kept,
        record: { ...record, files: Object.keys(files).length },
      })
    } else this.#output.emit(event)
  }

  #showText(event: RunEvent): void {
    switch (event.type) {
      case 'plan': {
        const left = event.steps.filter(({ done }) => !done).length
        const all = event.steps.length
        this.#line(
          `${event.runDir}: ${left === 0 ? `all ${all} steps are done` : `${left} of ${all} steps to do`}`,
        )
        return
      }
      case 'step-started':
        this.#stepStarted = Date.now()
        this.#lastShown = Date.now()
        this.#first = undefined
        if (this.#live) this.#draw(`${colors.cyan('•')} ${event.step}${event.goesOn ? ' goes on' : ''}`)
        else if (event.goesOn) this.#line(`${event.step} goes on where it was`)
        return
      case 'progress':
        this.#first ??= { at: Date.now(), done: event.done }
        if (this.#live && this.#isDue(LIVE_EVERY_MS))
          this.#draw(`${colors.cyan('•')} ${this.#describe(event)}`)
        else if (!this.#live && this.#isDue(PLAIN_EVERY_MS)) this.#line(`  ${this.#describe(event)}`)
        return
      case 'step-done': {
        if (event.kept) return
        const { seconds, counts, metrics, warnings } = event.record
        const facts = [...Object.entries(counts), ...Object.entries(metrics)]
          .slice(0, 5)
          .map(([name, value]) => `${name} ${formatCount(value)}`)
        const time = colors.dim(formatSeconds(seconds))
        this.#line(
          `${colors.green('✓')} ${event.step} ${time}${facts.length > 0 ? `  ${facts.join(', ')}` : ''}`,
        )
        for (const warning of warnings) this.#line(`  ${colors.yellow('!')} ${warning}`)
        return
      }
      case 'run-done':
        this.#line(`${event.done} steps done, ${event.kept} kept, ${formatSeconds(event.seconds)}`)
    }
  }

  #describe(event: ProgressEvent): string {
    const { step, done, total, unit, metrics = {}, message } = event
    const amount =
      total === undefined
        ? `${formatCount(done)} ${unit}`
        : `${formatCount(done)}/${formatCount(total)} ${unit}`
    const parts = [step, message, amount]
    if (metrics.loss !== undefined) parts.push(`loss ${metrics.loss.toFixed(3)}`)
    if (metrics.tokensPerSecond !== undefined)
      parts.push(`${formatCount(Math.round(metrics.tokensPerSecond))} tokens/s`)
    const left = this.#secondsLeft(event)
    if (left !== undefined) parts.push(`${formatSeconds(left)} left`)
    parts.push(colors.dim(formatSeconds((Date.now() - this.#stepStarted) / 1000)))
    return parts.filter(Boolean).join(' · ')
  }

  /** From the speed since the first report: a step that goes on does not count what was done before. */
  #secondsLeft({ done, total }: ProgressEvent): number | undefined {
    if (total === undefined || this.#first === undefined || done <= this.#first.done) return undefined
    const speed = (done - this.#first.done) / (Date.now() - this.#first.at)
    const left = (total - done) / speed / 1000
    return left > 1 && Number.isFinite(left) ? left : undefined
  }

  #isDue(everyMs: number): boolean {
    if (Date.now() - this.#lastShown < everyMs) return false
    this.#lastShown = Date.now()
    return true
  }

  #draw(text: string): void {
    const width = (process.stdout.columns ?? 80) - 1
    this.#clear()
    process.stdout.write(cutVisible(text, width))
    this.#lineIsOpen = true
  }

  #line(text: string): void {
    this.#clear()
    this.#output.say(text)
  }

  #clear(): void {
    if (!this.#lineIsOpen) return
    process.stdout.write('\r\x1b[2K')
    this.#lineIsOpen = false
  }
}

/** Cuts to so many columns and leaves colour codes whole. */
function cutVisible(text: string, width: number): string {
  let columns = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour codes begin with ESC
  return text.replace(/\x1b\[\d+m|./gu, (piece) =>
    piece.length > 1 && piece.startsWith('\x1b') ? piece : columns++ < width ? piece : '',
  )
}
