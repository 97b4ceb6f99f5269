import { readAhead } from '../../files/readAhead.ts'
import { loadAddon } from '../../native/addon.ts'
import type { SourceFile } from '../files.ts'
import { type CorpusKernels, type PageText, TOO_LONG } from '../kernels.ts'
import type { FoundText, QuarantinedPage, Reader, ReaderOptions, Report } from './reader.ts'
import { readWholeFiles } from './whole-files.ts'

/** HTML files, one document each. */
export const readHtml: Reader = (files, report, options) => readAhead(extractFiles(files, report, options))

async function* extractFiles(
  files: readonly SourceFile[],
  report: Report,
  { extraction }: ReaderOptions,
): AsyncGenerator<readonly FoundText[]> {
  const kernels = loadAddon<CorpusKernels>()
  for await (const group of readAhead(readWholeFiles(files, report))) {
    const pages = await kernels.extractPages(
      group.map(({ bytes }) => ({ bytes, isHttp: false, contentType: 'text/html' })),
      extraction,
    )
    const found: FoundText[] = []
    group.forEach(({ file }, index) => {
      const page = pages[index]
      if (page === undefined || page.failure !== undefined) {
        reportNoText({ file, part: '', byteOffset: 0, byteLength: file.bytes }, page, report)
        return
      }
      found.push({ file, part: '', text: page.text, replaced: page.replaced, meta: pageMeta(page) })
    })
    yield found
  }
}

/** What a page says about itself. */
export function pageMeta(page: PageText): Record<string, string> {
  const meta: Record<string, string> = { mime: page.mime, charset: page.charset }
  if (page.title !== '') meta.title = page.title
  if (page.language !== '') meta.declaredLanguage = page.language
  return meta
}

/** A page without text is a damage; one that was given up for the time that it took is put under quarantine. */
export function reportNoText(
  place: Omit<QuarantinedPage, 'reason'>,
  page: PageText | undefined,
  report: Report,
): void {
  const reason = page?.failure ?? 'no result'
  const { file, byteOffset, byteLength, url } = place
  if (reason.startsWith(TOO_LONG)) report.onQuarantine({ ...place, reason })
  else {
    const id = url === undefined ? {} : { id: url }
    report.onDamage({ file: file.path, byteOffset, bytesLost: byteLength, reason, ...id })
  }
}
