import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { type SeenRequest, startJudge } from '../curate/judges/misbehavingServer.ts'
import { jsonLines, scratchFolder, smolforge, startSmolforge } from '../recipe/child.ts'

const scratch = await scratchFolder()
const file = (name: string) => join(scratch, name)
const documents = Array.from({ length: 40 }, (_, i) => ({
  id: `d${i}`,
  text: `text ${i}, of score ${i % 6}`,
}))
const scoreOf = ({ document }: SeenRequest) => Number(/of score (\d)/.exec(document)?.[1])
const judge = await startJudge(scoreOf, async () => {
  await sleep(40)
  return false
})
afterAll(() => judge.close())

await writeFile(file('docs.jsonl'), documents.map((one) => `${JSON.stringify(one)}\n`).join(''))

const arguments_ = (output: string, ...more: string[]) => [
  ...['label', '--rubric', 'edu', '--input', file('docs.jsonl'), '--output', file(output)],
  ...['--endpoint', judge.url, '--model', 'tiny', '--concurrency', '2', '--check', '0.2', ...more],
]
const lastLine = (stderr: string) => JSON.parse(stderr.trimEnd().split('\n').at(-1) ?? '')

describe('smolforge label', () => {
  test('killed in the middle it goes on where it was: nothing that was answered is paid for again', async () => {
    const child = startSmolforge(arguments_('killed.jsonl'))
    while (judge.requests.length < 15) await sleep(10)
    child.kill('SIGKILL')
    await once(child, 'close')
    const kept = jsonLines(await readFile(file('killed.jsonl.judgements.jsonl'), 'utf8')).length
    expect(kept).toBeGreaterThanOrEqual(10)
    const before = judge.requests.length
    const { code, stdout, stderr } = await smolforge(arguments_('killed.jsonl', '--json'), {
      env: { ...process.env, SMOLFORGE_JUDGE_KEY: 'the-key' },
    })
    expect(stderr).not.toContain('the-key')
    expect(code).toBe(0)
    const [estimate, result] = jsonLines(stdout)
    expect(estimate).toMatchObject({ type: 'estimate', documents: 40, cached: kept })
    expect(judge.requests.length - before).toBe(Number(estimate.judgements) - kept)
    expect(judge.requests.at(-1)?.authorization).toBe('Bearer the-key')
    expect(result).toMatchObject({ type: 'labelled', labelled: 40, failed: 0, scores: [7, 7, 7, 7, 6, 6] })
    expect(result.agreement).toMatchObject({ exact: 1, withinOne: 1 })
    expect(lastLine(stderr)).toMatchObject({ documents: 40, dropped: { 'no-score': 0 }, damaged: 0 })
    const labels = jsonLines(await readFile(file('killed.jsonl'), 'utf8'))
    expect(labels.map(({ id, label }) => [id, label])).toEqual(documents.map(({ id }, i) => [id, i % 6]))
    // A whole run anew gives the same bytes.
    await smolforge(arguments_('whole.jsonl'))
    expect(await readFile(file('whole.jsonl'), 'utf8')).toBe(await readFile(file('killed.jsonl'), 'utf8'))
  })

  test('says what it would cost, and asks nothing when that is too much', async () => {
    const before = judge.requests.length
    const priced = ['--price-prompt', '1000', '--price-answer', '1000']
    const dear = await smolforge(arguments_('dear.jsonl', ...priced, '--max-cost', '0.5'))
    expect(dear.code).toBe(2)
    expect(dear.stderr).toContain('more than --max-cost 0.5')
    const estimate = await smolforge(
      arguments_('dear.jsonl', ...priced, '--estimate', '--limit', '1', '--json'),
    )
    expect(estimate.code).toBe(0)
    expect(jsonLines(estimate.stdout)[0]).toMatchObject({ documents: 1, cached: 0 })
    expect(judge.requests.length).toBe(before)
  })

  test('stopped by a signal it says so in its exit code', async () => {
    const child = startSmolforge(arguments_('stopped.jsonl'))
    const before = judge.requests.length
    while (judge.requests.length < before + 4) await sleep(10)
    child.kill('SIGINT')
    expect(await once(child, 'close')).toEqual([130, null])
  })

  test('without a judge, with a wrong address or with no documents it says what to do', async () => {
    const bare = await smolforge(arguments_('x.jsonl').slice(0, 7), { env: { PATH: process.env.PATH } })
    expect(bare).toMatchObject({ code: 2, stderr: expect.stringContaining('--endpoint') })
    const wrong = await smolforge([...arguments_('x.jsonl'), '--endpoint', 'ftp://x'])
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('Not the address of a judge') })
    const none = await smolforge([...arguments_('x.jsonl'), '--input', file('none.jsonl')])
    expect(none).toMatchObject({ code: 4, stderr: expect.stringContaining('No such file') })
  })
})
