import { cutText } from './cut.ts'
import type { FoundText, Reader } from './reader.ts'
import { readTextFiles } from './whole-files.ts'

const PIECE = 32_000

/** A new section of an amalgamated file, a doc comment or definition at the left edge, an empty line. */
const BORDERS = [/\n(?=\/\*{10,})/g, /\n\n(?=\/\*\*)/g, /\n\n(?=[^\s}\])])/g, /\n\n/g]

/** Linguist's names for the extensions that corpora hold. */
const LANGUAGES: Record<string, string> = {
  c: 'c',
  h: 'c',
  cc: 'cpp',
  cpp: 'cpp',
  cxx: 'cpp',
  hpp: 'cpp',
  cs: 'csharp',
  css: 'css',
  cjs: 'javascript',
  go: 'go',
  java: 'java',
  js: 'javascript',
  jsx: 'javascript',
  jl: 'julia',
  kt: 'kotlin',
  lua: 'lua',
  mjs: 'javascript',
  mts: 'typescript',
  php: 'php',
  pl: 'perl',
  py: 'python',
  r: 'r',
  rb: 'ruby',
  rs: 'rust',
  scala: 'scala',
  sh: 'shell',
  sql: 'sql',
  swift: 'swift',
  ts: 'typescript',
  tsx: 'typescript',
}

/** The language of a code file by its extension, undefined for other files. */
export function codeLanguage(name: string): string | undefined {
  return LANGUAGES[/\.(\w+)$/.exec(name)?.[1]?.toLowerCase() ?? '']
}

/** Code: a file is a document; one of more than 64,000 characters is cut between definitions. */
export const readCode: Reader = async function* (files, report) {
  for await (const group of readTextFiles(files, report)) {
    const found: FoundText[] = []
    for (const { file, text: whole, replaced } of group) {
      if (isMinified(file.name, whole)) {
        report.onSkip('minified code')
        continue
      }
      const language = codeLanguage(file.name)
      const pieces = cutText(whole, PIECE, BORDERS)
      for (const [number, text] of pieces.entries()) {
        const part = pieces.length > 1 ? String(number) : ''
        found.push({ file, part, text, replaced, meta: language ? { language } : {} })
      }
    }
    yield found
  }
}

/** By its name, or because its lines are far longer than anyone writes. */
function isMinified(name: string, text: string): boolean {
  if (/[.-]min\.\w+$/.test(name)) return true
  if (text.length < 4000) return false
  let lines = 1
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines++
  return text.length / lines > 200
}
