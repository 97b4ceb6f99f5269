import { SmolforgeError } from '../errors.ts'
import { readJsonLines } from '../files/jsonl.ts'
import type { LabelledText } from './classifierEvaluation.ts'

/**
 * Reads labels made by a person or a model: JSON lines of `{"text": ..., "label": ...}`.
 *
 * @throws SmolforgeError `input` at the first line that is not that.
 */
export async function readLabels(path: string): Promise<LabelledText[]> {
  const examples: LabelledText[] = []
  for await (const { line, value } of readJsonLines(path)) {
    const example = value as Partial<LabelledText> | null
    if (typeof example?.text !== 'string' || !Number.isFinite(example.label)) {
      throw new SmolforgeError('input', 'A label is a line with "text" and a number "label"', {
        place: { file: path, line },
      })
    }
    examples.push({ text: example.text, label: Number(example.label) })
  }
  return examples
}
