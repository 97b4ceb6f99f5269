import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../../errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import { parameter, type Tensor } from '../../tensor/index.ts'
import type { LlamaConfig } from '../config.ts'
import { adaptable, LoraAdapter, loraName, loraTargets } from '../lora.ts'
import { writableParameters } from './folder.ts'
import { openSafetensors, type SafetensorsFile, writeSafetensors } from './safetensors.ts'

const CONFIG = 'adapter_config.json'
const WEIGHTS = 'adapter_model.safetensors'
/** Before the names of a model's modules. */
const PREFIX = 'base_model.model.'

/** What else PEFT can make of an adapter is refused by name; fields that change nothing are passed over. */
const configSchema = z.looseObject({
  peft_type: z.literal('LORA', { error: 'only LORA can be read' }),
  r: z.int().positive().max(65_536),
  lora_alpha: z.number().positive(),
  bias: z.literal('none', { error: 'biases are not adapted' }).default('none'),
  fan_in_fan_out: z.literal(false, { error: 'weights lie as [out, in]' }).default(false),
  use_dora: z.literal(false, { error: 'DoRA is not LoRA' }).default(false),
  use_rslora: z.boolean().default(false),
  modules_to_save: z.null({ error: 'no modules are trained beside the adapter' }).optional(),
  rank_pattern: z.strictObject({}, { error: 'all ranks must be r' }).nullish(),
  alpha_pattern: z.strictObject({}, { error: 'all factors must be lora_alpha' }).nullish(),
})

/** Writes an adapter as PEFT does: `adapter_config.json` and `adapter_model.safetensors`. */
export async function saveAdapter(dir: string, adapter: LoraAdapter, baseModel = ''): Promise<void> {
  const { rank, alpha, targets } = adapter.config
  try {
    await mkdir(dir, { recursive: true })
  } catch (error) {
    throw fileError(error, dir)
  }
  await writeSafetensors(join(dir, WEIGHTS), writableParameters(adapter.parameters, PREFIX))
  const config = {
    base_model_name_or_path: baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: alpha,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: rank,
    target_modules: targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: false,
  }
  await writeFileAtomic(join(dir, CONFIG), `${JSON.stringify(config, null, 2)}\n`)
}

/**
 * Reads an adapter that PEFT or `saveAdapter` wrote for a model of this shape. Which modules it adapts, its tensors say.
 *
 * @throws SmolforgeError `input` or `damaged` naming the file, and the field or the tensor.
 */
export async function loadAdapter(dir: string, model: LlamaConfig): Promise<LoraAdapter> {
  const { r, lora_alpha, use_rslora } = await readConfig(join(dir, CONFIG))
  const file = await openSafetensors(join(dir, WEIGHTS))
  try {
    const shapes = adapterShapes(file, model, r)
    const parameters = new Map<string, Tensor>()
    for (const [name, shape] of shapes) {
      parameters.set(name, parameter(await file.read(PREFIX + name), shape))
    }
    const targets = loraTargets.filter((target) =>
      [...shapes.keys()].some((name) => name.includes(`.${target}.`)),
    )
    // Rank-stabilised LoRA divides by the root of the rank.
    const alpha = use_rslora ? lora_alpha * Math.sqrt(r) : lora_alpha
    return new LoraAdapter(model, { rank: r, alpha, targets }, parameters)
  } finally {
    await file.close()
  }
}

async function readConfig(path: string): Promise<z.infer<typeof configSchema>> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw fileError(error, path)
    throw new SmolforgeError('input', 'Not a JSON file', { place: { file: path }, cause: error })
  }
  const parsed = configSchema.safeParse(json)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SmolforgeError('input', `Not an adapter that can be used: ${issue.message}`, {
    place: { file: path, field: issue.path.join('.') },
  })
}

/** The shapes of an adapter's tensors by name, every one checked against the model's matrices: pairs, and no others. */
function adapterShapes(file: SafetensorsFile, model: LlamaConfig, rank: number): Map<string, number[]> {
  const stored = new Map(file.header.entries.map(({ name, shape }) => [name, shape]))
  const complain = (message: string) =>
    new SmolforgeError('input', message, {
      place: { file: file.path },
      hint: 'The adapter must be of a model of the same shape, with r as its adapter_config.json says.',
    })
  const shapes = new Map<string, number[]>()
  for (const { path, rows, columns } of adaptable(model, loraTargets)) {
    const pair = [
      [loraName(path, 'A'), [rank, columns]],
      [loraName(path, 'B'), [rows, rank]],
    ] as const
    const present = pair.filter(([name]) => stored.has(PREFIX + name))
    if (present.length === 0) continue
    for (const [name, shape] of pair) {
      const found = stored.get(PREFIX + name)
      if (found === undefined) throw complain(`The tensor ${PREFIX}${name} is missing`)
      if (`${found}` !== `${shape}`) {
        throw complain(`The tensor ${PREFIX}${name} is [${found}], the model needs [${shape}]`)
      }
      stored.delete(PREFIX + name)
      shapes.set(name, [...shape])
    }
  }
  const [unknown] = stored.keys()
  if (unknown !== undefined) throw complain(`The model has no place for the tensor ${unknown}`)
  if (shapes.size === 0) throw complain('The adapter has no tensors')
  return shapes
}
