import colors from 'picocolors'
import { explainError, SmolforgeError } from '../errors.ts'

/**
 * Where a command's words go. Without `--json` standard output is for people; with it standard output carries one JSON
 * object a line and nothing else, and what people should know goes to standard error.
 */
export class Output {
  readonly json: boolean

  constructor(options: { json?: boolean } = {}) {
    this.json = options.json === true
  }

  /** A line for a person. */
  say(line: string): void {
    ;(this.json ? process.stderr : process.stdout).write(`${line}\n`)
  }

  /** An object for a script; nothing without `--json`. */
  emit(value: unknown): void {
    if (this.json) process.stdout.write(`${JSON.stringify(value)}\n`)
  }
}

/** What went wrong, for a person on standard error, with `--json` for a script on standard output too. */
export function reportError(error: unknown, json: boolean): void {
  const ours = error instanceof SmolforgeError
  const mark = colors.red('error')
  const text = explainError(error)
  process.stderr.write(`${mark} ${text}\n`)
  const isDefect = !ours || error.code === 'internal'
  if (isDefect && error instanceof Error && error.stack) {
    process.stderr.write(`${colors.dim(error.stack)}\nThis is a defect of smolforge: please report it.\n`)
  }
  if (!json) return
  const { code, place, hint } = ours ? error : { code: 'internal', place: {}, hint: undefined }
  const message = error instanceof Error ? error.message : String(error)
  process.stdout.write(`${JSON.stringify({ type: 'error', code, message, place, hint })}\n`)
}

/** Columns as wide as their widest cell; numbers stand at the right. */
export function table(rows: readonly (readonly (string | number)[])[]): string {
  const cells = rows.map((row) => row.map(String))
  const widths = (cells[0] ?? []).map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)))
  const isNumber = (i: number) =>
    rows.slice(1).every((row) => typeof row[i] === 'number' || /^[\d.,–-]*$/.test(`${row[i]}`))
  return cells
    .map((row) =>
      row
        .map((cell, i) => (isNumber(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** 75 as `1m 15s`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`
  if (seconds < 60) return `${Math.round(seconds)}s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${Math.round(seconds % 60)}s`
  return `${Math.floor(minutes / 60)}h ${minutes % 60}m`
}

export function formatCount(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : String(Number(value.toPrecision(4)))
}
