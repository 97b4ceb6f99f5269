import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { refuseSameFile } from '../../src/cli/differentFiles.ts'

const root = join(import.meta.dirname, '../..')

function smolforge(args: readonly string[], shell?: string) {
  const command = [process.execPath, '--import', 'tsx', join(root, 'src/cli/main.ts'), ...args]
  const child = shell
    ? spawn('bash', ['-c', `${shell} exec "$@"`, 'bash', ...command], { cwd: root })
    : spawn(command[0], command.slice(1), { cwd: root })
  let stderr = ''
  child.stderr.on('data', (data) => {
    stderr += data
  })
  const done = once(child, 'close').then(([code]) => ({ code: code as number | null, stderr }))
  return { child, done }
}

function documents(count: number): { folder: string; input: string; output: string } {
  const folder = mkdtempSync(join(tmpdir(), 'smolforge-dedup-'))
  const input = join(folder, 'docs.jsonl')
  const line = (i: number) => `{"id":"d${i}","text":"${`word${i % (count / 2)} and `.repeat(20)}"}\n`
  writeFileSync(input, `${Array.from({ length: count }, (_, i) => line(i)).join('')}{"id": broken\n`)
  return { folder, input, output: join(folder, 'out.jsonl') }
}

describe('smolforge dedup', () => {
  it('refuses to write two outputs into one file', () => {
    const outputs = { '--output': 'a/out.jsonl', '--texts': './a/../a/out.jsonl' }
    expect(() => refuseSameFile(outputs)).toThrow('--output and --texts name the same file')
    expect(() => refuseSameFile({ '--output': 'a', '--texts': undefined, '--values': 'b' })).not.toThrow()
  })

  it('ends with a line of statistics that scripts read, and writes the texts that stay', async () => {
    const { folder, input, output } = documents(200)
    const { code, stderr } = await smolforge([
      'dedup',
      '--input',
      input,
      '--output',
      output,
      '--texts',
      join(folder, 'kept.jsonl'),
      '--threads',
      '1',
    ]).done
    expect(code).toBe(0)
    const statistics = JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')
    expect(statistics).toMatchObject({ documents: 200, damaged: 1, dropped: { minhashDedup: 100 } })
    const kept = readFileSync(join(folder, 'kept.jsonl'), 'utf8').trimEnd().split('\n')
    expect(kept).toHaveLength(100)
    expect(JSON.parse(kept[99])).toEqual({ id: 'd99', text: 'word99 and '.repeat(20) })
    expect(readFileSync(output, 'utf8').split('\n')[150]).toBe('{"id":"d150","keep":false,"cluster":50}')
  })

  it('leaves nothing under the name of the output, nor scratch files, when it is killed', async () => {
    const { folder, input, output } = documents(120_000)
    const { child, done } = smolforge(['dedup', '--input', input, '--output', output, '--memory', '1'])
    // The pace of the machine is unknown: killed a little after it began to read.
    while (child.exitCode === null && !isReading(child.pid, input)) await setTimeout(5)
    await setTimeout(60)
    child.kill('SIGKILL')
    await done
    expect(readdirSync(folder).filter((name) => name !== '.out.jsonl.tmp')).toEqual(['docs.jsonl'])
  })

  it('says that the file system took no more, and leaves no output', async () => {
    const { folder, input, output } = documents(60_000)
    // A limit on the size of files stands for the full disk: the scratch file meets it.
    const args = ['dedup', '--input', input, '--output', output, '--memory', '1']
    const { code, stderr } = await smolforge(args, "trap '' XFSZ; ulimit -f 2000;").done
    expect(code).not.toBe(0)
    expect(stderr).toMatch(/EFBIG|too large/)
    expect(readdirSync(folder)).toEqual(['docs.jsonl'])
  })
})

function isReading(pid: number | undefined, path: string): boolean {
  try {
    const handles = `/proc/${pid}/fd`
    return readdirSync(handles).some((handle) => {
      try {
        return readlinkSync(join(handles, handle)) === path
      } catch {
        return false
      }
    })
  } catch {
    return false
  }
}
