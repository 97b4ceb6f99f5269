import { loadAddon } from '../../native/addon.ts'
import type { CorpusKernels, PageText } from '../kernels.ts'
import type { FoundText, Reader } from './reader.ts'
import { readWholeFiles } from './whole-files.ts'

/** HTML files, one document each. */
export const readHtml: Reader = async function* (files, report, { extraction }) {
  const kernels = loadAddon<CorpusKernels>()
  for await (const group of readWholeFiles(files, report)) {
    const pages = await kernels.extractPages(
      group.map(({ bytes }) => ({ bytes, isHttp: false, contentType: 'text/html' })),
      extraction,
    )
    const found: FoundText[] = []
    group.forEach(({ file }, index) => {
      const page = pages[index]
      if (page === undefined || page.failure !== undefined) {
        const reason = page?.failure ?? 'no result'
        report.onDamage({ file: file.path, byteOffset: 0, bytesLost: file.bytes, reason })
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
