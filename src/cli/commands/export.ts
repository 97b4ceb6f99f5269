import { existsSync, readdirSync } from 'node:fs'
import { mkdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type Command, Option } from 'commander'
import { fileError, SmolforgeError } from '../../errors.ts'
import { publishFolder } from '../../files/atomic.ts'
import { isGgufName } from '../../files/gguf.ts'
import {
  type GgufDtype,
  ggufDtypes,
  LanguageModel,
  loadAdapter,
  mergeAdapter,
  saveGguf,
} from '../../model/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { findModel, modelHelp } from '../modelPath.ts'
import { Output } from '../output.ts'

interface ExportOptions {
  model: string
  output: string
  dtype: string
  adapter?: string
  json?: boolean
}

/** What safetensors hold; the other types are GGUF's alone. */
const folderTypes: readonly GgufDtype[] = ['F32', 'F16', 'BF16']

/** `smolforge export`: a model in the form that another program reads. */
export function addExport(program: Command): void {
  program
    .command('export')
    .requiredOption('--model <path>', modelHelp)
    .requiredOption('--output <path>', 'a FILE.gguf for llama.cpp, or a new folder for transformers')
    .addOption(
      new Option('--dtype <type>', 'of the matrices; a folder can be f32, f16 or bf16')
        .choices(ggufDtypes.map((type) => type.toLowerCase()))
        .default('f32'),
    )
    .option('--adapter <dir>', "merge these adapters first: LoRA in PEFT's format")
    .option('--json', 'one JSON object on standard output')
    .summary('write a model as a GGUF file or as a Hugging Face folder')
    .description(
      'Converts a model in either direction, with its tokenizer and chat template. Norms stay f32; at 4 bits the ' +
        'embeddings are q8_0; a matrix whose rows are no whole number of blocks gets the next type that fits.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge export --model runs/quickstart --output quickstart.gguf --dtype q8_0
  smolforge export --model models/smollm2-135m-instruct --output models/smollm2-hf --dtype bf16
  smolforge export --model models/smollm2-135m-instruct --adapter tuned/adapter --output mine.gguf --dtype q4_k
${exitCodesHelp}`,
    )
    .action(async (options: ExportOptions) => {
      const output = new Output(options)
      const dtype = ggufDtypes.find((type) => type.toLowerCase() === options.dtype) ?? 'F32'
      const isFile = isGgufName(options.output)
      if (!isFile) expectNewFolder(options.output, dtype)
      const model = await loadWhole(options.model, options.adapter)
      if (isFile) await exportFile(model, options.output, dtype, output)
      else await exportFolder(model, options.output, dtype as 'F32' | 'F16' | 'BF16', output)
    })
}

/** All weights in f32, as they are written from; with the adapters in them where some are named. */
async function loadWhole(path: string, adapterFolder: string | undefined): Promise<LanguageModel> {
  const model = await LanguageModel.load(findModel(path))
  if (adapterFolder === undefined) return model
  const adapter = await loadAdapter(adapterFolder, model.llama.config)
  mergeAdapter(model.llama, adapter)
  adapter.free()
  return model
}

async function exportFile(
  model: LanguageModel,
  path: string,
  dtype: GgufDtype,
  output: Output,
): Promise<void> {
  const { bytes, sha256, formats, fallbacks } = await saveGguf(path, model.llama, model.tokenizer, { dtype })
  const counts = Object.entries(formats).map(([format, count]) => `${count} ${format}`)
  output.say(`${path}: ${(bytes / 1e6).toFixed(1)} MB, tensors: ${counts.join(', ')}`)
  if (fallbacks.length > 0) {
    output.say(`${fallbacks.length} of them have rows that ${dtype} cannot hold, and another type instead`)
  }
  output.emit({ output: path, dtype: dtype.toLowerCase(), bytes, sha256, formats, fallbacks })
}

async function exportFolder(
  model: LanguageModel,
  folder: string,
  dtype: 'F32' | 'F16' | 'BF16',
  output: Output,
): Promise<void> {
  const target = resolve(folder)
  const work = join(dirname(target), `.${basename(target)}.partial`)
  try {
    await rm(work, { recursive: true, force: true })
    await mkdir(work, { recursive: true })
    await model.llama.save(work, model.tokenizer, { dtype })
    if (existsSync(target)) await rmdir(target)
    await publishFolder(work, target)
  } catch (error) {
    await rm(work, { recursive: true, force: true }).catch(() => {})
    throw fileError(error, folder)
  }
  output.say(`${folder}: a Hugging Face folder in ${dtype}`)
  output.emit({ output: folder, dtype: dtype.toLowerCase() })
}

/** Before the model is loaded, which takes longer than a person likes to wait for a refusal. */
function expectNewFolder(folder: string, dtype: GgufDtype): void {
  if (!folderTypes.includes(dtype)) {
    throw new SmolforgeError('usage', `A folder of safetensors cannot be ${dtype.toLowerCase()}`, {
      hint: `Choose f32, f16 or bf16, or name a file: --output ${folder}.gguf`,
    })
  }
  if (!existsSync(folder)) return
  try {
    if (readdirSync(folder).length === 0) return
  } catch (error) {
    throw fileError(error, folder)
  }
  throw new SmolforgeError('usage', 'There is something in this folder already', {
    place: { file: folder },
    hint: 'Name a new folder; a GGUF file ends in .gguf.',
  })
}
