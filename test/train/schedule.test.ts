import { describe, expect, it } from 'vitest'
import { type Schedule, scheduleRate } from '../../src/train/schedule.ts'

const rates = (schedule: Schedule, total: number) =>
  Array.from({ length: total }, (_, i) => scheduleRate(schedule, i + 1, total))

describe('the learning rate follows its schedule', () => {
  it('warms up, stays and decays linearly to 0 (wsd)', () => {
    const wsd = rates({ kind: 'wsd', warmupSteps: 10, decayFraction: 0.2 }, 100)
    expect(wsd[0]).toBeCloseTo(0.1)
    expect(wsd[9]).toBe(1)
    expect(wsd[79]).toBe(1)
    expect(wsd[80]).toBeCloseTo(20 / 21)
    expect(wsd[99]).toBeCloseTo(1 / 21)
    expect(scheduleRate({ kind: 'wsd', warmupSteps: 10, decayFraction: 0.2 }, 101, 100)).toBe(0)
  })

  it('falls along half a cosine', () => {
    const cosine = rates({ kind: 'cosine', warmupSteps: 1, finalFraction: 0 }, 100)
    expect(cosine[0]).toBe(1)
    expect(cosine[50]).toBeCloseTo(0.5)
    expect(cosine[99]).toBeLessThan(0.001)
    expect(cosine[99]).toBeGreaterThan(0)
  })

  it('falls along a line to the final fraction', () => {
    const linear = rates({ kind: 'linear', warmupSteps: 0, finalFraction: 0.5 }, 10)
    expect(linear[0]).toBe(1)
    expect(linear[5]).toBeCloseTo(0.75)
    expect(scheduleRate({ kind: 'linear', warmupSteps: 0, finalFraction: 0.5 }, 11, 10)).toBe(0.5)
  })

  it('stays constant after the warm-up', () => {
    expect(rates({ kind: 'constant', warmupSteps: 2 }, 4)).toEqual([0.5, 1, 1, 1])
  })

  it('never leaves [0, 1], whatever the lengths', () => {
    for (const total of [1, 2, 3, 7]) {
      for (const warmupSteps of [0, 1, 5, 100]) {
        for (const schedule of [
          { kind: 'wsd', warmupSteps, decayFraction: 1 },
          { kind: 'wsd', warmupSteps, decayFraction: 0 },
          { kind: 'cosine', warmupSteps, finalFraction: 0.1 },
          { kind: 'linear', warmupSteps, finalFraction: 0 },
        ] as Schedule[]) {
          for (const rate of rates(schedule, total)) {
            expect(rate).toBeGreaterThanOrEqual(0)
            expect(rate).toBeLessThanOrEqual(1)
          }
        }
      }
    }
  })
})
