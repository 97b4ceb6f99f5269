/** How a text becomes the words that are merged one by one; the steps of the native splitter, in their order. */
export type SplitStep = 'gpt2' | 'llama3' | 'qwen2' | 'digits' | 'digitRuns' | 'prefixSpace'

/** The pre-tokenizers of the tokenizers that small models have. */
export const preTokenizers = {
  gpt2: { steps: ['gpt2'], nfc: false },
  smollm2: { steps: ['digits', 'gpt2'], nfc: false },
  llama3: { steps: ['llama3'], nfc: false },
  qwen2: { steps: ['qwen2'], nfc: true },
} as const satisfies Record<string, { steps: readonly SplitStep[]; nfc: boolean }>

/** The name of one of them. */
export type PreTokenizerName = keyof typeof preTokenizers

const gpt2Pattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
const llama3Pattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
const qwen2Pattern = llama3Pattern.replace('{1,3}', '')

/** Patterns of `Split` by what they are written as; the last three say the same as those above in other words. */
const patterns: ReadonlyMap<string, SplitStep> = new Map<string, SplitStep>([
  [gpt2Pattern, 'gpt2'],
  [llama3Pattern, 'llama3'],
  [qwen2Pattern, 'qwen2'],
  ["'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", 'gpt2'],
  ["'(?:[sdmt]|ll|ve|re)| ?\\p{L}++| ?\\p{N}++| ?[^\\s\\p{L}\\p{N}]++|\\s++$|\\s+(?!\\S)|\\s", 'gpt2'],
  [
    "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
    'llama3',
  ],
])

const patternOf = { gpt2: gpt2Pattern, llama3: llama3Pattern, qwen2: qwen2Pattern }

/** The steps of a `pre_tokenizer` of Hugging Face's, or what of it is not understood. */
export function readSplitSteps(part: unknown): { steps: SplitStep[] } | { notUnderstood: string } {
  const list = flatten(part)
  const steps: SplitStep[] = []
  for (const [i, step] of list.entries()) {
    if (!isRecord(step)) return { notUnderstood: `pre-tokenizer ${show(step)}` }
    const isLast = i === list.length - 1
    if (step.type === 'ByteLevel') {
      if (!isLast) return { notUnderstood: `pre-tokenizer ${show(list[i + 1])} after ByteLevel` }
      // Hugging Face's default is true for both.
      if (step.add_prefix_space !== false) steps.push('prefixSpace')
      if (step.use_regex !== false) steps.push('gpt2')
      return { steps }
    }
    const read = readStep(step)
    if (typeof read !== 'string') return read
    steps.push(read)
  }
  const names = list.map((step) => (isRecord(step) ? show(step.type) : show(step))).join(', ')
  return { notUnderstood: `pre-tokenizer ${names || show(part)} without ByteLevel at its end` }
}

/** A `pre_tokenizer` for Hugging Face's libraries that does these steps. */
export function splitStepsJson(steps: readonly SplitStep[]): object {
  const left = [...steps]
  const take = (step: SplitStep): boolean => left.at(-1) === step && left.pop() !== undefined
  const use_regex = take('gpt2')
  const add_prefix_space = take('prefixSpace')
  const parts: object[] = left.map((step) => {
    if (step === 'digits') return { type: 'Digits', individual_digits: true }
    if (step === 'digitRuns') return { type: 'Digits', individual_digits: false }
    if (step === 'prefixSpace') return { type: 'ByteLevel', add_prefix_space: true, use_regex: false }
    return { type: 'Split', pattern: { Regex: patternOf[step] }, behavior: 'Isolated', invert: false }
  })
  const byteLevel = { type: 'ByteLevel', add_prefix_space, trim_offsets: true, use_regex }
  return parts.length === 0 ? byteLevel : { type: 'Sequence', pretokenizers: [...parts, byteLevel] }
}

function readStep(step: Record<string, unknown>): SplitStep | { notUnderstood: string } {
  if (step.type === 'Digits') return step.individual_digits === true ? 'digits' : 'digitRuns'
  if (step.type !== 'Split') return { notUnderstood: `pre-tokenizer ${show(step.type)}` }
  const pattern = isRecord(step.pattern) ? step.pattern.Regex : undefined
  const known = typeof pattern === 'string' ? patterns.get(pattern) : undefined
  if (known === undefined) return { notUnderstood: `the pattern of Split ${show(pattern ?? step.pattern)}` }
  // The patterns match every character, so what they leave over is nothing either way.
  const isolated = step.behavior === 'Isolated' && step.invert !== true
  const matches = step.behavior === 'Removed' && step.invert === true
  if (isolated || matches) return known
  return { notUnderstood: `Split with behavior ${show(step.behavior)}, invert ${show(step.invert)}` }
}

function flatten(part: unknown): unknown[] {
  if (!isRecord(part) || part.type !== 'Sequence' || !Array.isArray(part.pretokenizers)) return [part]
  return (part.pretokenizers as unknown[]).flatMap(flatten)
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 160 ? `${text.slice(0, 157)}...` : text
}
