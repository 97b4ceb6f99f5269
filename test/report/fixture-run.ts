import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/** How far the run of the fixture got. */
export type Extent = 'whole' | 'only-read'

const DOMAINS = ['prose', 'code', 'maths', 'dictionary']
const STAGE_TOKENS = [0, 2_400_000, 4_400_000, 6_000_000]
const MIXTURES = [
  { prose: 0.55, code: 0.2, maths: 0.1, dictionary: 0.15 },
  { prose: 0.42, code: 0.28, maths: 0.14, dictionary: 0.16 },
  { prose: 0.3, code: 0.3, maths: 0.2, dictionary: 0.2 },
]
const PROMPTS = ['The word "lantern" means', 'function add(a, b) {', 'What is 17 + 25?']

/** Text that would break a careless page: markup, a script's end, line separators, long words, another script. */
export const HOSTILE =
  '</script><script>window.broken = 1</script><img src=x onerror="window.broken=1"> \u2028 ' +
  `${'unbreakable'.repeat(30)} \u05e9\u05dc\u05d5\u05dd $& $1`

/** Writes the folder of an invented run, in the layout that the recipe writes, to test the report with. */
export function writeFixtureRun(runDir: string, extent: Extent = 'whole'): void {
  const write = (path: string, value: unknown) => {
    mkdirSync(dirname(join(runDir, path)), { recursive: true })
    writeFileSync(join(runDir, path), typeof value === 'string' ? value : JSON.stringify(value))
  }
  const lines = (path: string, values: readonly unknown[]) =>
    write(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''))
  let at = Date.UTC(2026, 0, 5, 9, 0)
  const step = (name: string, seconds: number, more: Record<string, unknown> = {}) => {
    write(`steps/${name}/step.json`, {
      name,
      kind: name.replace(/-\d$/, ''),
      key: 'c0ffee',
      state: 'done',
      inputs: [],
      startedAt: new Date(at).toISOString(),
      seconds,
      counts: {},
      bytes: 1000,
      warnings: [],
      metrics: {},
      ...more,
    })
    at += seconds * 1000
  }

  write('run.json', {
    name: 'fixture',
    recipeFile: 'recipes/fixture.yaml',
    recipe: {
      sources: [
        {
          name: 'speeches',
          domain: 'prose',
          licence: 'CC0-1.0',
          npm: 'speeches@1.0.0',
        },
        { name: 'sources', domain: 'code', licence: 'MIT', npm: 'some-code@2.3.4' },
        { name: 'sums', domain: 'maths', licence: 'CC0-1.0', generate: 'problems' },
        {
          name: 'words',
          domain: 'dictionary',
          licence: 'WordNet-3.0',
          npm: 'words@3.1.14',
        },
        { name: 'crawl', domain: 'prose', licence: 'CC-BY-4.0', path: 'fixtures/crawl.warc.gz' },
      ],
    },
    startedAt: new Date(at).toISOString(),
    updatedAt: new Date(at).toISOString(),
    versions: { smolforge: '0.1.0', node: '20.19.0', rustc: '1.89.0' },
    machine: {
      cpu: 'A processor of the fixture',
      cores: 2,
      memoryBytes: 8e9,
      isa: 'avx2',
      threads: 2,
      os: 'linux x64',
    },
  })
  write('recipe.yaml', 'name: fixture\nseed: 7\n')
  writeFunnels(write, step, extent)
  if (extent === 'only-read') return

  step('tokenizer', 6.1)
  write('steps/tokenizer/stats.json', {
    vocabSize: 8192,
    bytesPerToken: { prose: 4.1, code: 3.2, maths: 2.4, dictionary: 3.9 },
  })
  step('shards', 3.4)
  write(
    'steps/shards/shards.json',
    DOMAINS.map((domain, index) => ({
      domain,
      tokens: 3_000_000 - index * 500_000,
      documents: 9000 - index * 1000,
    })),
  )
  step('baselines', 14.9)
  write(
    'steps/baselines/baselines.json',
    DOMAINS.map((domain, index) => ({
      domain,
      bytes: 210_000 - index * 20_000,
      zstd: { bitsPerByte: 2.31 - index * 0.2, prefixBytes: 9_000_000, windowLog: 27 },
      xz: { bitsPerByte: 2.35 - index * 0.2, prefixBytes: 9_000_000 },
      kneserNey: { bitsPerByte: 2.05 - index * 0.18, order: 5, trainingTokens: 2_600_000 },
    })),
  )
  writePretraining(write, lines, step)
  writeEvaluations(write, step)
  writePostTraining(lines, step)
  writeDecisions(write, lines, step)
  write('model/config.json', {
    architectures: ['LlamaForCausalLM'],
    vocab_size: 8192,
    hidden_size: 128,
    num_hidden_layers: 4,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 384,
    max_position_embeddings: 256,
    rope_theta: 10000,
    tie_word_embeddings: true,
  })
}

