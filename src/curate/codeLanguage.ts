/** Names of programming languages by the files' extensions and whole names, as GitHub's Linguist has them. */
const BY_EXTENSION: Readonly<Record<string, string>> = {
  ...spread('c', 'c'),
  ...spread('cpp', 'cc cpp cxx c++ hpp hh hxx ino'),
  ...spread('csharp', 'cs csx'),
  ...spread('go', 'go'),
  ...spread('java', 'java'),
  ...spread('javascript', 'js mjs cjs jsx'),
  ...spread('markdown', 'md markdown mdown'),
  ...spread('php', 'php php3 php4 php5 phtml'),
  ...spread('python', 'py pyw pyi'),
  ...spread('ruby', 'rb rake gemspec'),
  ...spread('rust', 'rs'),
  ...spread('shell', 'sh bash zsh ksh'),
  ...spread('sql', 'sql ddl'),
  ...spread('swift', 'swift'),
  ...spread('typescript', 'ts tsx mts cts'),
  ...spread('kotlin', 'kt kts'),
  ...spread('scala', 'scala sc'),
  ...spread('lua', 'lua'),
  ...spread('perl', 'pl pm'),
  ...spread('r', 'r'),
  ...spread('julia', 'jl'),
  ...spread('haskell', 'hs'),
  ...spread('css', 'css scss less'),
  ...spread('html', 'html htm xhtml'),
  ...spread('json', 'json jsonl geojson ipynb'),
  ...spread('yaml', 'yaml yml'),
  ...spread('xml', 'xml svg plist'),
}

const BY_NAME: Readonly<Record<string, string>> = {
  rakefile: 'ruby',
  gemfile: 'ruby',
  makefile: 'makefile',
  dockerfile: 'dockerfile',
  sconstruct: 'python',
}

const INTERPRETERS: readonly [RegExp, string][] = [
  [/\bpython[\d.]*\b/, 'python'],
  [/\b(?:ba|z|k|da)?sh\b/, 'shell'],
  [/\b(?:node|deno|bun)\b/, 'javascript'],
  [/\bruby\b/, 'ruby'],
  [/\bperl\b/, 'perl'],
  [/\bphp\b/, 'php'],
  [/\bRscript\b/, 'r'],
  [/\blua\b/, 'lua'],
]

