import { SmolforgeError } from '../errors.ts'
import { readJsonLines } from '../files/jsonl.ts'
import type { LabelledText } from './classifierEvaluation.ts'
import { type Statistics, textStatistics } from './statistics.ts'

/**
 * Heuristic labels from 0 to 5 to start a quality classifier with when no person or large model has labelled
 * anything. An additive rubric in the spirit of FineWeb-Edu's prompt, each point for a sign that can be counted:
 * enough running text, explanation, definitions or doc comments, worked steps or examples, structure; points go for
 * lists and tables, licence text, generated or minified files. Such labels measure the signs, not education.
 */
export function seedLabels(texts: readonly string[]): number[] {
  const statistics = textStatistics(texts)
  return texts.map((text, i) => seedLabel(text, statistics[i]))
}

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

function seedLabel(text: string, statistics: Statistics): number {
  return text.length + statistics.get('words') // todo
}
