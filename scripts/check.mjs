// What CI runs before the tests: format, lint, types, floors, dead exports, Rust format and lint.
import { buildNative, checkTools, installPackages, run } from './steps.mjs'

checkTools()
installPackages()
const bin = (path) => `node_modules/${path}`
const node = process.execPath
run('format and lint (biome)', node, [bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings', '.'])
run('types (tsc)', node, [bin('typescript/bin/tsc'), '--noEmit'])
run('types of the pages (tsc)', node, [bin('typescript/bin/tsc'), '--noEmit', '-p', 'web'])
run('floors and circles (dependency-cruiser)', node, [
  bin('dependency-cruiser/bin/dependency-cruise.mjs'),
  'src',
  '--config',
  '.dependency-cruiser.cjs',
])
run('dead exports (knip)', node, [bin('knip/bin/knip.js')])
run('Rust format (cargo fmt)', 'cargo', ['fmt', '--all', '--check', '--manifest-path', 'native/Cargo.toml'])
buildNative()
run('Rust lint (clippy)', 'cargo', [
  'clippy',
  '--release',
  '--locked',
  '--all-targets',
  '--manifest-path',
  'native/Cargo.toml',
  '--',
  '-D',
  'warnings',
])
