import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { SmolforgeError } from '../errors.ts'

const ADDON_PATH = fileURLToPath(new URL('../../native/smolforge.node', import.meta.url))

/**
 * Loads the native addon once and hands it out under the part of its interface that a room declares for itself
 * (`loadAddon<TextKernels>()`): each room writes down the functions it calls, next to where it calls them.
 *
 * @throws SmolforgeError `environment` when the addon was not built or does not fit this machine.
 */
export function loadAddon<Kernels extends object>(): Kernels {
  loaded ??= openAddon()
  return loaded as Kernels
}

let loaded: object | undefined

function openAddon(): object {
  try {
    return createRequire(import.meta.url)(ADDON_PATH) as object
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'MODULE_NOT_FOUND'
    throw new SmolforgeError(
      'environment',
      missing ? 'The native addon is not built' : `The native addon does not load: ${cause}`,
      {
        place: { file: ADDON_PATH },
        hint: 'Build it with: npm run build:native (needs a stable Rust toolchain, see https://rustup.rs).',
        cause,
      },
    )
  }
}
