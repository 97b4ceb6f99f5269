// npm run bench -- curate --against datamap-rs --peer DIR [--megabytes 60] [--rounds 3] [--jobs filters,dedup]
//   [--threads 1,4]
// Ai2's Rust tools on the same documents, files in and kept documents out, the whole process on both sides:
//   filters  datamap-rs map with DCLM's heuristics    filter --rules gopher-quality,gopher-repetition --texts
//   dedup    duplodocus minhash-memory, 14 x 8, word   dedup --bands 14 --rows 8 --ngram 5 --texts
//            5-grams, removal included
// DIR is a checkout of datamap-rs, or a folder with checkouts of datamap-rs and duplodocus.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { median } from '../figures/median.ts'
import { buildPeer, findCheckout, type PeerName } from './buildPeers.ts'
import { type ProgramRun, runProgram, smolforge } from './command.ts'
import { mixedTexts } from './mixedTexts.ts'
import { onCores } from './oneCore.ts'

const { values } = parseArgs({
  options: {
    against: { type: 'string' },
    peer: { type: 'string' },
    megabytes: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '3' },
    jobs: { type: 'string', default: 'filters,dedup' },
    threads: { type: 'string', default: [...new Set([1, availableParallelism()])].join(',') },
    help: { type: 'boolean' },
  },
})
if (values.help || values.peer === undefined) {
  process.stderr.write(
    'npm run bench -- curate --against datamap-rs --peer DIR [--megabytes 60] [--rounds 3]\n' +
      '  [--jobs filters,dedup] [--threads 1,4]\n' +
      'DIR has checkouts of github.com/allenai/datamap-rs and duplodocus; cargo builds them.\n',
  )
  process.exit(values.help ? 0 : 2)
}

const jobs: readonly { name: string; peer: PeerName; ours: readonly string[]; why: string }[] = [
  {
    name: 'filters',
    peer: 'datamap-rs',
    ours: ['filter', '--rules', 'gopher-quality,gopher-repetition'],
    why: 'Both have limits of the Gopher paper. We count tokens as datatrove does, punctuation among them; they split at white space, or by Unicode for repetition, and count bytes.',
  },
  {
    name: 'dedup',
    peer: 'duplodocus',
    ours: ['dedup', '--bands', '14', '--rows', '8', '--ngram', '5'],
    why: 'The space between two words is a word to their splitter: five of them are three words, so that a changed word spoils fewer shingles. Which document of a cluster stays differs too.',
  },
]

/** DCLM's heuristics in the order of its configuration; the name of a step is that of its folder of dropped documents. */
const heuristics = [
  [
    'page_len_filter',
    { length_type: 'word', lower_bound: 50, upper_bound: 100000, ignore_punctuation: true },
  ],
  ['word_len_filter', { lower_bound: 3, upper_bound: 10 }],
  ['symbol_ratio_filter', { max_symbol_to_word_ratio: 0.1 }],
  ['bullet_filter', { max_bullet_ratio: 0.9 }],
  ['ellipsis_line_ratio_filter', { max_ratio: 0.3 }],
  ['alphabetic_word_ratio_filter', { max_ratio: 0.2 }],
  ['stop_word_filter', { count_unique: false, min_stop_word: 2 }],
  ['massive_web_repetition_filter', {}],
] as const

const work = mkdtempSync(join(tmpdir(), 'smolforge-peers-'))
const say = (line: string) => process.stdout.write(`${line}\n`)
const { peer: peerFolder } = values
try {
  await measure()
} finally {
  rmSync(work, { recursive: true })
}

async function measure(): Promise<void> {
  const programs = new Map<PeerName, string>()
  for (const { name, peer } of jobs) {
    if (!values.jobs.split(',').includes(name)) continue
    const checkout = findCheckout(peerFolder ?? '', peer)
    if (checkout === undefined) say(`${name}: left out, no checkout of ${peer} in ${peerFolder}`)
    else programs.set(peer, buildPeer(checkout, peer))
  }
  const lines = mixedTexts(Number(values.megabytes) * 1e6).map((text, at) =>
    JSON.stringify({ id: `d${at}`, text: text.replace(/\p{Surrogate}/gu, '\ufffd') }),
  )
  const input = join(work, 'texts.jsonl')
  writeFileSync(input, `${lines.join('\n')}\n`)
  const bytes = statSync(input).size
  const cores = availableParallelism()
  say(
    `${cpus()[0]?.model}, ${cores} cores; ${(bytes / 1e6).toFixed(1)} MB of JSON lines, ${lines.length} documents; medians of ${values.rounds} rounds, whole processes`,
  )
  const seconds = new Map<string, number>()
  for (const threads of values.threads.split(',').map(Number)) {
    say(`\n${threads} ${threads === 1 ? 'core' : 'cores'}`)
    const folder = splitInto(threads, lines)
    for (const job of jobs) {
      const program = programs.get(job.peer)
      if (program === undefined) continue
      const [ours, theirs]: [ProgramRun[], ProgramRun[]] = [[], []]
      for (let round = 0; round < Number(values.rounds); round++) {
        ours.push(await runOurs(job.ours, input, threads))
        theirs.push(await runTheirs(program, job.peer, folder, threads))
      }
      const [left, right] = [idsIn([join(work, 'ours.jsonl')]), idsIn(theirFiles(job.peer))]
      row(job.name, 'smolforge', ours, bytes, lines.length, left.size)
      row('', job.peer, theirs, bytes, lines.length, right.size)
      const [mine, other] = [wall(ours), wall(theirs)]
      seconds.set(`${job.name} ${threads}`, mine)
      const both = [...left].filter((id) => right.has(id)).length
      say(
        `${' '.repeat(10)}${(other / mine).toFixed(1)}x; both keep ${both}, smolforge alone ${left.size - both}, ${job.peer} alone ${right.size - both}`,
      )
      if (threads === Number(values.threads.split(',')[0]))
        for (const line of why(job, left, right)) say(line)
    }
  }
  if (cores === 1) return
  for (const { name } of jobs) {
    const [one, all] = [seconds.get(`${name} 1`), seconds.get(`${name} ${cores}`)]
    if (one && all) say(`\n${name}: smolforge on ${cores} cores ${(one / all).toFixed(2)} times one core`)
  }
}

