import type { Command } from 'commander'
import { piiRule, type Rule, secretsRule } from '../../curate/index.ts'
import { SmolforgeError } from '../../errors.ts'
import { answerDocuments } from '../answerDocuments.ts'
import { exitCodesHelp } from '../exitCodes.ts'
import { positiveInteger } from '../runRecipeFile.ts'

interface MaskOptions {
  input: string
  output: string
  rules: string
  privateIps?: boolean
  threads?: number
  json?: boolean
}

/** `smolforge mask`: puts something harmless in place of personal data and secrets. */
export function addMask(program: Command): void {
  program
    .command('mask')
    .requiredOption('--input <file>', 'documents as JSON lines {"id", "text"}, plain, .gz or .zst')
    .requiredOption('--output <file>', 'the same lines with the text masked and "masked", what was replaced')
    .option(
      '--rules <names>',
      'pii (mail, IP, telephone), secrets (keys, tokens, passwords), or both',
      'pii,secrets',
    )
    .option('--private-ips', 'replace addresses of private networks too')
    .option('--threads <n>', 'threads (default: all)', positiveInteger)
    .option('--json', 'a summary as one JSON object on standard output')
    .summary('mask personal data and secrets')
    .description(
      'Replaces mail addresses, public IP addresses and telephone numbers by ones of nobody, and secrets in code by ' +
        '<KEY>. All documents stay. A line of the output has "masked" only where something was replaced.',
    )
    .addHelpText(
      'after',
      `
Examples:
  smolforge mask --input pages.jsonl --output masked.jsonl
  smolforge mask --rules secrets --input code.jsonl.zst --output masked.jsonl --threads 4
${exitCodesHelp}`,
    )
    .action(async (options: MaskOptions) => {
      const rules = options.rules.split(',').map((name) => maskingRule(name.trim(), options))
      await answerDocuments(options, async (batch) => {
        const masked = batch.map((document) => ({ document, counts: {} as Record<string, number> }))
        for (const rule of rules) {
          const documents = masked.map(({ document: { text } }) => documentOf(text))
          const verdicts = await rule.judge(documents)
          verdicts.forEach((verdict, i) => {
            if (!verdict.keep || verdict.changes === undefined) return
            const { text, scores } = verdict.changes
            const { document, counts } = masked[i]
            masked[i] = {
              document: { ...document, text: text ?? document.text },
              counts: { ...counts, ...scores },
            }
          })
        }
        return masked.map(({ document, counts }) =>
          Object.keys(counts).length > 0 ? { ...document, masked: counts } : document,
        )
      })
    })
}

function maskingRule(name: string, { privateIps, threads }: MaskOptions): Rule {
  if (name === 'pii') return piiRule({ onlyRemovePublicIps: privateIps !== true, threads })
  if (name === 'secrets') return secretsRule({ threads })
  throw new SmolforgeError('usage', `There is no masking rule ${name}`, { hint: 'There are: pii, secrets' })
}

const documentOf = (text: string) => ({ id: '', text, source: '', licence: '', scores: {}, meta: {} })
