import { resolve } from 'node:path'
import { SmolforgeError } from '../errors.ts'
import type { Progress, StopSignal } from '../progress/progress.ts'
import type { Damage, Document, DocumentStream, Quarantined } from './document.ts'
import { listFiles, noneMatches, type SourceFile } from './files.ts'
import type { ExtractOptions } from './kernels.ts'
import { listGitFiles } from './origins/git.ts'
import { listHubDataSet } from './origins/hub.ts'
import { fetchPackage, unpackTarball } from './origins/packages.ts'
import { fetchInTurn, type RemoteFile } from './origins/remote.ts'
import { listS3Objects } from './origins/s3.ts'
import { codeLanguage, readCode } from './readers/code.ts'
import { readHtml } from './readers/html.ts'
import { readJsonLinesTexts } from './readers/json-lines.ts'
import { readMarkdown } from './readers/markdown.ts'
import { readParquetTexts } from './readers/parquet.ts'
import type { FoundText, QuarantinedPage, Reader, Report } from './readers/reader.ts'
import { readText } from './readers/text.ts'
import { readWarc } from './readers/warc.ts'
import { readWordNetTexts } from './readers/wordnet.ts'
import type { ReaderName, SourceConfig, TextGenerator } from './source.ts'
import { wordNetPartOfSpeech } from './wordnet.ts'

const BATCH_DOCUMENTS = 512
const BATCH_CHARACTERS = 2_000_000

export interface ReadOptions {
  /** Where fetched packages are kept. */
  cacheDir: string
  /** What `path` in a source is relative to: the folder of the recipe. */
  baseDir: string
  /** Called for every part of the input that gave no document. */
  onDamage: (damage: Damage) => void
  /** Called for what holds no document by design, with the reason: minified files, WARC request records. */
  onSkip?: (reason: string) => void
  /** Called for every document that took too long and was given up; without it they are damages. */
  onQuarantine?: (document: Quarantined) => void
  /** Documents keep the id, source, licence, language and scores that their own records say. */
  keepRecords?: boolean
  /** Makes the texts of `generate` sources. */
  generator?: TextGenerator
  seed?: number
  /** Where the names of a hub, a store and their keys are looked up; the process's own if not given. */
  env?: NodeJS.ProcessEnv
  /** The pause before a failed request is made again. */
  retryDelayMs?: number
  onProgress?: Progress
  stop?: StopSignal
  /** How web pages become text. */
  extraction?: ExtractOptions
}

const READERS: Record<ReaderName, Reader> = {
  text: readText,
  code: readCode,
  markdown: readMarkdown,
  html: readHtml,
  jsonl: readJsonLinesTexts,
  parquet: readParquetTexts,
  warc: readWarc,
  wordnet: readWordNetTexts,
}

/**
 * Streams the documents of one source in batches; memory does not grow with the corpus. Ids are `source:path` or
 * `source:path#part`. Lone surrogates and zero characters become U+FFFD, counted in `meta.replaced`.
 *
 * @throws SmolforgeError `input` when the source has no file, `network` or `damaged` when a package cannot be had.
 */
export async function* readSource(source: SourceConfig, options: ReadOptions): DocumentStream {
  let documents = 0
  let bytes = 0
  let batch: Document[] = []
  let characters = 0
  const full = () =>
    (source.maxDocuments !== undefined && documents >= source.maxDocuments) ||
    (source.maxBytes !== undefined && bytes >= source.maxBytes)
  for await (const found of readTexts(source, options)) {
    for (const text of found) {
      const document = makeDocument(source, text, options.keepRecords === true)
      if (document === undefined) {
        options.onSkip?.('empty text')
        continue
      }
      batch.push(document)
      characters += document.text.length
      documents++
      if (source.maxBytes !== undefined) bytes += Buffer.byteLength(document.text)
      if (full()) break
      if (batch.length >= BATCH_DOCUMENTS || characters >= BATCH_CHARACTERS) {
        yield batch
        batch = []
        characters = 0
      }
    }
    if (full() || options.stop?.stopped) break
  }
  if (batch.length > 0) yield batch
}

async function* readTexts(source: SourceConfig, options: ReadOptions): AsyncGenerator<readonly FoundText[]> {
  if (source.generate !== undefined) {
    yield* generateTexts(source, source.generate, options)
    return
  }
  const remote = await remoteFiles(source, options)
  yield* remote === undefined ? readLocal(source, options) : readRemote(source, remote, options)
}

