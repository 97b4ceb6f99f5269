// npm test: its own set-up from a bare clone, then every test of both languages, and one last plain line with the sums.
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buildNative, buildTypeScript, buildWeb, checkTools, installPackages, root } from './steps.mjs'

checkTools()
installPackages()
buildNative()
buildWeb()
buildTypeScript()

const totals = { passed: 0, failed: 0, skipped: 0 }
const rust = await cargoTests()
const web = await vitestTests()
const ok = rust && web && totals.failed === 0
process.stdout.write(
  `${totals.passed} passed, ${totals.failed} failed${totals.skipped > 0 ? `, ${totals.skipped} skipped` : ''}\n`,
)
process.exit(ok ? 0 : 1)

async function cargoTests() {
  const args = ['test', '--release', '--locked', '--manifest-path', 'native/Cargo.toml']
  let output = ''
  const code = await follow('cargo', args, (text) => {
    output += text
  })
  for (const [, passed, failed, ignored] of output.matchAll(
    /test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored/g,
  )) {
    totals.passed += Number(passed)
    totals.failed += Number(failed)
    totals.skipped += Number(ignored)
  }
  if (code !== 0) {
    process.stderr.write(output)
    if (totals.failed === 0) totals.failed++
  }
  return code === 0
}

async function vitestTests() {
  const file = join(tmpdir(), `smolforge-tests-${process.pid}.json`)
  const args = [
    'node_modules/vitest/vitest.mjs',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
    ...process.argv.slice(2),
  ]
  const code = await follow(process.execPath, args, (text) => process.stdout.write(text))
  try {
    const result = JSON.parse(readFileSync(file, 'utf8'))
    totals.passed += result.numPassedTests
    totals.failed += result.numFailedTests
    totals.skipped += result.numPendingTests + result.numTodoTests
  } catch {
    totals.failed++
  } finally {
    rmSync(file, { force: true })
  }
  if (code !== 0 && totals.failed === 0) totals.failed++
  return code === 0
}

function follow(program, args, onText) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.setEncoding('utf8').on('data', onText)
    child.stderr.setEncoding('utf8').on('data', onText)
    child.on('error', () => resolve(1))
    child.on('close', (code) => resolve(code ?? 1))
  })
}
