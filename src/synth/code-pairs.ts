import type { Random } from '../random/random.ts'
import { type Conversation, exchange } from './conversation.ts'

/** A documented function of the corpus. */
export interface DocumentedFunction {
  name: string
  /** Its head and the first lines of its body. */
  code: string
  /** The first sentence of its comment. */
  description: string
  language: 'js' | 'ts' | 'c'
}

/** A question on a documented function: what it does, or which head a described function has. */
export function codePair(documented: DocumentedFunction, random: Random): Conversation {
  const { name, code, description, language } = documented
  const fenced = `\`\`\`${language}\n${code}\n\`\`\``
  const head = code.split('\n')[0].replace(/\s*\{?\s*$/, '')
  switch (random.int(5)) {
    case 0:
      return exchange('code', `Describe this function in one sentence.\n${fenced}`, description)
    case 1:
      return exchange('code', `What is \`${name}\` for?\n${fenced}`, description)
    case 2:
      return exchange('code', `Write a comment for this code.\n${fenced}`, `/** ${description} */`)
    case 3:
      return exchange(
        'code',
        `What could the head of a function look like that does this: ${description}`,
        `\`\`\`${language}\n${head}\n\`\`\``,
      )
    default:
      return exchange('code', `What does this function do?\n${fenced}`, description)
  }
}

const COMMENTED_FUNCTION =
  /\/\*\*?[ \t]*\n?((?:(?!\*\/)[\s\S]){20,1500}?)\*\/[ \t]*\n[ \t]*((?:export\s+|declare\s+|static\s+|async\s+|const\s+|default\s+)*(?:function\s*\*?\s*|(?:unsigned\s+)?(?:int|void|char|double|float|u8|u16|u32|u64|i64|sqlite3_int64|sqlite3)\s+\**)(\w+)\s*\([^)]{0,200}\)[^;{]{0,80}[;{])/g

/** The functions of a source file that stand below a comment, for JavaScript, TypeScript and C. */
export function documentedFunctions(text: string, maxCodeCharacters = 400): DocumentedFunction[] {
  const found: DocumentedFunction[] = []
  for (const match of text.matchAll(COMMENTED_FUNCTION)) {
    const [whole, comment, head, name] = match
    const description = firstSentence(comment)
    if (description === undefined) continue
    const start = match.index + whole.length - head.length
    const isC = !/\bfunction\b/.test(head)
    const margin = text.slice(text.lastIndexOf('\n', start - 1) + 1, start)
    const code = dedent(text.slice(start, bodyEnd(text, start, head, maxCodeCharacters)), margin)
    found.push({ name, code, description, language: isC ? 'c' : /:\s*\w/.test(head) ? 'ts' : 'js' })
  }
  return found
}

/** The comment without its stars and tags, up to its first full stop; undefined when that is no sentence. */
function firstSentence(comment: string): string | undefined {
  const text = comment
    .replace(/^[ \t]*\*+[ \t]?/gm, '')
    .split(/^\s*@/m)[0]
    .replace(/\s+/g, ' ')
    .trim()
  const sentence = (text.match(/^.*?[.!?](?=\s|$)/)?.[0] ?? text).trim()
  const words = sentence.split(' ').length
  const plain =
    /^[A-Z`]/.test(sentence) && !/[<>{}|]|https?:|copyright|licen[cs]e|TODO|eslint/i.test(sentence)
  return plain && words >= 4 && words <= 40 ? sentence : undefined
}

/** Where the code shown ends: after the closing brace if it comes soon, else after a whole line. */
function bodyEnd(text: string, start: number, head: string, max: number): number {
  if (head.endsWith(';')) return start + head.length
  let depth = 0
  for (let at = start + head.length - 1; at < Math.min(text.length, start + max); at++) {
    if (text[at] === '{') depth++
    if (text[at] === '}' && --depth === 0) return at + 1
  }
  const lineEnd = text.lastIndexOf('\n', start + max)
  return Math.max(lineEnd, start + head.length)
}

/** Takes the indentation of the function itself from its lines. */
function dedent(code: string, margin: string): string {
  return code
    .trimEnd()
    .split('\n')
    .map((line) => (line.startsWith(margin) ? line.slice(margin.length) : line))
    .join('\n')
}
