import { SmolforgeError } from '../errors.ts'
import type { Backend, EngineInfo, EngineSettings, MemoryUse, ProfileEntry } from './backend.ts'
import { openNativeBackend } from './backends/native.ts'

/**
 * Sets the number of threads, the precision of matmul inputs or the instruction set, for this thread of Node.
 * What is left out stays as it is: at first all cores, f32, and the widest instruction set that passes its
 * self-check (or what SMOLFORGE_THREADS and SMOLFORGE_ISA say).
 *
 * @throws SmolforgeError `usage` for a setting that this machine cannot fulfil.
 */
export function configure(settings: EngineSettings): EngineInfo {
  return backend().configure(settings)
}

/** The instruction set, threads, precision and CPU that the engine works with. */
export function engineInfo(): EngineInfo {
  return backend().info()
}

/** What a model should store its activations as: bf16 where matmul inputs are bf16 by the engine's precision. */
export function activationType(): 'f32' | 'bf16' {
  return engineInfo().precision
}

/** Milliseconds and calls by kernel since the last reset, longest first. */
export function engineProfile({ reset = false } = {}): ProfileEntry[] {
  return backend()
    .profile(reset)
    .sort((a, b) => b.milliseconds - a.milliseconds)
}

/** Bytes held by the step arena and by tensors that live outside of steps. */
export function engineMemory(): MemoryUse {
  return backend().memory()
}

/** The backend of this thread of Node, opened at the first use. */
export function backend(): Backend {
  opened ??= explained(openNativeBackend())
  return opened
}

let opened: Backend | undefined

/**
 * The same backend with errors of our family. What it refuses, such as a tensor of a type that a kernel does not take, is
 * a mistake of the caller; anything else, such as a panic of a kernel, is one of ours.
 */
function explained(backend: Backend): Backend {
  const explain = (call: (...args: unknown[]) => unknown) => {
    return (...args: unknown[]) => {
      try {
        return call(...args)
      } catch (cause) {
        if (cause instanceof SmolforgeError || !(cause instanceof Error)) throw cause
        const refused = 'code' in cause && cause.code === 'GenericFailure'
        throw new SmolforgeError(refused ? 'usage' : 'internal', cause.message, { cause })
      }
    }
  }
  const members = Object.entries(backend).map(([name, member]) => [
    name,
    typeof member === 'function' ? explain(member) : member,
  ])
  return Object.fromEntries(members)
}
