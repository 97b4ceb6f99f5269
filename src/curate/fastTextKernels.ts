import { loadAddon } from '../native/addon.ts'

interface FastTextKernels {
  FastTextModel: new (path: string) => NativeFastText
}

/** A supervised fastText model in the addon's memory. */
export interface NativeFastText {
  labels(): string[]
  description(): { dimensions: number; words: number; loss: string; quantised: boolean }
  /** `counts[i]` labels of text i, likeliest first, all texts one after the other. */
  predict(
    texts: readonly string[],
    most: number,
    threshold: number,
    threads?: number,
  ): Promise<{ counts: Uint32Array; labels: Uint32Array; probabilities: Float32Array }>
}

export const fastTextKernels = (): FastTextKernels => loadAddon<FastTextKernels>()