async function* readLocal(source: SourceConfig, options: ReadOptions): AsyncGenerator<readonly FoundText[]> {
  const { files, meta } = await localFiles(source, options)
  const report = reportOf(source, options, files)
  for (const [name, some] of byReader(files, source, report.onSkip)) {
    for await (const found of READERS[name](some, report, readerOptions(source, options))) {
      yield meta === undefined ? found : found.map((text) => ({ ...text, meta: { ...meta, ...text.meta } }))
    }
  }
}

async function* readRemote(
  source: SourceConfig,
  files: readonly RemoteFile[],
  options: ReadOptions,
): AsyncGenerator<readonly FoundText[]> {
  const report = reportOf(source, options, files)
  for (const [name, some] of byReader(files, source, report.onSkip)) {
    for await (const { remote, local } of fetchInTurn(some, options.cacheDir)) {
      // A person looks for what was lost where the file came from.
      const elsewhere = { ...report, ...losses(source, options, remote.address) }
      yield* READERS[name]([local], elsewhere, readerOptions(source, options))
    }
  }
}

const readerOptions = ({ textField = 'text' }: SourceConfig, { extraction }: ReadOptions) => ({
  textField,
  extraction,
})

function reportOf(source: SourceConfig, options: ReadOptions, files: readonly { bytes: number }[]): Report {
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  let done = 0
  return {
    ...losses(source, options),
    onSkip: (reason: string) => options.onSkip?.(reason),
    onBytes: (bytes: number) => {
      done += bytes
      options.onProgress?.({ done, total, unit: 'bytes', message: source.name })
    },
  }
}

/** Hands on what was lost, with the file's address where it is a copy of one that lies elsewhere. */
function losses(source: SourceConfig, options: ReadOptions, address?: string) {
  return {
    onDamage: (damage: Damage) => options.onDamage({ ...damage, file: address ?? damage.file }),
    onQuarantine: ({ file, part, ...rest }: QuarantinedPage) => {
      const id = documentId(source, file.name, part)
      const { byteOffset, byteLength, reason } = rest
      const place = address ?? file.path
      // Whoever asks for no list of them is told of a damage: nothing is lost without a word.
      if (options.onQuarantine !== undefined) options.onQuarantine({ id, file: place, ...rest })
      else options.onDamage({ file: place, byteOffset, bytesLost: byteLength, reason, id: rest.url ?? id })
    },
  }
}

async function remoteFiles(source: SourceConfig, options: ReadOptions): Promise<RemoteFile[] | undefined> {
  const { hub, s3, include, exclude } = source
  const { env, retryDelayMs } = options
  const say = (what: string) => options.onProgress?.({ done: 0, unit: 'files', message: `listing ${what}` })
  if (hub !== undefined) {
    say(hub)
    return listHubDataSet(hub, { include, exclude }, { env, retryDelayMs })
  }
  if (s3 !== undefined) {
    say(s3)
    return listS3Objects(s3, { include, exclude }, { env, retryDelayMs })
  }
  return undefined
}

async function localFiles(
  source: SourceConfig,
  options: ReadOptions,
): Promise<{ files: SourceFile[]; meta?: Record<string, string> }> {
  if (source.git === undefined) return { files: await listFiles(await rootOf(source, options), source) }
  const root = resolve(options.baseDir, source.git)
  const { commit, files, skipped } = await listGitFiles(root, source)
  for (const { reason } of skipped) options.onSkip?.(reason)
  if (files.length === 0) throw noneMatches(root, source)
  return { files, meta: { commit } }
}

async function rootOf(source: SourceConfig, options: ReadOptions): Promise<string> {
  if (source.npm !== undefined && source.integrity !== undefined) {
    const at = source.npm.lastIndexOf('@')
    const [name, version] = [source.npm.slice(0, at), source.npm.slice(at + 1)]
    options.onProgress?.({ done: 0, unit: 'files', message: `fetching ${source.npm}` })
    return fetchPackage({ name, version, integrity: source.integrity }, options.cacheDir)
  }
  const root = resolve(options.baseDir, source.path ?? '.')
  return /\.(tgz|tar\.gz)$/.test(root) ? unpackTarball(root, options.cacheDir) : root
}