/** Their parallelism is by files: one for each thread. */
function splitInto(files: number, lines: readonly string[]): string {
  const folder = join(work, `input-${files}`)
  mkdirSync(folder)
  for (let file = 0; file < files; file++) {
    const part = lines.filter((_, line) => line % files === file)
    writeFileSync(join(folder, `${file}.jsonl`), `${part.join('\n')}\n`)
  }
  return folder
}

function runOurs(job: readonly string[], input: string, threads: number): Promise<ProgramRun> {
  const files = ['--input', input, '--output', join(work, 'verdicts.jsonl')]
  const texts = ['--texts', join(work, 'ours.jsonl')]
  return runProgram(onCores(threads, smolforge([...job, ...files, ...texts, '--threads', `${threads}`])))
}

async function runTheirs(
  program: string,
  peer: PeerName,
  input: string,
  threads: number,
): Promise<ProgramRun> {
  const output = join(work, peer)
  rmSync(output, { recursive: true, force: true })
  const folders = ['--input-dir', input, '--output-dir', output]
  const config = join(work, 'heuristics.json')
  const pipeline = heuristics.map(([name, kwargs]) => ({ name, kwargs, step: name }))
  writeFileSync(config, JSON.stringify({ name: 'dclm', text_field: 'text', pipeline }))
  const likeness = ['--num-buckets', '14', '--bucket-size', '8', '--ngram-size', '5', '--tokenizer', 'uniseg']
  const command: Record<PeerName, string[]> = {
    'datamap-rs': ['map', ...folders, '--config', config],
    duplodocus: [
      'minhash-memory',
      ...folders,
      ...['--storage-dir', join(work, 'duplodocus-storage')],
      ...likeness,
      ...['--remove-duplicates', 'true', '--cleanup-storage'],
    ],
  }
  return runProgram(onCores(threads, [program, '--threads', `${threads}`, ...command[peer]]))
}

function theirFiles(peer: PeerName): string[] {
  const folder = peer === 'datamap-rs' ? join(work, peer, 'step_final') : join(work, peer)
  return readdirSync(folder).map((name) => join(folder, name))
}

function idsIn(files: readonly string[]): Set<string> {
  const ids = new Set<string>()
  for (const file of files) for (const { id } of linesOf<{ id: string }>(file)) ids.add(id)
  return ids
}

function linesOf<Line>(file: string): Line[] {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Line)
}

/** Where the decisions part: the rules that drop what the other side keeps, or the clusters. */
function why(job: (typeof jobs)[number], left: Set<string>, right: Set<string>): string[] {
  const indent = ' '.repeat(10)
  const verdicts = linesOf<{ id: string; keep: boolean; rule: string; cluster: number }>(
    join(work, 'verdicts.jsonl'),
  )
  if (job.name === 'dedup') {
    const clusters = new Map<number, string[]>()
    for (const { id, cluster } of verdicts) clusters.set(cluster, [...(clusters.get(cluster) ?? []), id])
    const several = [...clusters.values()].filter((ids) => ids.length > 1)
    const one = several.filter((ids) => ids.filter((id) => right.has(id)).length === 1).length
    return [`${indent}${one} of our ${several.length} clusters have one document left in theirs. ${job.why}`]
  }
  const tally = new Map<string, number>()
  const add = (rule: string) => tally.set(rule, (tally.get(rule) ?? 0) + 1)
  for (const { id, rule } of verdicts) if (right.has(id) && !left.has(id)) add(`smolforge ${rule}`)
  for (const [step] of heuristics) {
    const folder = join(work, job.peer, step)
    for (const file of readdirSync(join(work, job.peer)).includes(step) ? readdirSync(folder) : [])
      for (const id of idsIn([join(folder, file)])) if (left.has(id)) add(`${job.peer} ${step}`)
  }
  const rules = [...tally].sort((a, b) => b[1] - a[1]).map(([rule, count]) => `${rule} ${count}`)
  return [`${indent}dropped by one side alone: ${rules.join(', ')}`, `${indent}${job.why}`]
}

function wall(runs: readonly ProgramRun[]): number {
  return median(runs.map((run) => run.wall))
}

function row(
  job: string,
  side: string,
  runs: readonly ProgramRun[],
  bytes: number,
  documents: number,
  kept: number,
): void {
  const seconds = wall(runs)
  const cells = [
    job.padEnd(9),
    side.padEnd(10),
    `${seconds.toFixed(2)} s`.padStart(9),
    `${(bytes / 1e6 / seconds).toFixed(1)} MB/s`.padStart(11),
    `${(documents / seconds).toFixed(0)} documents/s`.padStart(19),
    `processor ${median(runs.map(({ cpu }) => cpu)).toFixed(2)} s`.padStart(18),
    `${kept} kept`.padStart(12),
    `${Math.max(...runs.map(({ peakMegabytes }) => peakMegabytes))} MB`.padStart(9),
  ]
  say(cells.join(' '))
}
