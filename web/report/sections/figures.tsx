import type { RunReport } from '../../../src/report/data.ts'
import {
  baseEvaluation,
  compareToBaseline,
  headlineScore,
  lastEvaluation,
} from '../../../src/report/summary.ts'
import { compact, duration, percent } from '../format.ts'

/** The six numbers that a reader asks for first. */
export function Figures({ report }: { report: RunReport }) {
  const shown = [model(report), data(report), heldOut(report), accuracy(report), time(report)]
  return (
    <dl class="figures">
      {shown
        .flatMap((figure) => figure ?? [])
        .map(({ name, value, note }) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <span class="value">{value}</span>
              <span class="note">{note}</span>
            </dd>
          </div>
        ))}
    </dl>
  )
}

interface Figure {
  name: string
  value: string
  note: string
}

function model({ model, tokenizer }: RunReport): Figure | undefined {
  if (model === undefined) return undefined
  const { num_hidden_layers: layers, hidden_size: width } = model.config
  const vocabulary = tokenizer === undefined ? '' : `, ${compact(tokenizer.vocabSize)} vocabulary`
  return {
    name: 'Parameters',
    value: compact(model.parameters),
    note: `${layers} layers of ${width}${vocabulary}`,
  }
}

function data({ tokensTrained, shards }: RunReport): Figure | undefined {
  if (tokensTrained === 0) return undefined
  const there = shards.reduce((sum, shard) => sum + shard.tokens, 0)
  const note = there > 0 ? `of a corpus of ${compact(there)}` : 'in pretraining'
  return { name: 'Tokens trained on', value: compact(tokensTrained), note }
}

function heldOut(report: RunReport): Figure | undefined {
  const scores = baseEvaluation(report)?.heldOut ?? []
  if (scores.length === 0) return undefined
  const mean = scores.reduce((sum, score) => sum + score.bitsPerByte, 0) / scores.length
  const ngram = compareToBaseline(report, 'kneserNey')
  const measured = ngram.better.length + ngram.worse.length
  const note =
    measured === 0 ? 'mean of domains' : `better than 5-gram in ${ngram.better.length} of ${measured} domains`
  return { name: 'Held-out bits per byte', value: mean.toFixed(2), note }
}

function accuracy(report: RunReport): Figure | undefined {
  const score = headlineScore(report)
  if (score?.chance === undefined) return undefined
  return {
    name: `Accuracy, ${lastEvaluation(report)?.label} model`,
    value: percent(score.value),
    note: `${percent(score.low)} to ${percent(score.high)}, chance ${percent(score.chance, 0)}`,
  }
}

function time({ totalSeconds, machine, steps }: RunReport): Figure {
  const cores = machine.cores === undefined ? '' : ` on ${machine.cores} cores`
  return { name: 'Total time', value: duration(totalSeconds), note: `${steps.length} steps${cores}` }
}