const documentId = (source: SourceConfig, name: string, part: string) =>
  `${source.name}:${name}${part === '' ? '' : `#${part}`}`

/** The files of each reader: the one that the source names, or the one that fits the file's name. */
function byReader<File extends { name: string }>(
  files: readonly File[],
  source: SourceConfig,
  onSkip: (reason: string) => void,
): [ReaderName, File[]][] {
  const groups = new Map<ReaderName, File[]>()
  for (const file of files) {
    const fits = readerFor(file.name)
    // A person who says both which files and how to read them is taken at their word.
    const name = source.include !== undefined || files.length === 1 ? (source.reader ?? fits) : fits
    if (name === undefined || (source.reader !== undefined && name !== source.reader)) {
      onSkip(`not for the ${source.reader ?? 'known'} reader${source.reader ? '' : 's'}`)
      continue
    }
    const group = groups.get(name)
    if (group === undefined) groups.set(name, [file])
    else group.push(file)
  }
  if (groups.size === 0) {
    throw new SmolforgeError('input', `No file of source ${source.name} can be read`, {
      place: { file: files[0]?.name },
      hint: 'Say which reader to use, or which files to include.',
    })
  }
  return [...groups]
}

function readerFor(name: string): ReaderName | undefined {
  const lower = name.toLowerCase()
  if (wordNetPartOfSpeech(lower.split('/').at(-1) ?? '') !== undefined) return 'wordnet'
  if (/\.(jsonl|ndjson)(\.gz|\.zst)?$/.test(lower)) return 'jsonl'
  if (/\.parquet$/.test(lower)) return 'parquet'
  if (/\.warc(\.gz|\.zst)?$/.test(lower)) return 'warc'
  if (/\.(html?|xhtml)$/.test(lower)) return 'html'
  if (/\.(md|markdown)$/.test(lower)) return 'markdown'
  if (/\.(txt|text)$/.test(lower)) return 'text'
  return codeLanguage(lower) === undefined ? undefined : 'code'
}

function* generateTexts(
  source: SourceConfig,
  name: string,
  options: ReadOptions,
): Generator<readonly FoundText[]> {
  if (options.generator === undefined) {
    throw new SmolforgeError('usage', `Source ${source.name} needs a generator and none was handed in`, {
      hint: 'Give readSource a `generator` function.',
    })
  }
  const total = source.documents ?? 0
  const file = { path: name, name, bytes: 0 }
  let found: FoundText[] = []
  let done = 0
  for (const { id, text, meta } of options.generator(name, total, options.seed ?? 0)) {
    found.push({ file, part: id, text, meta })
    done++
    if (found.length < BATCH_DOCUMENTS) continue
    yield found
    found = []
    options.onProgress?.({ done, total, unit: 'documents', message: source.name })
  }
  yield found
}

function makeDocument(source: SourceConfig, found: FoundText, keepRecord: boolean): Document | undefined {
  const { text, replaced } = cleanText(found.text)
  if (text.trim() === '') return undefined
  const place = { domain: source.domain, path: found.file.name }
  const meta: Document['meta'] = keepRecord ? { ...place, ...found.meta } : { ...found.meta, ...place }
  const count = replaced + (found.replaced ?? 0)
  if (count > 0) meta.replaced = count
  const document: Document = {
    id: documentId(source, found.file.name, found.part),
    text,
    source: source.name,
    licence: source.licence,
    ...(found.url === undefined ? {} : { url: found.url }),
    scores: {},
    meta,
  }
  if (!keepRecord || found.own === undefined) return document
  for (const key of ['id', 'source', 'licence', 'license', 'language']) delete meta[key]
  const own = Object.entries(found.own).filter(([, value]) => value !== undefined)
  return { ...document, ...Object.fromEntries(own) }
}

/** One kind of line end; half surrogate pairs and zero characters become U+FFFD and are counted. */
function cleanText(raw: string): { text: string; replaced: number } {
  let replaced = 0
  let text = raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw
  if (/[\p{Cs}\0]/u.test(text)) {
    text = text.replace(/[\p{Cs}\0]/gu, () => {
      replaced++
      return '\uFFFD'
    })
  }
  return { text, replaced }
}