/** What speaks for a language in its first lines: each pattern once. */
const SIGNS: Readonly<Record<string, readonly RegExp[]>> = {
  python: [
    /^\s*def \w+\(.*\).*:\s*$/m,
    /^(?:from [\w.]+ )?import \w/m,
    /^\s*(?:if|for|while|class|try|with)\b.*:\s*$/m,
    /\bself\.\w|__\w+__/,
  ],
  javascript: [
    /\b(?:const|let|var) \w+ =/,
    /=>|\bfunction\b *\w*\(/,
    /\brequire\(|^export |^import .* from ['"]/m,
    /===|\bconsole\.log\(/,
  ],
  typescript: [
    /\b(?:const|let) \w+(?:: [\w<>[\]|]+)? =/,
    /^(?:export )?(?:interface|type|enum) \w+/m,
    /\w\??: (?:string|number|boolean|void|unknown|readonly)\b/,
    /^import (?:type )?.* from ['"]/m,
  ],
  java: [
    /^package [\w.]+;/m,
    /^import (?:static )?[\w.*]+;/m,
    /\b(?:public|private|protected) (?:static |final )*(?:class|interface|enum|void|\w+)/,
    /\bSystem\.out\.|@Override\b/,
  ],
  c: [
    /^#include\s*[<"]/m,
    /^(?:static |const |unsigned |struct )*(?:int|void|char|double|float|long|size_t)\b[\s*]+\w+\(/m,
    /\b(?:printf|malloc|sizeof)\b/,
    /->\w|^#define /m,
  ],
  cpp: [
    /^#include\s*<[a-z_]+>/m,
    /\bstd::|\busing namespace\b/,
    /^\s*template\s*</m,
    /\bclass \w+|\w+::\w+\(|\bcout\b/,
  ],
  csharp: [
    /^using [\w.]+;/m,
    /^namespace [\w.]+/m,
    /\b(?:public|private|internal) (?:static |async |override |sealed )*(?:class|void|string|int|Task)\b/,
    /\bConsole\.|\bvar \w+ = new\b/,
  ],
  go: [/^package \w+$/m, /^func (?:\(.*?\) )?\w+\(/m, /:=/, /^import (?:\(|")/m],
  rust: [
    /\bfn \w+[<(]/,
    /\blet (?:mut )?\w+/,
    /^(?:pub )?(?:use|mod|struct|enum|impl|trait)\b/m,
    /->|::|&mut /,
  ],
  ruby: [/^\s*def \w+[?!]?/m, /^\s*end$/m, /^require(?:_relative)? ['"]/m, /\bdo \|\w+|@\w+ =|\.each\b/],
  php: [/<\?php/, /\$\w+ ?(?:=|->)/, /\bfunction \w+\(/, /^use [\w\\]+;/m],
  shell: [
    /^\s*(?:if|while) \[+ /m,
    /\bthen$|^\s*fi$|\bdone$/m,
    /\$\{?\w+\}?/,
    /^\s*(?:echo|export|set|cd|source) /m,
  ],
  sql: [
    /^\s*select\b[\s\S]{1,400}\bfrom\b/im,
    /^\s*(?:create|alter|drop) (?:table|view|index|database|function)\b/im,
    /^\s*insert into\b/im,
    /\bwhere\b|\bprimary key\b/i,
  ],
  swift: [
    /\bfunc \w+\(/,
    /^import (?:Foundation|UIKit|SwiftUI|XCTest)\b/m,
    /\b(?:let|var) \w+(?:: \w+)? =/,
    /\bguard let\b|-> \w+ \{|\?\?/,
  ],
  markdown: [/^#{1,4} \S/m, /^[-*] \S/m, /\[[^\]]+\]\([^)]+\)/, /^```/m],
}

/** As far as a file is read to see what it is, in UTF-16 units. */
const READ = 8000

/**
 * The programming language of a file by name and content: the extension says, unless the content has a shebang or
 * plainly is something else (C++ in a `.h`, another language's text under a wrong name gives none). Undefined where
 * neither speaks.
 */
export function codeLanguageOf(name: string, text: string): string | undefined {
  const file = name.split(/[/\\]/).at(-1)?.toLowerCase() ?? ''
  const named = BY_NAME[file] ?? BY_EXTENSION[/\.([\w+]+)$/.exec(file)?.[1] ?? '']
  const head = text.slice(0, READ)
  const shebang = /^#!.*/.exec(head)?.[0]
  const interpreter = shebang && INTERPRETERS.find(([pattern]) => pattern.test(shebang))?.[1]
  if (interpreter) return interpreter
  if (/\.h$/.test(file)) return signsOf('cpp', head) >= 2 ? 'cpp' : 'c'
  if (named !== undefined) return contradicted(named, head) ? undefined : named
  return bestBySigns(head)
}

/** A text of some length without one sign of its own language and with three of another has the wrong name. */
function contradicted(named: string, head: string): boolean {
  if (SIGNS[named] === undefined || head.length < 200 || signsOf(named, head) > 0) return false
  return Object.keys(SIGNS).some((other) => other !== named && signsOf(other, head) >= 3)
}

function bestBySigns(head: string): string | undefined {
  const ranked = Object.keys(SIGNS)
    .map((name) => [name, signsOf(name, head)] as const)
    .sort(([, a], [, b]) => b - a)
  const [[best, most], [, next]] = ranked
  return most >= 3 && most > next ? best : undefined
}

const signsOf = (name: string, head: string) => SIGNS[name].filter((sign) => sign.test(head)).length

function spread(language: string, extensions: string): Record<string, string> {
  return Object.fromEntries(extensions.split(' ').map((extension) => [extension, language]))
}
