import type { ReportEvaluation, ReportScore, RunReport } from './data.ts'

/**
 * What happened, in sentences with their numbers, and whether the model learned: said for a reader who sees a run for
 * the first time. An accuracy counts as above chance only when its whole interval is; bits per byte of model and
 * baselines are of the same held-out bytes and are compared as they are.
 */
export function summarize(report: Omit<RunReport, 'summary'>): string[] {
  return [
    corpusSentence(report),
    trainingSentence(report),
    packingSentence(report),
    ...learnedSentences(report),
    ...endSentences(report),
  ]
    .filter((sentence) => sentence !== undefined)
    .map((sentence) => sentence.trim())
}

/** The evaluation of the last model that there is, and the one of the base model. */
export function lastEvaluation(report: Pick<RunReport, 'evaluations'>): ReportEvaluation | undefined {
  return report.evaluations.at(-1)
}

export function baseEvaluation(report: Pick<RunReport, 'evaluations'>): ReportEvaluation | undefined {
  return (
    report.evaluations.find((one) => one.label === 'base') ??
    report.evaluations.filter((one) => one.label.startsWith('stage')).at(-1)
  )
}

/** The accuracy that the page leads with: the last model's choice task with the most items. */
export function headlineScore(report: Pick<RunReport, 'evaluations'>): ReportScore | undefined {
  const choices = (lastEvaluation(report)?.scores ?? []).filter((score) => score.chance !== undefined)
  const preferred = choices.filter((score) => score.form === 'multiple-choice')
  return [...(preferred.length > 0 ? preferred : choices)].sort((a, b) => b.n - a.n)[0]
}

/** In how many domains the base model needs fewer bits than a baseline, of those where both were measured. */
export function compareToBaseline(
  report: Pick<RunReport, 'evaluations' | 'baselines'>,
  kind: 'compressor' | 'kneserNey',
): { better: string[]; worse: string[] } {
  const better: string[] = []
  const worse: string[] = []
  for (const score of baseEvaluation(report)?.heldOut ?? []) {
    const baseline = report.baselines.find((one) => one.domain === score.domain)
    const compressed = [baseline?.zstd?.bitsPerByte, baseline?.xz?.bitsPerByte].filter(
      (one) => one !== undefined,
    )
    const bar = kind === 'kneserNey' ? baseline?.kneserNey?.bitsPerByte : Math.min(...compressed)
    if (bar === undefined || !Number.isFinite(bar)) continue
    if (score.bitsPerByte < bar) better.push(score.domain)
    else worse.push(score.domain)
  }
  return { better, worse }
}

function corpusSentence({ funnel, sources }: Omit<RunReport, 'summary'>): string | undefined {
  const first = funnel[0]
  const last = funnel.at(-1)
  if (first === undefined || last === undefined) return undefined
  const share = first.bytesIn > 0 ? Math.round((100 * last.bytesOut) / first.bytesIn) : 0
  return (
    `${countWords(sources.length, 'source')} gave ${first.documentsIn.toLocaleString('en')} documents ` +
    `(${megabytes(first.bytesIn)}); curation kept ${last.documentsOut.toLocaleString('en')} of them ` +
    `(${megabytes(last.bytesOut)}, ${share}\u00a0% of the bytes).`
  )
}

function trainingSentence(report: Omit<RunReport, 'summary'>): string | undefined {
  const { model, tokensTrained, stages, sft, dpo } = report
  if (model === undefined || tokensTrained === 0) return undefined
  const after = [sft && 'instruction tuning', dpo && 'preference tuning'].filter(Boolean).join(' and ')
  return (
    `A model of ${millions(model.parameters)} parameters read ${millions(tokensTrained)} tokens in ` +
    `${countWords(stages.length || 1, 'stage')}${after ? `, then went through ${after}` : ''}.`
  )
}

function packingSentence({ stages }: Omit<RunReport, 'summary'>): string | undefined {
  const rows = stages.flatMap((stage) => stage.rows ?? [])
  const total = (name: 'places' | 'padding' | 'continued') => rows.reduce((sum, one) => sum + one[name], 0)
  const places = total('places')
  if (places === 0) return undefined
  const how = new Set(rows.map(({ packing }) => (packing === 'best-fit' ? 'by best fit' : 'end to end')))
  return (
    `Documents were packed ${[...how].join(' and ')}: ${percent(total('padding') / places)} of the places in its ` +
    `batches were padding, ${percent(total('continued') / places)} held tokens cut off from their document’s beginning.`
  )
}

function learnedSentences(report: Omit<RunReport, 'summary'>): (string | undefined)[] {
  const sentences: (string | undefined)[] = []
  const compressor = compareToBaseline(report, 'compressor')
  const ngram = compareToBaseline(report, 'kneserNey')
  if (compressor.better.length + compressor.worse.length > 0) {
    sentences.push(
      `On held-out text it never saw, the base model needs fewer bits per byte than the compressors ` +
        `(with the training text as prefix) ${inDomains(compressor)}` +
        (ngram.better.length + ngram.worse.length > 0
          ? `, and fewer than the Kneser-Ney n-gram model ${inDomains(ngram)}.`
          : '.'),
    )
  }
  const score = headlineScore(report)
  if (score?.chance !== undefined) {
    const label = lastEvaluation(report)?.label ?? 'last'
    const verdict =
      score.low > score.chance
        ? 'above chance, interval and all'
        : score.high < score.chance
          ? 'below chance'
          : 'not distinguishable from chance'
    sentences.push(
      `The ${label} model answers ${percent(score.value)} of the ${score.n} items of “${score.task}” ` +
        `(95 % interval ${percent(score.low)} to ${percent(score.high)}, chance ${percent(score.chance)}): ${verdict}.`,
    )
  }
  return sentences
}

function endSentences({ finished, missing, steps }: Omit<RunReport, 'summary'>): string[] {
  if (finished) return []
  return [
    `The run is not finished: ${countWords(steps.length, 'step')} done, ${countWords(missing.length, 'step')} to go, the next is ${missing[0]}. ` +
      'Run the same command again and it goes on where it stopped.',
  ]
}

function inDomains({ better, worse }: { better: string[]; worse: string[] }): string {
  const all = better.length + worse.length
  if (worse.length === 0) return all === 1 ? 'in its one domain' : `in all ${all} domains`
  if (better.length === 0) return all === 1 ? 'not in its one domain' : `in none of the ${all} domains`
  return `in ${better.length} of ${all} domains (not in ${worse.join(', ')})`
}

const countWords = (n: number, noun: string) => `${n} ${noun}${n === 1 ? '' : 's'}`
const percent = (share: number) => `${(100 * share).toFixed(1)}\u00a0%`
const megabytes = (bytes: number) =>
  bytes >= 1e6 ? `${(bytes / 1e6).toFixed(1)}\u00a0MB` : `${Math.round(bytes / 1e3)}\u00a0kB`

function millions(n: number): string {
  if (n >= 1e9) return `${(n / 1e9).toFixed(2)} billion`
  if (n >= 1e6) return `${(n / 1e6).toFixed(1)} million`
  return n.toLocaleString('en')
}
