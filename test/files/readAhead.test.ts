import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { readAhead } from '../../src/files/readAhead.ts'

async function* counting(log: string[], last = 4) {
  try {
    for (let i = 1; i <= last; i++) {
      log.push(`made ${i}`)
      yield i
    }
  } finally {
    log.push('closed')
  }
}

describe('reading ahead', () => {
  it('gives every item in order, one made before it is asked for', async () => {
    const log: string[] = []
    for await (const item of readAhead(counting(log))) {
      await setTimeout(1)
      log.push(`took ${item}`)
    }
    expect(log).toEqual([
      'made 1',
      'made 2',
      'took 1',
      'made 3',
      'took 2',
      'made 4',
      'took 3',
      'closed',
      'took 4',
    ])
  })

  it('closes the source when the consumer stops or fails', async () => {
    const log: string[] = []
    for await (const item of readAhead(counting(log))) if (item === 2) break
    expect(log.at(-1)).toBe('closed')
    const failing = async () => {
      for await (const _ of readAhead(counting(log))) throw new Error('full disk')
    }
    await expect(failing()).rejects.toThrow('full disk')
    expect(log.filter((line) => line === 'closed')).toHaveLength(2)
  })

  it('tells of an error of the source at its place, behind the items before it', async () => {
    const source = async function* () {
      yield 1
      throw new Error('damaged')
    }
    const taken: number[] = []
    const reading = async () => {
      for await (const item of readAhead(source())) {
        await setTimeout(5)
        taken.push(item)
      }
    }
    await expect(reading()).rejects.toThrow('damaged')
    expect(taken).toEqual([1])
  })
})
