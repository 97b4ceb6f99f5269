import { stringify } from 'yaml'
import { documentColumns } from './parquet/write.ts'
import type { CorpusStatistics, Share } from './statistics.ts'

/** One step of the way that documents went: what came in, what went out, what each rule took. */
export interface CardStep {
  step: string
  documentsIn: number
  documentsOut: number
  /** Documents by the rule that dropped them. */
  dropped: Readonly<Record<string, number>>
}

export interface CardOptions {
  title: string
  /** A paragraph or more on what this is; Markdown. */
  description?: string
  statistics: CorpusStatistics
  funnel: readonly CardStep[]
  /** Parts of the input that gave no document, by reason. */
  lost: Readonly<Record<string, { parts: number; bytes: number }>>
  /** Data files in the order of their rows, as paths beside the card, with their size on disk. */
  files: readonly { path: string; bytes: number }[]
  /** The command or recipe that makes it again. */
  madeBy?: string
}

/**
 * The card of a data set: README.md with the front matter that Hugging Face's hub reads
 * (huggingface.co/docs/hub/datasets-cards), and the same facts in words for people.
 */
export function dataSetCard(options: CardOptions): string {
  const { title, description, statistics, funnel, lost, files, madeBy } = options
  const sections = [
    `# ${title}`,
    description,
    `${count(statistics.documents)} documents, ${count(statistics.bytes)} bytes of UTF-8 text.`,
    section('Columns', columnTable()),
    section('Sources', shareTable('source', statistics.bySource)),
    section('Licences', shareTable('licence', statistics.byLicence)),
    section('Languages', shareTable('language', statistics.byLanguage)),
    section('Scores', scoreTable(statistics)),
    section('Funnel', funnelTable(funnel)),
    section('What was lost', lostTable(lost)),
    madeBy && section('Made by', `\`\`\`sh\n${madeBy}\n\`\`\``),
  ]
  const frontMatter = stringify(frontMatterOf(title, statistics, files), { lineWidth: 0 })
  return `---\n${frontMatter}---\n\n${sections.filter(Boolean).join('\n\n')}\n`
}

function frontMatterOf(title: string, statistics: CorpusStatistics, files: CardOptions['files']) {
  const licence = licenceOf(Object.keys(statistics.byLicence))
  const languages = Object.keys(statistics.byLanguage).filter(
    (name) => name !== 'unknown' && name !== 'others',
  )
  return {
    pretty_name: title,
    ...licence,
    ...(languages.length > 0 ? { language: languages } : {}),
    size_categories: [sizeCategory(statistics.documents)],
    task_categories: ['text-generation'],
    configs: [
      {
        config_name: 'default',
        data_files: [{ split: 'train', path: files.map(({ path }) => path) }],
      },
    ],
    dataset_info: {
      features: documentColumns.map(({ name, type }) => ({ name, dtype: type })),
      splits: [{ name: 'train', num_bytes: statistics.bytes, num_examples: statistics.documents }],
      download_size: files.reduce((sum, { bytes }) => sum + bytes, 0),
      dataset_size: statistics.bytes,
    },
  }
}

/** Licences that the hub knows by the small letters of their SPDX name. */
const HUB_LICENCES = new Set(
  (
    'apache-2.0 mit bsd-2-clause bsd-3-clause bsl-1.0 cc0-1.0 cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0 cc-by-sa-3.0 ' +
    'cc-by-sa-4.0 cc-by-nc-4.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 gpl-2.0 gpl-3.0 lgpl-2.1 lgpl-3.0 agpl-3.0 mpl-2.0 ' +
    'isc unlicense zlib odc-by odbl pddl gfdl artistic-2.0 postgresql ncsa wtfpl'
  ).split(' '),
)

function licenceOf(names: readonly string[]): Record<string, string | string[]> {
  const known = names.map((name) => name.toLowerCase().replace(/^(pddl|odc-by)-1\.0$/, '$1'))
  if (names.length === 0 || known.every((name) => name === 'unknown')) return { license: 'unknown' }
  if (known.every((name) => HUB_LICENCES.has(name))) return { license: known.length === 1 ? known[0] : known }
  return { license: 'other', license_name: names.join(' AND ') }
}

function sizeCategory(documents: number): string {
  const borders: [number, string][] = [
    [1e3, 'n<1K'],
    [1e4, '1K<n<10K'],
    [1e5, '10K<n<100K'],
    [1e6, '100K<n<1M'],
    [1e7, '1M<n<10M'],
    [1e8, '10M<n<100M'],
    [1e9, '100M<n<1B'],
    [1e10, '1B<n<10B'],
    [1e11, '10B<n<100B'],
    [1e12, '100B<n<1T'],
  ]
  return borders.find(([border]) => documents < border)?.[1] ?? 'n>1T'
}

const COLUMN_MEANINGS: Record<(typeof documentColumns)[number]['name'], string> = {
  id: 'unique, `source:path` or `source:path#part`',
  text: 'the text',
  source: 'name of the source',
  licence: 'SPDX expression, or what the source says',
  url: 'where the page was, if it was one',
  language: 'ISO 639-3, where language was identified',
  scores: 'numbers that steps measured, a JSON object',
  meta: 'what else is known (path, domain, ...), a JSON object',
}

const columnTable = () =>
  table(
    ['column', 'type', 'what'],
    documentColumns.map(({ name, type, nullable }) => [
      `\`${name}\``,
      nullable ? `${type}, may be missing` : type,
      COLUMN_MEANINGS[name],
    ]),
  )

function shareTable(what: string, shares: Readonly<Record<string, Share>>): string | undefined {
  const rows = Object.entries(shares)
  const shown = rows
    .slice(0, 50)
    .map(([name, { documents, bytes }]) => [name, count(documents), count(bytes)])
  if (rows.length > shown.length) shown.push([`${rows.length - shown.length} more`, '', ''])
  return table([what, 'documents', 'bytes'], shown)
}

const scoreTable = ({ scores }: CorpusStatistics) =>
  table(
    ['score', 'documents', 'least', 'mean', 'greatest'],
    Object.entries(scores).map(([name, { documents, ...values }]) => [
      name,
      count(documents),
      ...[values.least, values.mean, values.greatest].map((value) => String(Number(value.toPrecision(4)))),
    ]),
  )

const funnelTable = (funnel: readonly CardStep[]) =>
  table(
    ['step', 'documents in', 'documents out', 'dropped by'],
    funnel.map(({ step, documentsIn, documentsOut, dropped }) => [
      step,
      count(documentsIn),
      count(documentsOut),
      Object.entries(dropped)
        .map(([rule, documents]) => `${rule} ${count(documents)}`)
        .join(', '),
    ]),
  )

const lostTable = (lost: CardOptions['lost']) =>
  table(
    ['reason', 'parts', 'bytes of the input'],
    Object.entries(lost).map(([reason, { parts, bytes }]) => [reason, count(parts), count(bytes)]),
  )

const section = (title: string, body: string | undefined) => body && `## ${title}\n\n${body}`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string | undefined {
  if (rows.length === 0) return undefined
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replace(/\s+/g, ' ')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const count = (value: number) => value.toLocaleString('en-US')
