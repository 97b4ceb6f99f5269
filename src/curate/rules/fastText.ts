import { SmolforgeError } from '../../errors.ts'
import type { FastTextModel } from '../fastText.ts'
import type { Rule, Verdict } from '../verdict.ts'

export interface FastTextRuleOptions {
  model: FastTextModel
  /** Documents stay that have one of these labels with its probability or more: `{ __label__hq: 0.6 }`. */
  keepLabels?: Readonly<Record<string, number>>
  /** Documents go that have one of these labels with its probability or more. */
  removeLabels?: Readonly<Record<string, number>>
  /** The name of the classifier on the document: `scores.NAME` is the probability of the first label named. */
  filterName?: string
}

/**
 * Keeps or removes documents by a fastText classifier: datatrove's `FastTextClassifierFilter` with its parameters.
 * Labels may be written without `__label__`.
 *
 * @throws SmolforgeError `input` when the model has no such label.
 */
export function fastTextRule(options: FastTextRuleOptions): Rule {
  const { model, filterName = 'fastText' } = options
  const keepLabels = indexed(model, options.keepLabels)
  const removeLabels = indexed(model, options.removeLabels)
  const first = keepLabels[0] ?? removeLabels[0]
  if (first === undefined)
    throw new SmolforgeError('usage', 'Say which labels are kept, or which are removed')
  return {
    name: filterName,
    async judge(batch) {
      const texts = batch.map(({ text }) => text)
      const predicted = await model.predict(texts, { k: model.labels.length })
      return predicted.map((found): Verdict => {
        const probabilities = new Map(found.map(({ label, probability }) => [label, probability]))
        const of = (label: string) => probabilities.get(label) ?? 0
        const bad = removeLabels.find(([label, least]) => of(label) >= least)
        if (bad) {
          const [label, threshold] = bad
          const rule = `${filterName}.removeLabels`
          return { keep: false, rule, value: of(label), threshold, detail: { label } }
        }
        if (keepLabels.length > 0 && !keepLabels.some(([label, least]) => of(label) >= least)) {
          const [label, threshold] = keepLabels[0]
          const rule = `${filterName}.keepLabels`
          return { keep: false, rule, value: of(label), threshold, detail: { label } }
        }
        return { keep: true, changes: { scores: { [filterName]: of(first[0]) } } }
      })
    },
  }
}

function indexed(model: FastTextModel, labels: Readonly<Record<string, number>> = {}): [string, number][] {
  return Object.entries(labels).map(([name, least]) => {
    const label = [name, `__label__${name}`].find((spelled) => model.labels.includes(spelled))
    if (label !== undefined) return [label, least]
    const some = model.labels.slice(0, 8).join(', ')
    throw new SmolforgeError('input', `The fastText model has no label ${name}`, {
      hint: `It has ${model.labels.length}: ${some}${model.labels.length > 8 ? ', ...' : ''}`,
    })
  })
}
