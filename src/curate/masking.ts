import { loadAddon } from '../native/addon.ts'

export type MaskKind = 'email' | 'ipv4' | 'ipv6' | 'phone' | 'secret' | 'privateKey'

/** What stands in place of what is found; an empty list leaves that kind alone. Several take turns within a text. */
export interface MaskReplacements {
  email: readonly string[]
  ip: readonly string[]
  phone: readonly string[]
  secret: readonly string[]
  onlyPublicIps: boolean
  anyEmailSuffix: boolean
}

interface MaskKernels {
  maskKinds(): MaskKind[]
  maskTexts(
    texts: readonly string[],
    replacements: MaskReplacements,
    threads?: number,
  ): Promise<{ changed: Uint32Array; texts: string[]; counts: Uint32Array }>
}

/** The text that is left of one, and how many of each kind were replaced; both absent where nothing was found. */
export interface MaskedText {
  text?: string
  counts?: Partial<Record<MaskKind, number>>
}

/** Replaces what is found in each text, natively on all threads. */
export async function maskTexts(
  texts: readonly string[],
  replacements: MaskReplacements,
  threads?: number,
): Promise<MaskedText[]> {
  const native = loadAddon<MaskKernels>()
  const kinds = native.maskKinds()
  const found = await native.maskTexts(texts, replacements, threads)
  const masked: MaskedText[] = texts.map(() => ({}))
  found.changed.forEach((at, i) => {
    const counts: Partial<Record<MaskKind, number>> = {}
    kinds.forEach((kind, column) => {
      const count = found.counts[at * kinds.length + column]
      if (count > 0) counts[kind] = count
    })
    masked[at] = { text: found.texts[i], counts }
  })
  return masked
}
