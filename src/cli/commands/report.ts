import type { Command } from 'commander'
import { writeReport } from '../../report/index.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { Output } from '../output.ts'

/** `smolforge report RUN`: writes the report anew from what is in the folder. */
export function addReport(program: Command): void {
  program
    .command('report')
    .argument('<run>', 'folder of a run, for example runs/quickstart')
    .option('--json', 'one JSON object on standard output')
    .summary('write the report of a run, finished or not')
    .description('Writes report.html (one file, no network) and report.json from the steps that are there.')
    .addHelpText('after', `\nExample:\n  smolforge report runs/quickstart\n${exitCodesHelp}`)
    .action(async (run: string, options: { json?: boolean }) => {
      const output = new Output(options)
      const { htmlPath, jsonPath, report } = await writeReport(run)
      for (const line of report.summary) output.say(line)
      output.say(htmlPath)
      output.emit({ html: htmlPath, json: jsonPath, summary: report.summary })
    })
}
