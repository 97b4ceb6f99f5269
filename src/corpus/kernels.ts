/** What this room calls in the native addon. */
export interface CorpusKernels {
  ZstdEncoder: new (level: number) => ZstdEncoder
  PackedReader: new (path: string, zstd: boolean) => PackedReader
  WarcReader: new (path: string, maxRecordBytes: number) => WarcReader
  /** One zstd frame with a checksum. */
  zstdCompress(bytes: Uint8Array, level: number): Buffer
  /** Throws where the frames are damaged or do not hold exactly `length` bytes. */
  zstdDecompress(bytes: Uint8Array, length: number): Buffer
  extractPages(pages: readonly PageInput[], options?: ExtractOptions): Promise<PageText[]>
}

export interface ZstdEncoder {
  push(bytes: Uint8Array): Buffer
  end(): Buffer
}

/** Decodes a gzip or zstd file piece by piece, each with its text or with a range of the file that gave none. */
export interface PackedReader {
  next(bytes: number): Promise<{ text?: Buffer; offset: number; length: number; reason?: string } | null>
}

export interface WarcReader {
  next(bytes: number): Promise<WarcBatch>
}

export interface WarcBatch {
  records: WarcRecord[]
  damages: { offset: number; length: number; reason: string }[]
  accounted: number
  size: number
  done: boolean
}

export interface WarcRecord {
  offset: number
  length: number
  kind: string
  url?: string
  contentType?: string
  date?: string
  /** Why the crawler did not take all of the page. */
  truncated?: string
  payload: Buffer
}

/** How pages become text. */
export interface ExtractOptions {
  /** Threads of the extractor; all cores if not given. */
  threads?: number
  /** Whether what readers wrote below an article belongs to its text; no if not given. Threads are always kept. */
  comments?: boolean
  /** A page that takes longer is given up and reported as `too long`; 10,000 if not given. */
  maxMilliseconds?: number
}

export interface PageInput {
  bytes: Uint8Array
  isHttp: boolean
  contentType?: string
}

export interface PageText {
  text: string
  title: string
  language: string
  charset: string
  mime: string
  /** Characters that could not be read and became U+FFFD. */
  replaced: number
  /** Why there is no text; one that begins with `TOO_LONG` says that the time for a document was over. */
  failure?: string
}

/** How the failure of a page begins whose extraction was given up for the time that it took. */
export const TOO_LONG = 'too long'
