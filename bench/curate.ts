// npm run bench -- curate [--stage NAME] [options of the stage]: one stage side by side with its peers, the files in
// bench/curate/. Without one the native passes alone, with `--against datatrove` all stages together, or with
// `--against datamap-rs` Ai2's Rust tools.
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

const folder = join(import.meta.dirname, 'curate')
const at = process.argv.indexOf('--stage')
const against = process.argv.indexOf('--against')
const peer = process.argv[against + 1] === 'datamap-rs' ? 'datamap-rs' : 'whole'
const alone = against < 0 ? 'passes' : peer
const stage = at < 0 ? alone : process.argv.splice(at, 2)[1]
const file = join(folder, `${stage}.ts`)
if (stage === undefined || !/^[a-z-]+$/.test(stage) || !existsSync(file)) {
  const stages = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  process.stderr.write(`No such stage. There are: ${stages.map((name) => name.slice(0, -3)).join(', ')}\n`)
  process.exit(2)
}
await import(file)
