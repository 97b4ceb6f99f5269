// npm run bench -- NAME [args]: builds what is missing and runs bench/NAME.ts.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildNative, buildTypeScript, checkTools, installPackages, root } from './steps.mjs'

const [name, ...args] = process.argv.slice(2)
// python.ts is what the benchmarks share.
const names = readdirSync(join(root, 'bench'))
  .filter((file) => file.endsWith('.ts') && file !== 'python.ts')
  .map((file) => file.slice(0, -3))
if (!names.includes(name) || !existsSync(join(root, 'bench', `${name}.ts`))) {
  process.stderr.write(`npm run bench -- ${names.join('|')} [--help]\n`)
  process.exit(2)
}
checkTools()
installPackages()
buildNative()
// Started as users start it: what is measured is the compiled program.
if (name === 'infer' || (name === 'curate' && args.includes('--against'))) buildTypeScript()
const { status } = spawnSync(process.execPath, ['--import', 'tsx', join('bench', `${name}.ts`), ...args], {
  cwd: root,
  stdio: 'inherit',
})
process.exit(status ?? 1)
