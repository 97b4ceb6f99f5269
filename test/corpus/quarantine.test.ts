import { join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import * as addon from '../../src/native/addon.ts'
import { fixtures, readAll } from './collect.ts'

describe('a document that takes too long', () => {
  test('is named with its id and its place, and is neither a document nor a damage', async () => {
    const whole = await readAll({ name: 'web', path: 'web.warc.gz' })
    const kernels = addon.loadAddon<Record<string, unknown>>()
    const extract = kernels.extractPages as (pages: unknown[]) => Promise<Record<string, unknown>[]>
    // What the native part answers when the time for a page is over.
    const slow = vi.spyOn(addon, 'loadAddon').mockReturnValue({
      ...kernels,
      extractPages: async (pages: unknown[]) => {
        const found = await extract(pages)
        return found.map((page, at) => (at === 1 ? { ...page, text: '', failure: 'too long: 5 s' } : page))
      },
    })
    try {
      const quarantine: unknown[] = []
      const { documents, damages } = await readAll(
        { name: 'web', path: 'web.warc.gz' },
        { onQuarantine: (document) => quarantine.push(document) },
      )
      expect(damages).toEqual(whole.damages)
      expect(documents).toHaveLength(whole.documents.length - 1)
      expect(quarantine).toEqual([
        {
          id: whole.documents[1]?.id,
          file: join(fixtures, 'web.warc.gz'),
          byteOffset: expect.any(Number),
          byteLength: expect.any(Number),
          url: whole.documents[1]?.url,
          reason: 'too long: 5 s',
        },
      ])
    } finally {
      slow.mockRestore()
    }
  })
})
