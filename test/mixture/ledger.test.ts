import { appendFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { appendLedger, type LedgerEntry, readLedger, replayLedger } from '../../src/mixture/index.ts'

const dir = await mkdtemp(join(tmpdir(), 'smolforge-ledger-'))
afterAll(() => rm(dir, { recursive: true }))

const entry = (stage: number, maths: number, by: 'rule' | 'person' = 'rule'): LedgerEntry => ({
  at: '2025-01-02T03:04:05.000Z',
  step: `refine-${stage}`,
  decision: `mixture of stage ${stage}`,
  by,
  before: { prose: 1 },
  after: { prose: 1 - maths, maths },
  reasons: ['because'],
  evidence: [{ measure: 'held-out loss', subject: 'maths', value: 2, unit: 'bits per byte', tokens: 5 }],
})

describe('the ledger', () => {
  it('keeps every entry in order and rewrites nothing', async () => {
    const path = join(dir, 'kept.jsonl')
    await appendLedger(path, entry(1, 0.1))
    const first = await readFile(path, 'utf8')
    await appendLedger(path, entry(2, 0.2))
    expect((await readFile(path, 'utf8')).startsWith(first)).toBe(true)
    expect(await readLedger(path)).toEqual([entry(1, 0.1), entry(2, 0.2)])
  })

  it('is readable after a crash in the middle of an entry', async () => {
    const path = join(dir, 'crashed.jsonl')
    await appendLedger(path, entry(1, 0.1))
    await appendFile(path, JSON.stringify(entry(2, 0.2)).slice(0, 40))
    expect(await readLedger(path)).toEqual([entry(1, 0.1)])
  })

  it('names the line of anything that is no entry', async () => {
    const path = join(dir, 'bad.jsonl')
    await appendLedger(path, entry(1, 0.1))
    await appendFile(path, '{"at":"yesterday"}\n')
    await expect(readLedger(path)).rejects.toMatchObject({ code: 'damaged', place: { file: path, line: 2 } })
    await expect(readLedger(join(dir, 'none'))).rejects.toMatchObject({ code: 'input' })
  })

  it('replayed gives the mixtures in force, a later word on a stage undoing what followed it', () => {
    const replayed = replayLedger([entry(1, 0.1), entry(2, 0.2), entry(1, 0.4, 'person')])
    expect(replayed).toEqual([
      { decision: 'mixture of stage 1', weights: { prose: 0.6, maths: 0.4 }, by: 'person' },
    ])
  })
})
