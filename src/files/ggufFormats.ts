/** How a format of GGUF stores numbers: so many elements in a block of so many bytes, a row being whole blocks. */
export interface BlockLayout {
  /** The number that stands for the format in a file. */
  id: number
  elements: number
  bytes: number
}

/** The formats that can be read, by their name in ggml (github.com/ggml-org/ggml, ggml.h: `enum ggml_type`). */
export const ggufFormats = {
  F32: { id: 0, elements: 1, bytes: 4 },
  F16: { id: 1, elements: 1, bytes: 2 },
  Q4_0: { id: 2, elements: 32, bytes: 18 },
  Q4_1: { id: 3, elements: 32, bytes: 20 },
  Q5_0: { id: 6, elements: 32, bytes: 22 },
  Q5_1: { id: 7, elements: 32, bytes: 24 },
  Q8_0: { id: 8, elements: 32, bytes: 34 },
  Q4_K: { id: 12, elements: 256, bytes: 144 },
  Q6_K: { id: 14, elements: 256, bytes: 210 },
  BF16: { id: 30, elements: 1, bytes: 2 },
} as const satisfies Record<string, BlockLayout>

export type GgufFormat = keyof typeof ggufFormats

const formatsById = new Map(
  (Object.entries(ggufFormats) as [GgufFormat, BlockLayout][]).map(([name, { id }]) => [id, name]),
)

/** Names of the formats that are known and cannot be read, for the refusal. */
const otherFormats: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  10: 'Q2_K',
  11: 'Q3_K',
  13: 'Q5_K',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  34: 'TQ1_0',
  35: 'TQ2_0',
  39: 'MXFP4',
}

/** The format of a number in a file; of one that cannot be read, what to call it. */
export function formatOfId(id: number): { format: GgufFormat } | { unreadable: string } {
  const format = formatsById.get(id)
  if (format !== undefined) return { format }
  return { unreadable: otherFormats[id] ?? `the unknown format ${id}` }
}
