import { hashJson } from './canonical.ts'
import type { Step } from './step.ts'
import { stepKinds } from './steps/registry.ts'

/** Steps by name, each keyed by its kind, its code's version, its configuration and its inputs' keys. */
export class StepPlan {
  readonly steps: Step[] = []
  readonly #keys = new Map<string, string>()

  add(name: string, kind: string, inputs: readonly string[], config: unknown): string {
    const version = stepKinds[kind].version
    const inputKeys = inputs.map((input) => [input, this.#keys.get(input)])
    const key = hashJson({ kind, version, config, inputs: inputKeys })
    this.#keys.set(name, key)
    this.steps.push({ name, kind, inputs, config, key })
    return name
  }

  names(): string[] {
    return this.steps.map(({ name }) => name)
  }
}
