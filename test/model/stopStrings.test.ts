import { describe, expect, it } from 'vitest'
import { StopWatch } from '../../src/model/stopStrings.ts'

const show = (stop: string[], pieces: string[]) => {
  const watch = new StopWatch(stop)
  const shown = pieces.map((piece) => watch.push(piece))
  return { shown: [...shown, watch.end()], stopped: watch.stopped }
}

describe('stop strings', () => {
  it('end the text wherever pieces begin, and no part of one is shown', () => {
    const { shown, stopped } = show(['\n\nUser:'], ['Yes.', '\n', '\nUs', 'er: no', ' more'])
    expect(shown).toEqual(['Yes.', '', '', '', '', ''])
    expect(stopped).toBe(true)
  })

  it('that do not come hold nothing back for good', () => {
    expect(show(['END'], ['the E', 'N', 'd', ' EN']).shown.join('')).toBe('the ENd EN')
    expect(show([''], ['a']).shown.join('')).toBe('a')
  })

  it('cut at the first of several', () => {
    expect(show(['b', 'ab'], ['xab']).shown.join('')).toBe('x')
  })
})
