import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** How a side is started: its script beside this file, and what the script is told. */
export interface SideProgram {
  name: string
  script: 'smolforge.mjs' | 'llamaCpp.mjs'
  args: readonly string[]
}

/** One of the compared programs in a process of its own, plain node: one line of JSON for each line asked. */
export class InferSide {
  peakRssBytes = 0
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  #complaints = ''

  constructor({ script, args }: SideProgram) {
    const path = fileURLToPath(new URL(script, import.meta.url))
    this.#child = spawn(process.execPath, [path, ...args], { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child.stderr?.on('data', (chunk) => {
      this.#complaints += chunk
    })
    if (this.#child.stdout === null) throw new Error('the side has no output')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  /** What the script answers to `task`. @throws Error with its words when it ended. */
  async ask<T>(task: string): Promise<T> {
    this.#child.stdin?.write(`${task}\n`)
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) throw new Error(`it ended: ${this.#complaints.trim().split('\n').slice(-5).join('\n')}`)
      // Loaders of models may talk on standard output too.
      if (!value.startsWith('{')) continue
      const answer = JSON.parse(value) as { value: T; peakRssBytes: number }
      this.peakRssBytes = Math.max(this.peakRssBytes, answer.peakRssBytes)
      return answer.value
    }
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#child.once('close', resolve))
    this.#child.stdin?.end()
    await ended
  }
}