type Write = (path: string, value: unknown) => void
type Lines = (path: string, values: readonly unknown[]) => void
type Step = (name: string, seconds: number, more?: Record<string, unknown>) => void

function writeFunnels(write: Write, step: Step, extent: Extent): void {
  const sources = ['speeches', 'sources', 'sums', 'words', 'crawl']
  const rules: Record<string, string[]> = {
    read: ['empty'],
    language: ['language'],
    quality: [
      'gopher-quality: mean word length',
      'gopher-repetition: duplicate lines',
      'c4: lorem ipsum',
      'fineweb: short lines',
    ],
    dedup: ['exact', 'near-duplicate'],
    classify: ['classifier'],
    split: ['held-out'],
    decontaminate: ['evaluation n-gram'],
  }
  let documents = 61_000
  for (const [name, names] of Object.entries(rules)) {
    const lost = name === 'read' ? 12 : Math.round(documents * (name === 'dedup' ? 0.22 : 0.05))
    const flow = (n: number) => ({ documents: n, bytes: n * 700 })
    const share = (n: number, index: number) => Math.floor((n * (5 - index)) / 15)
    write(`steps/${name}/funnel.json`, {
      step: name,
      documentsIn: documents,
      documentsOut: documents - lost,
      bytesIn: documents * 700,
      bytesOut: (documents - lost) * 700,
      bySource: Object.fromEntries(
        sources.map((source, index) => [
          source,
          {
            documentsIn: share(documents, index),
            documentsOut: share(documents - lost, index),
            bytesIn: share(documents, index) * 700,
            bytesOut: share(documents - lost, index) * 700,
          },
        ]),
      ),
      edited: name === 'quality' ? { 'c4: short lines': { documents: 310, bytes: 42_000 } } : {},
      dropped: Object.fromEntries(
        names.map((rule, index) => [
          rule,
          {
            ...flow(Math.floor(lost / names.length)),
            examples: [
              { id: `crawl:page#${index}`, source: 'crawl', value: 0.4137, threshold: 0.3, excerpt: HOSTILE },
              {
                id: `words:entry/${index}`,
                source: 'words',
                value: 12,
                excerpt: 'lorem ipsum dolor sit amet\n\n- a\n- b',
              },
            ],
          },
        ]),
      ),
    })
    step(
      name,
      2 + names.length,
      name === 'quality' ? { warnings: ['A rule dropped 40 % of the source “crawl”.'] } : {},
    )
    documents -= lost
    if (extent === 'only-read') return
  }
  write('steps/read/damage.json', [
    { file: 'fixtures/crawl.warc.gz', byteOffset: 31_337, bytesLost: 512, reason: 'gzip member ends early' },
  ])
}

function writePretraining(write: Write, lines: Lines, step: Step): void {
  const wobble = (n: number) => Math.sin(n * 12.9898) * Math.cos(n * 78.233)
  const perStep = 2048 * 8
  for (let stage = 1; stage <= 3; stage++) {
    const start = STAGE_TOKENS[stage - 1]!
    const end = STAGE_TOKENS[stage]!
    const points = []
    const heldOut = []
    for (let tokens = start + perStep; tokens <= end; tokens += perStep) {
      const done = tokens / STAGE_TOKENS[3]!
      const rate = 0.004 * Math.min(1, tokens / 200_000, (1 - done) / 0.2)
      const loss = 3.1 + 5.8 * Math.exp(-tokens / 500_000) - 0.35 * done + 0.12 * wobble(tokens)
      points.push({
        step: tokens / perStep,
        tokens,
        loss,
        learningRate: rate,
        gradientNorm: 0.8,
        tokensPerSecond: 21_000 + 900 * wobble(tokens),
        elapsedMs: tokens / 21,
      })
      if (points.length % 24 !== 0) continue
      for (const [index, domain] of DOMAINS.entries()) {
        heldOut.push({
          step: tokens / perStep,
          tokens,
          domain,
          bitsPerByte: 1.95 - index * 0.14 + 2.2 * Math.exp(-tokens / 600_000) - 0.15 * done,
        })
      }
    }
    lines(`steps/pretrain-${stage}/metrics.jsonl`, points)
    lines(`steps/pretrain-${stage}/heldout.jsonl`, heldOut)
    write(`steps/pretrain-${stage}/mixture.json`, {
      stage: stage === 1 ? 'warm' : String(stage),
      weights: MIXTURES[stage - 1],
      tokensStart: start,
      tokensEnd: end,
      reason: stage === 1 ? 'From the recipe: mostly prose to begin with.' : `refine-${stage - 1}`,
      by: stage === 1 ? 'recipe' : stage === 2 ? 'rule' : 'person',
      rows: {
        packing: 'best-fit',
        places: end - start,
        padding: (end - start) / 50,
        continued: (end - start) / 8,
      },
    })
    step(`pretrain-${stage}`, 110)
  }
}

