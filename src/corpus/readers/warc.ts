import { fileError, SmolforgeError } from '../../errors.ts'
import { readAhead } from '../../files/readAhead.ts'
import { loadAddon } from '../../native/addon.ts'
import type { SourceFile } from '../files.ts'
import type { CorpusKernels, WarcBatch, WarcReader, WarcRecord } from '../kernels.ts'
import { pageMeta, reportNoText } from './html.ts'
import type { FoundText, Reader, ReaderOptions, Report } from './reader.ts'

const MAX_RECORD_BYTES = 64 << 20
const BATCH_BYTES = 16 << 20

/**
 * WARC files, plain, gzip or zstd: every response, resource and conversion record is a document or a damage, and so
 * is every byte range that cannot be read. Other records (requests, metadata) hold no page and are skipped.
 */
export const readWarc: Reader = (files, report, options) => readAhead(extractFiles(files, report, options))

async function* extractFiles(
  files: readonly SourceFile[],
  report: Report,
  { extraction }: ReaderOptions,
): AsyncGenerator<readonly FoundText[]> {
  const kernels = loadAddon<CorpusKernels>()
  for (const file of files) {
    let index = 0
    let accounted = 0
    for await (const batch of readAhead(readRecords(kernels, file))) {
      for (const { offset, length, reason } of batch.damages) {
        report.onDamage({ file: file.path, byteOffset: offset, bytesLost: length, reason })
      }
      const records: { record: WarcRecord; part: string }[] = []
      for (const record of batch.records) {
        const part = String(index++)
        if (['response', 'resource', 'conversion'].includes(record.kind)) records.push({ record, part })
        else report.onSkip(`WARC ${record.kind || 'untyped'} record`)
      }
      const pages = await kernels.extractPages(
        records.map(({ record }) => ({
          bytes: record.payload,
          isHttp: record.contentType?.startsWith('application/http') ?? record.kind === 'response',
          contentType: record.contentType,
        })),
        extraction,
      )
      const found: FoundText[] = []
      records.forEach(({ record, part }, at) => {
        const page = pages[at]
        if (page === undefined || page.failure !== undefined) {
          const { offset: byteOffset, length: byteLength, url } = record
          reportNoText({ file, part, byteOffset, byteLength, url }, page, report)
          return
        }
        found.push({
          file,
          part,
          text: page.text,
          replaced: page.replaced,
          url: record.url,
          meta: {
            ...pageMeta(page),
            ...(record.date === undefined ? {} : { date: record.date }),
            ...(record.truncated === undefined ? {} : { truncated: record.truncated }),
          },
        })
      })
      report.onBytes(batch.accounted - accounted)
      accounted = batch.accounted
      yield found
    }
    if (accounted !== file.bytes) {
      throw new SmolforgeError('internal', `${accounted} of ${file.bytes} bytes are accounted for`, {
        place: { file: file.path },
        hint: 'The file may have changed while it was read.',
      })
    }
  }
}

async function* readRecords(kernels: CorpusKernels, file: SourceFile): AsyncGenerator<WarcBatch> {
  const reader = openWarc(kernels, file)
  for (let done = false; !done; ) {
    const batch = await reader.next(BATCH_BYTES).catch((error) => {
      throw fileError(error, file.path)
    })
    done = batch.done
    yield batch
  }
}

function openWarc(kernels: CorpusKernels, file: SourceFile): WarcReader {
  try {
    return new kernels.WarcReader(file.path, MAX_RECORD_BYTES)
  } catch (cause) {
    throw new SmolforgeError('input', `Cannot open the WARC file: ${cause}`, {
      place: { file: file.path },
      cause,
    })
  }
}
