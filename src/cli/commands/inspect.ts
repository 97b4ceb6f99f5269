import { existsSync, readdirSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { SmolforgeError } from '../../errors.ts'
import { isGgufName } from '../../files/gguf.ts'
import { modelHash, openCheckpoint, parameterCount } from '../../model/index.ts'
import { batchDocuments, inspectRun, inspectStep } from '../../recipe/index.ts'
import { ShardSet } from '../../shards/index.ts'
import { findCheckpoint } from '../../train/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { findModel } from '../modelPath.ts'
import { formatCount, formatSeconds, Output, table } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'

interface InspectOptions {
  batch?: number
  json?: boolean
}

/** `smolforge inspect`: what a folder of ours holds, with its checksums compared. */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .argument(
      '<folder>',
      'a run, a step of one, a set of shards, checkpoints, or a model (a folder or a .gguf file)',
    )
    .option(
      '--batch <step>',
      'of a run: the documents in the batch of this step of pretraining',
      positiveInteger,
    )
    .option('--json', 'one JSON object on standard output')
    .summary('what a run, a step, shards, a checkpoint or a model holds')
    .description('Says what is in a folder and whether its files are as they were written.')
    .addHelpText(
      'after',
      `
Examples:
  smolforge inspect runs/tiny
  smolforge inspect runs/tiny --batch 12
  smolforge inspect runs/tiny/steps/shards/prose
  smolforge inspect runs/tiny/steps/pretrain-1/state --json
  smolforge inspect models/smollm2-135m-instruct
${exitCodesHelp}`,
    )
    .action(async (folder: string, options: InspectOptions) => {
      const output = new Output(options)
      const kind = kindOf(folder)
      if (options.batch !== undefined) await showBatch(output, folder, options.batch)
      else await show[kind](output, folder)
    })
}

type Kind = 'run' | 'step' | 'shards' | 'checkpoint' | 'model'

function kindOf(folder: string): Kind {
  const has = (name: string) => existsSync(join(folder, name))
  if (has('run.json')) return 'run'
  if (has('step.json')) return 'step'
  if (has('shards.json')) return 'shards'
  if (has('config.json')) return 'model'
  if (has('latest.json') || has('tensors.safetensors')) return 'checkpoint'
  const names = namesIn(folder)
  if (names.some((name) => /^step-\d+$/.test(name))) return 'checkpoint'
  if (isGgufName(folder) || names.some(isGgufName)) return 'model'
  throw new SmolforgeError('input', 'This is no run, step, shards, checkpoint or model', {
    place: { file: folder },
    hint: 'Name a folder of a run, for example runs/quickstart.',
  })
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

const show: Record<Kind, (output: Output, folder: string) => Promise<void>> = {
  async run(output, folder) {
    const status = await inspectRun(folder)
    output.emit(status)
    const rows = status.steps.map(({ name, state, seconds, key }) => [
      name,
      state,
      seconds === null ? '' : formatSeconds(seconds),
      key.slice(0, 12),
    ])
    output.say(table([['step', 'state', 'time', 'key'], ...rows]))
    for (const { problem } of status.steps) if (problem) output.say(problem)
    if (status.modelSha256) output.say(`model ${status.modelSha256}`)
  },
  async step(output, folder) {
    const record = await inspectStep(folder)
    output.emit(record)
    output.say(
      `${record.name}: ${formatSeconds(record.seconds)}, ${record.attempts} attempts, checksums hold`,
    )
    for (const [name, value] of [...Object.entries(record.counts), ...Object.entries(record.metrics)]) {
      output.say(`  ${name} ${formatCount(value)}`)
    }
    for (const warning of record.warnings) output.say(`  ! ${warning}`)
    for (const [name, { bytes }] of Object.entries(record.files))
      output.say(`  ${name} ${formatCount(bytes)} bytes`)
  },
  async shards(output, folder) {
    const set = await ShardSet.open(folder)
    const { domain, tokens, documents, vocabSize, endOfTextId } = set
    set.close()
    output.emit({ domain, tokens, documents, vocabSize, endOfTextId })
    output.say(
      `${domain}: ${formatCount(tokens)} tokens of ${formatCount(documents)} documents, checksums hold`,
    )
  },
  async checkpoint(output, folder) {
    const isOne = existsSync(join(folder, 'tensors.safetensors'))
    const warnings: string[] = []
    const found = await findCheckpoint(isOne ? dirname(resolve(folder)) : folder, (text) =>
      warnings.push(text),
    )
    if (!found) throw new SmolforgeError('input', 'There is no checkpoint here', { place: { file: folder } })
    output.emit({ path: found.path, ...found.state, warnings })
    const { kind, step, tokens, loss, engine } = found.state
    for (const warning of warnings) output.say(`! ${warning}`)
    output.say(
      `${basename(found.path)}: ${kind} after step ${step}, ${formatCount(tokens)} tokens, loss ${loss ?? '-'}`,
    )
    output.say(`  ${engine.isa}, ${engine.threads} threads, ${engine.precision}; checksums hold`)
  },
  async model(output, path) {
    const found = findModel(path)
    const checkpoint = await openCheckpoint(found)
    await checkpoint.close()
    const { config, names } = checkpoint
    const formats: Record<string, number> = {}
    for (const name of names) {
      const { format } = checkpoint.entry(name)
      formats[format] = (formats[format] ?? 0) + 1
    }
    const parameters = parameterCount(config)
    const sha256 = await modelHash(found)
    output.emit({ parameters, sha256, formats, config })
    output.say(`${formatCount(parameters)} parameters, ${sha256}`)
    const counts = Object.entries(formats).map(([format, count]) => `${count} ${format}`)
    output.say(`  tensors: ${counts.join(', ')}`)
    for (const [name, value] of Object.entries(config)) output.say(`  ${name} ${value}`)
  },
}

async function showBatch(output: Output, folder: string, step: number): Promise<void> {
  const { stage, documents } = await batchDocuments(folder, step)
  output.emit({ step, stage, documents })
  output.say(`Step ${step} (stage ${stage}) trained on ${documents.length} documents:`)
  output.say(
    table([['tokens', 'domain', 'id'], ...documents.map(({ tokens, domain, id }) => [tokens, domain, id])]),
  )
}
