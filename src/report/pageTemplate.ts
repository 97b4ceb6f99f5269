import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { fileError, SmolforgeError } from '../errors.ts'

const DATA_MARK = /(<script id="report-data" type="application\/json">)[^<]*(<\/script>)/

/** A page with its data in it. Documents are strangers' text: nothing in them may end the script element. */
export function fillPage(template: string, title: string, page: unknown): string {
  const data = JSON.stringify(page)
    .replaceAll('<', '\\u003c')
    .replaceAll('\u2028', '\\u2028')
    .replaceAll('\u2029', '\\u2029')
  const plain = `${title} · smolforge`.replace(/[<>&\p{Z}\p{C}]+/gu, ' ')
  return template
    .replace(/<title>[^<]*<\/title>/, () => `<title>${plain}</title>`)
    .replace(DATA_MARK, (_, open: string, close: string) => `${open}${data}${close}`)
}

/**
 * Reads a page that `web/build.mjs` built.
 *
 * @throws SmolforgeError `environment` when it was not built, `damaged` when it is none.
 */
export async function readPage(page: 'report' | 'classifier', named?: string): Promise<string> {
  const beside = (path: string) => fileURLToPath(new URL(path, import.meta.url))
  // From dist/report/ when compiled, from src/report/ in a checkout.
  const built = [beside(`../web/${page}.html`), beside(`../../dist/web/${page}.html`)]
  const path = named ?? built.find(existsSync)
  if (path === undefined) {
    throw new SmolforgeError('environment', 'The report page was not built', {
      hint: 'Run: npm run build:web',
    })
  }
  try {
    const template = await readFile(path, 'utf8')
    if (DATA_MARK.test(template)) return template
  } catch (error) {
    throw fileError(error, path)
  }
  throw new SmolforgeError('damaged', 'This is not a report page: it has no place for the data', {
    place: { file: path },
    hint: 'Run: npm run build:web',
  })
}
