import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { SmolforgeError } from '../src/errors.ts'

export interface BenchPythonOptions {
  /** A Python to use as it is when it has the packages, and to make the virtual environment with when not. */
  python?: string
  /** Transformers is wanted as well as PyTorch. */
  transformers?: boolean
}

/** What decides the numbers is pinned; the small packages in pure Python are what pip chooses. */
const TORCH = 'torch==2.15.0'
const NVIDIA = [
  'nvidia-cublas==13.4.1.3',
  'nvidia-cuda-cupti==13.2.86',
  'nvidia-cuda-nvrtc==13.2.86',
  'nvidia-cuda-runtime==13.2.86',
  'nvidia-cudnn-cu13==9.26.0.51',
  'nvidia-cufft==12.2.0.57',
  'nvidia-cufile==1.17.1.22',
  'nvidia-cusparse==12.7.10.12',
  'nvidia-cusparselt-cu13==0.8.1',
  'nvidia-nccl-cu13==2.30.7',
  'nvidia-nvjitlink==13.5.37',
  'nvidia-nvshmem-cu13==3.7.2',
]
const HELPERS = [
  'filelock',
  'typing-extensions>=4.13.0',
  'setuptools>=77.0.3',
  'sympy>=1.13.3',
  'networkx>=2.5.1',
  'jinja2',
  'fsspec>=0.8.5',
  'numpy==2.4.6; python_version >= "3.11"',
  'numpy==2.2.6; python_version < "3.11"',
  'safetensors==0.8.0',
]
const TRANSFORMERS = 'transformers==5.24.0'
const STAMP = 'smolforge-bench.json'

/**
 * The program of a Python with PyTorch: `--python` or SMOLFORGE_TEST_PYTHON where they have it already, else a virtual
 * environment that is made once in ~/.cache/smolforge/bench-venv (SMOLFORGE_BENCH_VENV names another folder).
 *
 * @throws SmolforgeError `environment` without a Python of 3.10 or later, `network` when pip cannot install.
 */
export async function benchPython(options: BenchPythonOptions = {}): Promise<string> {
  const given = options.python ?? process.env.SMOLFORGE_TEST_PYTHON
  const base = given ?? 'python3'
  const wanted = ['torch', 'safetensors', ...(options.transformers ? ['transformers'] : [])]
  checkVersion(base)
  if (given !== undefined && imports(given, wanted)) return given

  const folder = process.env.SMOLFORGE_BENCH_VENV ?? join(homedir(), '.cache', 'smolforge', 'bench-venv')
  const program = join(folder, process.platform === 'win32' ? 'Scripts/python.exe' : 'bin/python')
  const steps = installSteps(options.transformers === true)
  const stamp = readStamp(folder)
  if (stamp === undefined && existsSync(program) && imports(program, wanted)) return program
  // Made with transformers, it serves those who want none as well.
  const goals = options.transformers ? [steps] : [steps, installSteps(true)]
  if (existsSync(program) && goals.some((goal) => stamp === JSON.stringify(goal))) return program
  if (existsSync(folder) && stamp === undefined) {
    throw new SmolforgeError('environment', 'This folder is no virtual environment of the benchmarks', {
      place: { file: folder },
      hint: 'Set SMOLFORGE_BENCH_VENV to a folder that may be made.',
    })
  }

  process.stderr.write(
    `making a virtual environment with ${TORCH} in ${folder} (once, about 5 GB on Linux)\n`,
  )
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, STAMP), 'begun')
  await made(base, ['-m', 'venv', folder], 'environment', 'Its Python needs the venv module (python3-venv).')
  for (const step of steps) {
    const pip = [
      '-m',
      'pip',
      'install',
      '--disable-pip-version-check',
      '--progress-bar',
      'off',
      '-q',
      '--no-warn-conflicts',
      ...step,
    ]
    await made(program, pip, 'network', 'Is the package index reachable, and is there room on the disk?')
  }
  if (!imports(program, wanted)) {
    throw new SmolforgeError('environment', 'PyTorch was installed, but cannot be imported', {
      place: { file: program },
    })
  }
  writeFileSync(join(folder, STAMP), JSON.stringify(steps))
  return program
}

/**
 * The arguments of each `pip install`. The index's PyTorch for Linux links to CUDA's libraries even where there is no
 * GPU: those that it links to are named, and Triton, the solver and the bindings are not.
 */
function installSteps(transformers: boolean): string[][] {
  const slim = process.platform === 'linux' && process.arch === 'x64'
  return [
    slim ? ['--no-deps', TORCH, ...NVIDIA] : [TORCH],
    [...HELPERS, ...(transformers ? [TRANSFORMERS] : [])],
  ]
}

function readStamp(folder: string): string | undefined {
  const file = join(folder, STAMP)
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined
}

function checkVersion(program: string): void {
  let version: string
  try {
    version = run(program, 'import sys; print("%d.%d" % sys.version_info[:2])').trim()
  } catch (cause) {
    throw new SmolforgeError('environment', `No Python runs as ${program}`, {
      hint: 'Install Python 3.10 or later, or name one by --python or SMOLFORGE_TEST_PYTHON.',
      cause,
    })
  }
  const [major, minor] = version.split('.').map(Number)
  if (major !== 3 || minor < 10) {
    throw new SmolforgeError('environment', `${program} is Python ${version}; PyTorch needs 3.10 or later`, {
      hint: 'Name another by --python or SMOLFORGE_TEST_PYTHON.',
    })
  }
}

function imports(program: string, packages: readonly string[]): boolean {
  try {
    run(program, packages.map((name) => `import ${name}`).join('\n'))
    return true
  } catch {
    return false
  }
}

function run(program: string, code: string): string {
  return execFileSync(program, ['-c', code], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
}

/** Runs a command with its words on stderr: stdout belongs to the benchmark's result. */
async function made(
  program: string,
  args: readonly string[],
  code: 'environment' | 'network',
  hint: string,
): Promise<void> {
  const child = spawn(program, args, { stdio: ['ignore', process.stderr, process.stderr] })
  const status = await new Promise<number>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => resolve(status ?? 1))
  })
  if (status !== 0) {
    throw new SmolforgeError(code, `${program} ${args.slice(0, 3).join(' ')} failed`, { hint })
  }
}
