import { basename, resolve } from 'node:path'
import type { Command } from 'commander'
import { startServer } from '../../serve/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { type EngineOptions, loadModelToTalk, modelHelp, talkingDtypeOption } from '../modelPath.ts'
import { number, positiveInteger } from '../runRecipeFile.ts'
import { stopBySignal } from '../signals.ts'

interface ServeOptions extends EngineOptions {
  model: string
  host: string
  port: number
  name?: string
}

/** `smolforge serve`: OpenAI's HTTP API and a chat page. */
export function addServe(program: Command): void {
  program
    .command('serve')
    .requiredOption('--model <path>', modelHelp)
    .option('--host <address>', 'where to listen; other machines reach it only if you say so', '127.0.0.1')
    .option('--port <n>', 'port, 0 takes a free one', number, 8080)
    .option('--name <name>', 'name that clients see (default: the name of the folder)')
    .addOption(talkingDtypeOption())
    .option('--threads <n>', 'threads of the kernels', positiveInteger)
    .summary("serve a model over OpenAI's HTTP API, with a chat page")
    .description('Answers /v1/chat/completions and /v1/completions; a chat page is at /. Ctrl-C ends it.')
    .addHelpText(
      'after',
      `\nExample:\n  smolforge serve --model runs/quickstart --port 8080\n${exitCodesHelp}`,
    )
    .action(async (options: ServeOptions) => {
      const model = await loadModelToTalk(options.model, options)
      const { host, port } = options
      const server = await startServer({
        model,
        name: options.name ?? basename(resolve(options.model)),
        host,
        port,
      })
      process.stdout.write(`${server.url}\n`)
      const signals = stopBySignal(() => {})
      while (!signals.stop.stopped) await new Promise((wake) => setTimeout(wake, 100))
      signals.release()
      await server.close()
    })
}
