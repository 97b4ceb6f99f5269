import type { RunReport } from './data.ts'
import { baseEvaluation } from './summary.ts'

/**
 * The model card (`README.md` of the model's folder, as the Hugging Face hub reads it): how the model was made, from
 * what, what it scores with which interval, and what it is not good for.
 */
export function modelCard(report: RunReport): string {
  const { model, tokenizer, tokensTrained, stages, sft, dpo } = report
  const context = model?.config.max_position_embeddings
  const after = [sft && 'instruction tuning (SFT)', dpo && 'preference tuning (DPO)']
    .filter(Boolean)
    .join(' and ')
  return page([
    ['---', 'library_name: transformers', 'pipeline_tag: text-generation', 'tags: [smolforge]', '---'].join(
      '\n',
    ),
    `# ${plain(report.name)}`,
    report.summary.map(plain).join(' '),
    '## How it was made',
    list([
      model && `Llama architecture, ${whole(model.parameters)} parameters, context of ${context} tokens`,
      tokenizer && `byte-level BPE with a vocabulary of ${whole(tokenizer.vocabSize)}`,
      `pretrained on ${whole(tokensTrained)} tokens in ${stages.length || 1} stages${after ? `, then ${after}` : ''}`,
      `by smolforge ${report.versions.smolforge ?? ''} from the recipe ${report.recipeFile ?? report.name}`,
    ]),
    stages.length > 0 && mixtureTable(report),
    '## Data',
    sourceTable(report),
    '## Scores',
    scoreTable(report),
    heldOutTable(report),
    '## Limits',
    list([
      'It is a small model trained on little text: it makes up facts, loses the thread and repeats itself. Do not rely on what it says.',
      context && `It reads at most ${context} tokens at a time.`,
      'It has seen mostly English, and the opinions and mistakes of its sources. It was not tuned or tested for safety.',
      'Its weights learned from the sources above: see their licences before you share it.',
    ]),
  ])
}

/** The data set card (`data-card.md` of a run): what went in, by which rules it was cut, and what is left. */
export function dataCard(report: RunReport): string {
  const { funnel, shards } = report
  return page([
    `# The training text of ${plain(report.name)}`,
    'Made from the sources below by the curation steps below; every dropped document is in `dropped.jsonl.zst` of its step, with the rule and the number that dropped it.',
    '## Sources and licences',
    sourceTable(report),
    '## Curation',
    table(
      ['Step', 'Documents in', 'Documents out', 'Bytes in', 'Bytes out', 'Dropped by'],
      funnel.map((step) => [
        step.step,
        whole(step.documentsIn),
        whole(step.documentsOut),
        whole(step.bytesIn),
        whole(step.bytesOut),
        Object.entries(step.dropped)
          .map(([rule, drop]) => `${rule} ${whole(drop.documents)}`)
          .join('; '),
      ]),
    ),
    shards.length > 0 && '## What is left for training',
    shards.length > 0 &&
      table(
        ['Domain', 'Documents', 'Tokens'],
        shards.map((shard) => [shard.domain, whole(shard.documents), whole(shard.tokens)]),
      ),
    '## Limits',
    list([
      'The rules judge form more than truth: a well-formed mistake stays, an odd gem may go.',
      'Near-duplicates are found by MinHash: a few pairs are missed, a few are taken for one.',
      'Licences are what the sources say of themselves.',
    ]),
  ])
}

function sourceTable({ sources }: RunReport): string {
  return table(
    ['Source', 'Domain', 'Licence', 'From', 'Documents read', 'Documents kept', 'Bytes kept'],
    sources.map(({ name, domain = '', licence = 'unknown', origin, read, kept }) => [
      name,
      domain,
      licence,
      origin,
      read ? whole(read.documents) : '',
      kept ? whole(kept.documents) : '',
      kept ? whole(kept.bytes) : '',
    ]),
  )
}

function mixtureTable({ stages }: RunReport): string {
  const domains = [...new Set(stages.flatMap((stage) => Object.keys(stage.weights)))]
  return table(
    ['Stage', 'Tokens', ...domains],
    stages.map(({ stage, tokensStart, tokensEnd, weights }) => [
      String(stage),
      whole(tokensEnd - tokensStart),
      ...domains.map((domain) => percent(weights[domain] ?? 0)),
    ]),
  )
}

function scoreTable({ evaluations }: RunReport): string | false {
  const rows = evaluations.flatMap(({ label, scores }) =>
    scores.map((score) => [
      label,
      score.task,
      `${percent(score.value)} (${percent(score.low)} to ${percent(score.high)})`,
      score.chance === undefined ? '' : percent(score.chance),
      `${score.metric}, ${score.form}, ${score.shots}-shot${score.normalisation ? `, normalised by ${score.normalisation}` : ''}, ${score.n} items`,
    ]),
  )
  return rows.length > 0 && table(['Model', 'Task', 'Score (95 % interval)', 'Chance', 'How'], rows)
}

function heldOutTable(report: RunReport): string | false {
  const measured = baseEvaluation(report)
  const rows = (measured?.heldOut ?? []).map(({ domain, bitsPerByte, low, high }) => {
    const baseline = report.baselines.find((one) => one.domain === domain)
    const interval =
      low === undefined || high === undefined ? '' : ` (${low.toFixed(3)} to ${high.toFixed(3)})`
    return [
      domain,
      bitsPerByte.toFixed(3) + interval,
      baseline?.zstd?.bitsPerByte.toFixed(3) ?? '',
      baseline?.xz?.bitsPerByte.toFixed(3) ?? '',
      baseline?.kneserNey?.bitsPerByte.toFixed(3) ?? '',
    ]
  })
  return (
    rows.length > 0 &&
    `Held-out bits per byte of the ${measured?.label} model, less is better:\n\n${table(
      ['Domain', 'Model (95 % interval)', 'zstd -22', 'xz -9e', 'Kneser-Ney'],
      rows,
    )}`
  )
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(plain).join(' | ')} |`
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n')
}

/** Names come from recipes and files: nothing in them may become markup or end a cell. */
const plain = (text: string) => text.replace(/\s+/g, ' ').replace(/[\\`*_[\]<>|#]/g, '\\$&')

const page = (parts: readonly (string | false | undefined)[]) => `${parts.filter(Boolean).join('\n\n')}\n`
const list = (items: readonly (string | number | false | undefined)[]) =>
  items
    .filter(Boolean)
    .map((item) => `- ${item}`)
    .join('\n')
const whole = (n: number) => Math.round(n).toLocaleString('en')
const percent = (share: number) => `${(100 * share).toFixed(1)} %`
