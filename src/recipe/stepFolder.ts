import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fileError, SmolforgeError } from '../errors.ts'
import {
  hashFile,
  publishFolder,
  removeUnfinishedWrites,
  syncFile,
  syncFolder,
  writeFileAtomic,
} from '../files/atomic.ts'
import { decisionSchema } from '../mixture/index.ts'

const recordSchema = z.object({
  name: z.string(),
  kind: z.string(),
  key: z.string(),
  state: z.literal('done'),
  inputs: z.array(z.string()),
  startedAt: z.string(),
  seconds: z.number(),
  attempts: z.number(),
  counts: z.record(z.string(), z.number()),
  bytes: z.number(),
  warnings: z.array(z.string()),
  metrics: z.record(z.string(), z.number()),
  /** For the ledger: decisions taken in this step, with their evidence. */
  decisions: z.array(decisionSchema),
  files: z.record(z.string(), z.object({ bytes: z.number(), sha256: z.string() })),
})

/** step.json: what a finished step says about itself, with the checksum of every file in its folder. */
export type StepRecord = z.infer<typeof recordSchema>

const attemptSchema = z.object({
  key: z.string(),
  startedAt: z.string(),
  /** Seconds that earlier attempts worked. */
  earlierSeconds: z.number(),
  attempts: z.number(),
})

/** attempt.json in an unfinished folder: whose work it is. */
export type Attempt = z.infer<typeof attemptSchema>

const RECORD = 'step.json'
const ATTEMPT = 'attempt.json'

export const finishedFolder = (runDir: string, step: string) => join(runDir, 'steps', step)
export const partialFolder = (runDir: string, step: string) => join(runDir, 'steps', `${step}.partial`)

/**
 * The record of a finished step's folder; undefined where there is none. The files are looked at (there, and of the
 * size they had); their contents are checked by `verifyStep`.
 *
 * @throws SmolforgeError `damaged` naming the file that is missing, cut short or no JSON.
 */
export async function readStepRecord(folder: string): Promise<StepRecord | undefined> {
  const path = join(folder, RECORD)
  const text = await readIfThere(path)
  if (text === undefined) {
    if (!(await exists(folder))) return undefined
    throw damaged(path, 'A finished step has no step.json', folder)
  }
  const parsed = recordSchema.safeParse(parseJson(text))
  if (!parsed.success) throw damaged(path, 'step.json of a finished step cannot be read', folder)
  for (const [name, expected] of Object.entries(parsed.data.files)) {
    const file = join(folder, name)
    const found = await stat(file).catch(() => undefined)
    if (!found) throw damaged(file, 'A file of a finished step is missing', folder)
    if (found.size !== expected.bytes) {
      throw damaged(
        file,
        `A file of a finished step has ${found.size} bytes, ${expected.bytes} were written`,
        folder,
      )
    }
  }
  return parsed.data
}

/**
 * Compares every file of a finished step with the checksum taken when it was written.
 *
 * @throws SmolforgeError `damaged` naming the first file that differs.
 */
export async function verifyStep(folder: string, record: StepRecord): Promise<void> {
  for (const [name, expected] of Object.entries(record.files)) {
    const file = join(folder, name)
    if ((await hashFile(file)) !== expected.sha256) {
      throw damaged(file, 'A file of a finished step does not have the contents that were written', folder)
    }
  }
}

/**
 * Makes the folder of an unfinished step ready: goes on with one of the same key when the step can, else begins anew.
 * `ready` holds a record when an earlier attempt ended just before the last rename.
 */
export async function openPartial(
  folder: string,
  key: string,
  resumes: boolean,
): Promise<{ attempt: Attempt; ready?: StepRecord }> {
  const now = new Date().toISOString()
  try {
    const before = attemptSchema.safeParse(parseJson((await readIfThere(join(folder, ATTEMPT))) ?? ''))
    const sameWork = before.success && before.data.key === key
    if (sameWork) {
      const record = recordSchema.safeParse(parseJson((await readIfThere(join(folder, RECORD))) ?? ''))
      if (record.success && record.data.key === key) return { attempt: before.data, ready: record.data }
    }
    if (!sameWork || !resumes) await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    const attempt: Attempt = {
      key,
      startedAt: now,
      earlierSeconds: sameWork ? before.data.earlierSeconds + (await secondsWorked(folder, before.data)) : 0,
      attempts: sameWork ? before.data.attempts + 1 : 1,
    }
    await writeFileAtomic(join(folder, ATTEMPT), JSON.stringify(attempt))
    return { attempt }
  } catch (error) {
    throw fileError(error, folder)
  }
}

/** Seals a finished step: every file flushed and hashed, step.json written, the folder renamed as a whole. */
export async function publishStep(
  partial: string,
  finished: string,
  record: Omit<StepRecord, 'files' | 'state'>,
): Promise<StepRecord> {
  const files: StepRecord['files'] = {}
  try {
    await removeUnfinishedWrites(partial)
    for (const name of await listFiles(partial)) {
      if (name === ATTEMPT || name === RECORD) continue
      const file = join(partial, name)
      await syncFile(file)
      files[name] = { bytes: (await stat(file)).size, sha256: await hashFile(file) }
    }
    for (const folder of await listFolders(partial)) await syncFolder(join(partial, folder))
  } catch (error) {
    throw fileError(error, partial)
  }
  const whole: StepRecord = { ...record, state: 'done', files }
  await writeFileAtomic(join(partial, RECORD), `${JSON.stringify(whole, null, 2)}\n`)
  await replaceFolder(partial, finished)
  return whole
}

/** Puts a sealed folder in its place; what stood there belongs to another key and goes. */
export async function replaceFolder(partial: string, finished: string): Promise<void> {
  const old = `${finished}.old`
  try {
    await rm(old, { recursive: true, force: true })
    if (await exists(finished)) await rename(finished, old)
    await rm(join(partial, ATTEMPT), { force: true })
  } catch (error) {
    throw fileError(error, finished)
  }
  await publishFolder(partial, finished)
  await rm(old, { recursive: true, force: true })
}

/** Relative paths of all files under a folder, sorted. */
export async function listFiles(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort()
}

async function listFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** A killed attempt leaves no word of its end: the newest file in its folder tells when it last worked. */
async function secondsWorked(folder: string, attempt: Attempt): Promise<number> {
  let newest = 0
  for (const name of await listFiles(folder)) {
    newest = Math.max(newest, (await stat(join(folder, name))).mtimeMs)
  }
  return Math.max(0, (newest - Date.parse(attempt.startedAt)) / 1000)
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) {
      return undefined
    }
    throw fileError(error, path)
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function damaged(file: string, message: string, folder: string): SmolforgeError {
  return new SmolforgeError('damaged', message, {
    place: { file },
    hint: `Remove ${folder} and run the recipe again: the step is made anew from its inputs.`,
  })
}