function writeEvaluations(write: Write, step: Step): void {
  for (const [index, name] of ['1', '2', 'base', 'sft', 'dpo'].entries()) {
    const accuracy = [0.26, 0.29, 0.31, 0.44, 0.43][index]!
    const score = (task: string, value: number, n: number, more: object) => ({
      task,
      metric: 'accuracy',
      value,
      low: Math.max(0, value - 0.98 / Math.sqrt(n)),
      high: value + 0.98 / Math.sqrt(n),
      n,
      form: 'multiple-choice',
      shots: 0,
      ...more,
    })
    write(`steps/evaluate-${name}/scores.json`, [
      score('word to gloss', accuracy, 400, { form: 'cloze', normalisation: 'characters', chance: 0.25 }),
      score('sums', 0.02 + index * 0.03, 200, { form: 'generative', metric: 'exact match' }),
    ])
    write(
      `steps/evaluate-${name}/heldout.json`,
      DOMAINS.map((domain, place) => {
        const bitsPerByte = [2.2, 2.02, 1.88, 1.95, 1.96][index]! - place * 0.16
        return {
          domain,
          bitsPerByte,
          low: bitsPerByte - 0.03,
          high: bitsPerByte + 0.03,
          bytes: 210_000,
          tokens: 52_000,
        }
      }),
    )
    write(
      `steps/evaluate-${name}/samples.json`,
      PROMPTS.map((prompt, place) => ({
        prompt,
        completion:
          place === 2 && index < 3 ? HOSTILE : ` a light that is carried by the hand, stage ${name}.\nIt is.`,
        tokens: 24,
      })),
    )
    step(`evaluate-${name}`, 9)
  }
}

function writePostTraining(lines: Lines, step: Step): void {
  for (const [name, start, end] of [
    ['sft', 3.4, 1.9],
    ['dpo', Math.LN2, 0.52],
  ] as const) {
    const points = Array.from({ length: 60 }, (_, index) => ({
      step: index + 1,
      tokens: (index + 1) * 4096,
      loss: end + (start - end) * Math.exp(-index / 14) + 0.03 * Math.sin(index * 7),
      learningRate: 0.001 * (1 - index / 60),
      gradientNorm: 1,
      tokensPerSecond: 15_000,
      elapsedMs: index * 280,
    }))
    lines(`steps/${name}/metrics.jsonl`, points)
    step(name, 25)
  }
}

function writeDecisions(write: Write, lines: Lines, step: Step): void {
  const evidence = DOMAINS.map((subject, index) => ({
    measure: 'held-out bits per byte',
    subject,
    value: 2.2 - index * 0.16,
    low: 2.17 - index * 0.16,
    high: 2.23 - index * 0.16,
    unit: 'bits per byte',
    tokens: STAGE_TOKENS[1],
  }))
  const entry = (stage: number, by: string, reasons: string[]) => ({
    at: '2026-01-05T09:05:00.000Z',
    step: `refine-${stage - 1}`,
    decision: `mixture of stage ${stage}`,
    by,
    before: MIXTURES[stage - 2],
    after: MIXTURES[stage - 1],
    reasons,
    evidence,
  })
  lines('ledger.jsonl', [
    {
      at: '2026-01-05T09:01:00.000Z',
      step: 'pretrain-1',
      decision: 'mixture of stage 1',
      by: 'person',
      before: {},
      after: MIXTURES[0],
      reasons: ['From the recipe: mostly prose to begin with.'],
      evidence: [],
    },
    entry(2, 'rule', [
      'Code is 0.21 bits per byte above its n-gram baseline and still falling: its share rises from 20 % to 28 %.',
      'Maths would pass its cap of 4 epochs at 16 %: it is held at 14 %.',
    ]),
    entry(3, 'person', ['Pinned in the recipe: the annealing spends the best data.']),
  ])
  step('refine-1', 0.4)
  step('refine-2', 0.4)
  step('ablate', 61)
  const difference = (subject: string, value: number, reach: number) => ({
    measure: 'bits per byte',
    subject,
    control: 1.9,
    candidate: 1.9 + value,
    difference: value,
    low: value - reach,
    high: value + reach,
    significant: Math.abs(value) > reach,
    better: value < 0,
  })
  write('steps/ablate/ablation.json', {
    candidate: 'maths',
    share: 0.4,
    tokens: 400_000,
    arms: [
      { name: 'control', weights: MIXTURES[1] },
      { name: 'candidate', weights: MIXTURES[2] },
    ],
    seeds: [1, 2],
    runs: [],
    differences: [
      difference('prose', 0.012, 0.02),
      difference('code', 0.031, 0.018),
      difference('maths', -0.14, 0.03),
      difference('dictionary', 0.004, 0.015),
      { ...difference('sums', 0.06, 0.04), measure: 'accuracy', control: 0.1, candidate: 0.16, better: true },
    ],
    verdict: 'no significant difference',
    conclusion: [
      'With 40 % of maths, maths is better by 0.140 bits per byte and code is worse by 0.031.',
      'No significant difference for prose and dictionary.',
    ],
  })
}
