import type { Document } from '../../corpus/index.ts'
import { codeLanguageOf } from '../codeLanguage.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

/** Where a file lay: `meta.path`, or what the id says after the source. */
export function pathOf({ id, meta }: Document): string {
  if (typeof meta.path === 'string') return meta.path
  return id.slice(id.indexOf(':') + 1).replace(/#[^#/]*$/, '')
}

/** The 15 largest languages of StarCoder2Data, which Stack-Edu is made of. */
export const STACK_EDU_LANGUAGES = [
  'python',
  'cpp',
  'markdown',
  'c',
  'javascript',
  'java',
  'sql',
  'php',
  'csharp',
  'typescript',
  'shell',
  'swift',
  'go',
  'rust',
  'ruby',
] as const

/** Names the programming language of each file, writes `meta`'s language as `language` `code-NAME`, drops the others. */
export function codeLanguageRule({
  languages = STACK_EDU_LANGUAGES,
}: {
  languages?: readonly string[]
} = {}): Rule {
  const wanted = new Set<string>(languages)
  return {
    name: 'codeLanguage',
    judge: (batch) =>
      batch.map((document): Verdict => {
        const language = codeLanguageOf(pathOf(document), document.text)
        if (language === undefined) return { keep: false, rule: 'codeLanguage.unknown', value: 0 }
        if (!wanted.has(language)) {
          return { keep: false, rule: 'codeLanguage.languages', value: 0, detail: { language } }
        }
        return { keep: true, changes: { language: codeTag(language) } }
      }),
  }
}

/** A language of people has three letters, one of programs this prefix. */
export const codeTag = (language: string) => `code-${language}`

/** Licences under which code may be used with little more than a notice: those of The Stack, by SPDX name. */
const PERMISSIVE =
  'mit mit-0 apache-2.0 bsd-2-clause bsd-3-clause bsd-3-clause-clear 0bsd isc unlicense cc0-1.0 zlib bsl-1.0 wtfpl ncsa postgresql psf-2.0 python-2.0 artistic-2.0 ms-pl x11 upl-1.0 blueoak-1.0.0'.split(
    ' ',
  )

export interface LicenceOptions {
  /** SPDX names that stay; by default permissive ones. */
  licences?: readonly string[]
  /** Whether files whose licence nobody says stay, as in The Stack v2. */
  keepUnknown?: boolean
}

/**
 * Drops documents under another licence. Of an expression, each part of an `AND` must be wanted, one of an `OR`.
 */
export function licenceRule({ licences = PERMISSIVE, keepUnknown = true }: LicenceOptions = {}): Rule {
  const wanted = new Set(licences.map((name) => name.toLowerCase()))
  const fits = (expression: string) =>
    expression
      .toLowerCase()
      .replace(/[()]/g, '')
      .split(/\s+or\s+|,/)
      .some((all) =>
        all.split(/\s+and\s+/).every((name) => wanted.has(name.trim().replace(/\s+with\s.*$/, ''))),
      )
  return {
    name: 'licence',
    judge: (batch) =>
      batch.map(({ licence, meta }): Verdict => {
        const said = [meta.license, meta.licence, licence].find(
          (name) => typeof name === 'string' && name !== '',
        )
        const unknown = said === undefined || /^(?:unknown|none|noassertion|no_license)$/i.test(String(said))
        if (unknown ? keepUnknown : fits(String(said))) return keep
        const rule = unknown ? 'licence.unknown' : 'licence.licences'
        return { keep: false, rule, value: 0, detail: { licence: String(said ?? 'unknown') } }
      }),
  }
}

/** Folders that hold other people's code, what a build made, and what tests feed on. */
const VENDORED =
  /(?:^|\/)(?:node_modules|bower_components|vendor|vendors|third[_-]?party|external|deps|site-packages|\.git)\//i
const BUILT =
  /(?:^|\/)(?:dist|build|out|target|__pycache__|\.next|generated|gen)\/|[.-]min\.\w+$|\.(?:bundle|chunk)\.js$|_pb2?(?:_grpc)?\.\w+$|\.pb\.(?:go|cc|h)$|\.designer\.cs$|\.g\.(?:cs|dart)$/i
const TEST_DATA =
  /(?:^|\/)(?:testdata|test[_-]?data|fixtures?|__fixtures__|__snapshots__|snapshots?|golden|mocks?|__mocks__|cassettes?)\//i

/** Drops files that by their place are vendored, built or data of tests. */
export function codeFilesRule(): Rule {
  const places = [
    ['codeFiles.vendored', VENDORED],
    ['codeFiles.generated', BUILT],
    ['codeFiles.testData', TEST_DATA],
  ] as const
  return {
    name: 'codeFiles',
    judge: (batch) =>
      batch.map((document): Verdict => {
        const path = pathOf(document)
        const place = places.find(([, pattern]) => pattern.test(path))
        return place ? { keep: false, rule: place[0], value: 1 } : keep
      }),
  }
}
