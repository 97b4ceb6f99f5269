/** Lets text through up to a stop string, and holds back an end that could still become one. */
export class StopWatch {
  stopped = false
  readonly #stop: readonly string[]
  #held = ''

  constructor(stop: readonly string[]) {
    this.#stop = stop.filter((each) => each !== '')
  }

  /** What may be shown of the text so far, after this piece. */
  push(text: string): string {
    if (this.stopped) return ''
    const all = this.#held + text
    const found = this.#stop.map((stop) => all.indexOf(stop)).filter((at) => at >= 0)
    if (found.length > 0) {
      this.stopped = true
      this.#held = ''
      return all.slice(0, Math.min(...found))
    }
    const hold = Math.max(0, ...this.#stop.map((stop) => overlap(all, stop)))
    this.#held = all.slice(all.length - hold)
    return all.slice(0, all.length - hold)
  }

  /** What was held back, when the text ends here. */
  end(): string {
    const rest = this.#held
    this.#held = ''
    return rest
  }
}

/** The length of the longest end of `text` that is a beginning of `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) return length
  }
  return 0
}
