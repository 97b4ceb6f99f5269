import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { type Damage, readSource, type SourceConfig } from '../../corpus/index.ts'
import { fileError } from '../../errors.ts'
import { writeChunksAtomic } from '../../files/atomic.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { Output } from '../output.ts'
import { positiveInteger } from '../runRecipeFile.ts'
import { writeStatisticsLine } from '../statisticsLine.ts'

interface Options {
  input: string
  output: string
  threads?: number
  comments?: boolean
  maxSeconds: number
  json?: boolean
}

/** How many damages a person is shown; with `--json` a script gets all. */
const SHOWN_DAMAGES = 20

/** `smolforge extract`: the texts of web pages. */
export function addExtract(program: Command): void {
  program
    .command('extract')
    .requiredOption(
      '--input <path>',
      'a WARC file (.warc, .warc.gz, .warc.zst), an HTML file, or a folder of them',
    )
    .requiredOption('--output <file>', 'JSON lines {"url", "text"}')
    .option('--threads <n>', 'threads of the extractor (default: all cores)', positiveInteger)
    .option('--comments', 'keep what readers wrote below an article (forum threads are always kept)')
    .option('--max-seconds <n>', 'give a page up that takes longer', positiveInteger, 10)
    .option('--json', 'every damage and a summary as JSON objects on standard output')
    .summary('web pages to clean text, with formulas, code, lists and tables kept')
    .description(
      'Finds the text of each page and writes it as Markdown-like plain text: formulas as TeX, code blocks with their ' +
        'white space, lists, tables, headings; no menus, banners or adverts. A page that gives no text is reported with its ' +
        'place and the reason. The last line on standard error is {"documents", "bytes", "seconds", "dropped", "damaged"}.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge extract --input pages.warc.gz --output texts.jsonl
  smolforge extract --input site/ --output texts.jsonl --threads 4
${exitCodesHelp}`,
    )
    .action(runExtract)
}

async function runExtract(options: Options): Promise<void> {
  const started = performance.now()
  const output = new Output(options)
  const source = await sourceOf(options.input)
  let bytes = 0
  let damaged = 0
  let documents = 0
  const onDamage = (damage: Damage) => {
    damaged++
    output.emit({ type: 'damage', ...damage })
    if (damaged <= SHOWN_DAMAGES) process.stderr.write(`${describe(damage)}\n`)
    if (damaged === SHOWN_DAMAGES + 1) process.stderr.write('... and more: --json lists them all\n')
  }
  await writeChunksAtomic(options.output, async (write) => {
    const batches = readSource(source, {
      cacheDir: '.',
      baseDir: '.',
      onDamage,
      onProgress: ({ done }) => {
        bytes = done
      },
      extraction: {
        threads: options.threads,
        comments: options.comments,
        maxMilliseconds: options.maxSeconds * 1000,
      },
    })
    for await (const batch of batches) {
      documents += batch.length
      const lines = batch.map(({ id, url, text }) =>
        JSON.stringify({ url: url ?? id.slice(source.name.length + 1), text }),
      )
      await write(Buffer.from(`${lines.join('\n')}\n`))
    }
  })
  output.say(`${documents} texts: ${options.output}`)
  output.emit({ documents, damaged, output: options.output })
  const seconds = (performance.now() - started) / 1000
  writeStatisticsLine({ documents, bytes, seconds, dropped: {}, damaged })
}

/** A file is read as what its name says, anything but a WARC file as a page; of a folder both kinds are taken. */
async function sourceOf(input: string): Promise<SourceConfig> {
  const path = resolve(input)
  const found = await stat(path).catch((error) => {
    throw fileError(error, input)
  })
  const common = { name: 'pages', domain: 'web', licence: 'unknown', path }
  if (found.isDirectory()) return { ...common, include: ['**/*.{html,htm,xhtml,warc,warc.gz,warc.zst}'] }
  return { ...common, include: ['*'], reader: /\.warc(\.gz|\.zst)?$/i.test(path) ? 'warc' : 'html' }
}

function describe({ file, byteOffset, reason, id }: Damage): string {
  return `${file}, byte ${byteOffset}${id === undefined ? '' : ` (${id})`}: ${reason}`
}
