import type { Document, DocumentStream } from '../corpus/index.ts'
import { type Funnel, FunnelCounter } from './funnel.ts'
import { judge } from './judge.ts'
import type { DocumentChanges, Rule, Verdict } from './verdict.ts'

export interface ApplyRulesOptions {
  /** The step's name in the funnel. */
  step?: string
  /** Told of every document once, kept or dropped, in the order of the stream; a dropped one as it came in. */
  onVerdict?: (document: Document, verdict: Verdict) => void | Promise<void>
}

/**
 * Sends documents through rules, the next rule seeing what the one before kept. Nothing runs before `kept` is read;
 * `funnel()` is whole once it has been read to its end.
 *
 * @throws SmolforgeError `internal` when a rule answers with the wrong number of verdicts or the sums do not match.
 */
export function applyRules(
  stream: DocumentStream,
  rules: readonly Rule[],
  options: ApplyRulesOptions = {},
): { kept: DocumentStream; funnel(): Funnel } {
  const counter = new FunnelCounter(options.step ?? 'curate')
  async function* judged(): AsyncGenerator<Document[]> {
    for await (const batch of stream) {
      const candidates = batch.map((document) => startCandidate(document, counter))
      let alive = candidates
      for (const rule of rules) {
        if (alive.length === 0) break
        await judgeCandidates(rule, alive)
        alive = alive.filter(({ verdict }) => verdict.keep)
      }
      for (const candidate of candidates) {
        count(candidate, counter)
        await options.onVerdict?.(
          candidate.verdict.keep ? candidate.document : candidate.original,
          candidate.verdict,
        )
      }
      if (alive.length > 0) yield alive.map(({ document }) => document)
    }
    counter.funnel()
  }
  return { kept: judged(), funnel: () => counter.funnel() }
}

interface Candidate {
  original: Document
  bytesIn: number
  document: Document
  verdict: Verdict
  cuts: Map<string, number>
}

function startCandidate(document: Document, counter: FunnelCounter): Candidate {
  const bytesIn = counter.arrive(document)
  return { original: document, bytesIn, document, verdict: { keep: true }, cuts: new Map() }
}

async function judgeCandidates(rule: Rule, candidates: readonly Candidate[]): Promise<void> {
  const verdicts = await judge(
    rule,
    candidates.map(({ document }) => document),
  )
  candidates.forEach((candidate, i) => {
    const verdict = verdicts[i]
    if (!verdict.keep) candidate.verdict = verdict
    else if (verdict.changes !== undefined) change(candidate, rule, verdict.changes)
  })
}

function change(candidate: Candidate, rule: Rule, changes: DocumentChanges): void {
  const { document } = candidate
  if (changes.text !== undefined && changes.text !== document.text) {
    const bytes = Buffer.byteLength(document.text) - Buffer.byteLength(changes.text)
    candidate.cuts.set(rule.name, (candidate.cuts.get(rule.name) ?? 0) + bytes)
  }
  candidate.document = {
    ...document,
    text: changes.text ?? document.text,
    language: changes.language ?? document.language,
    scores: { ...document.scores, ...changes.scores },
  }
}

function count({ original, document, verdict, bytesIn, cuts }: Candidate, counter: FunnelCounter): void {
  if (!verdict.keep) {
    counter.drop(original, verdict, bytesIn)
    return
  }
  counter.leave(document)
  counter.edit(document, cuts)
}
