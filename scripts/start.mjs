// npm start: from a fresh clone to a finished report. Tools checked, packages installed, parts built, the quick-start
// recipe run; a second time it finds everything done.
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildNative, buildTypeScript, buildWeb, checkTools, installPackages, root } from './steps.mjs'

const started = Date.now()
checkTools()
installPackages()
buildNative()
buildWeb()
buildTypeScript()

const run = join(root, 'runs/quickstart')
// In this process, so that Ctrl-C and other signals reach the run itself, which saves and ends.
process.chdir(root)
process.argv.splice(2, 0, 'run', 'recipes/quickstart.yaml', '--run', 'runs/quickstart')
await import(pathToFileURL(join(root, 'dist/cli/main.js')))
if (process.exitCode || process.argv.includes('--help') || process.argv.includes('-h')) process.exit()

const seconds = Math.round((Date.now() - started) / 1000)
process.stdout.write(`
The report   ${join(run, 'report.html')}
The model    ${join(run, 'model')}
Total time   ${Math.floor(seconds / 60)} min ${seconds % 60} s
Talk to it   npx smolforge chat --model runs/quickstart
`)
