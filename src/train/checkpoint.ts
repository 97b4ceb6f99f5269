import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'
import { hashFile, publishFolder, writeFileAtomic } from '../files/atomic.ts'
import { openSafetensors, writeSafetensors } from '../model/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { type TrainState, trainStateSchema } from './state.ts'

const TENSORS = 'tensors.safetensors'
const STATE = 'state.json'
/** Names the newest checkpoint that is whole; written last. */
const POINTER = 'latest.json'

const stateFileSchema = z.strictObject({
  version: z.literal(1),
  state: trainStateSchema,
  files: z.record(z.string(), z.strictObject({ bytes: z.number(), sha256: z.string() })),
  /** Of the three above, as JSON. */
  sha256: z.string(),
})
const pointerSchema = z.looseObject({ checkpoint: z.string() })

export interface SaveCheckpointOptions {
  /** How many checkpoints stay, the new one included; 2 when left out. */
  keep?: number
}

/**
 * Writes `dir/step-N/`: tensors and state with a checksum of each, under a temporary name first, then one rename,
 * then the pointer. A crash or a full disk anywhere in it leaves the checkpoints before as they were.
 */
export async function saveCheckpoint(
  dir: string,
  state: TrainState,
  tensors: ReadonlyMap<string, Tensor>,
  { keep = 2 }: SaveCheckpointOptions = {},
): Promise<string> {
  const name = folderName(state.step)
  const partial = join(dir, `.${name}.partial`)
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(partial, { recursive: true })
    const files = { [TENSORS]: await writeSafetensors(join(partial, TENSORS), writable(tensors)) }
    const body = { version: 1, state, files } as const
    await writeFileAtomic(
      join(partial, STATE),
      `${JSON.stringify({ ...body, sha256: sha256Of(body) }, null, 1)}\n`,
    )
    // A checkpoint of this step that is not good enough to have been loaded.
    await rm(join(dir, name), { recursive: true, force: true })
    await publishFolder(partial, join(dir, name))
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw fileError(error, join(dir, name))
  }
  await writeFileAtomic(join(dir, POINTER), `${JSON.stringify({ checkpoint: name, step: state.step })}\n`)
  const old = (await checkpointFolders(dir)).filter((each) => each !== name)
  for (const each of old.slice(Math.max(0, keep - 1)))
    await rm(join(dir, each), { recursive: true, force: true })
  return join(dir, name)
}

/** A checkpoint whose checksums hold. */
export interface FoundCheckpoint {
  path: string
  state: TrainState
  /** Puts the saved numbers into tensors of the same names and sizes. */
  restore(tensors: ReadonlyMap<string, Tensor>): Promise<void>
}

/**
 * The newest checkpoint in `dir` that is whole; undefined when there is none at all. One that is damaged is named to
 * `warn`, and the one before it is taken.
 *
 * @throws SmolforgeError `damaged` when there are checkpoints and none is good.
 */
export async function findCheckpoint(
  dir: string,
  warn: (message: string) => void,
): Promise<FoundCheckpoint | undefined> {
  const folders = await checkpointFolders(dir)
  const pointer = await readPointer(dir, warn)
  // A newer folder than the pointer names was published, but its run did not get to say so: it is whole all the same.
  for (const name of folders) {
    try {
      return await openCheckpoint(join(dir, name))
    } catch (error) {
      if (!(error instanceof SmolforgeError) || (error.code !== 'damaged' && error.code !== 'input'))
        throw error
      warn(
        `The checkpoint ${join(dir, name)} is damaged and passed over: ${error.message} (${error.place.file})`,
      )
    }
  }
  if (folders.length === 0 && pointer === undefined) return undefined
  throw new SmolforgeError('damaged', 'No checkpoint in this folder is whole', {
    place: { file: dir },
    hint: 'Remove the folder to begin again.',
  })
}

async function openCheckpoint(path: string): Promise<FoundCheckpoint> {
  const { state, files } = await readState(join(path, STATE))
  for (const [name, { bytes, sha256 }] of Object.entries(files)) {
    const file = join(path, name)
    const size = await stat(file).catch((error: unknown) => {
      throw fileError(error, file)
    })
    if (size.size !== bytes) {
      throw new SmolforgeError('damaged', `The file has ${size.size} bytes instead of ${bytes}`, {
        place: { file },
      })
    }
    if ((await hashFile(file)) !== sha256) {
      throw new SmolforgeError('damaged', 'The contents do not match their checksum', { place: { file } })
    }
  }
  return { path, state, restore: (tensors) => restoreTensors(join(path, TENSORS), tensors) }
}

async function readState(file: string): Promise<z.infer<typeof stateFileSchema>> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    throw fileError(error, file)
  }
  try {
    const json: unknown = JSON.parse(text)
    const parsed = stateFileSchema.parse(json)
    const { sha256, ...body } = json as z.infer<typeof stateFileSchema>
    if (sha256 === sha256Of(body)) return parsed
  } catch (cause) {
    throw new SmolforgeError('damaged', 'Not a state of training', { place: { file }, cause })
  }
  throw new SmolforgeError('damaged', 'The contents do not match their checksum', { place: { file } })
}

async function restoreTensors(path: string, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  const file = await openSafetensors(path)
  try {
    const stored = new Map(file.header.entries.map((entry) => [entry.name, entry]))
    for (const [name, tensor] of tensors) {
      const shape = stored.get(name)?.shape
      if (`${shape}` !== `${tensor.shape}`) {
        throw new SmolforgeError(
          'input',
          `The checkpoint has ${name} as [${shape ?? 'nothing'}], the model needs [${tensor.shape}]`,
          { place: { file: path }, hint: 'It belongs to a model or an optimizer of another kind.' },
        )
      }
    }
    for (const [name, tensor] of tensors) tensor.write(await file.read(name))
  } finally {
    await file.close()
  }
}

async function readPointer(dir: string, warn: (message: string) => void): Promise<string | undefined> {
  const file = join(dir, POINTER)
  const text = await readFile(file, 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    return pointerSchema.parse(JSON.parse(text)).checkpoint
  } catch {
    warn(`${file} is damaged; the newest checkpoint beside it is used`)
    return undefined
  }
}

/** Names of checkpoint folders, newest first. */
async function checkpointFolders(dir: string): Promise<string[]> {
  const names = await readdir(dir).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw fileError(error, dir)
  })
  return names
    .filter((name) => /^step-\d+$/.test(name))
    .sort()
    .reverse()
}

function folderName(step: number): string {
  return `step-${String(step).padStart(9, '0')}`
}

function* writable(tensors: ReadonlyMap<string, Tensor>) {
  for (const [name, tensor] of tensors) {
    yield { name, shape: tensor.shape, read: () => tensor.read() as Float32Array }
  }
}

function sha256Of(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex')
}
