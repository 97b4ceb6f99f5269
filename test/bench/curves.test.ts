import { expect, test } from 'vitest'
import { curvesSvg, largestDifference, smoothed } from '../../bench/train/curves.ts'
import { profileTable } from '../../bench/train/profile.ts'
import { shapes } from '../../bench/train/shapes.ts'

test('a curve is smoothed over the steps up to now, and over fewer at its start', () => {
  expect(smoothed([4, 2, 3, 7], 2)).toEqual([4, 3, 2.5, 5])
})

test('the largest difference is relative to the second curve, with its step', () => {
  const { share, step } = largestDifference([1, 2.2, 3], [1, 2, 3])
  expect(share).toBeCloseTo(0.1, 12)
  expect(step).toBe(2)
})

test('a loss that became no number never passes for agreement', () => {
  expect(largestDifference([1, Number.NaN], [1, 1])).toEqual({ share: Infinity, step: 2 })
})

test('the picture has one line for each curve, with its name', () => {
  const svg = curvesSvg({ ours: [3, 2, 1], theirs: [3, 2.5, 1] })
  expect(svg.match(/<polyline/g)).toHaveLength(2)
  expect(svg).toContain('theirs')
})

test('a profile accounts for the whole step, kernels of unknown names included', () => {
  const operations = [
    { operation: 'matmul', calls: 4, milliseconds: 120 },
    { operation: 'something new', calls: 2, milliseconds: 40 },
  ]
  const text = profileTable({ wallMs: 200, steps: 2, operations }, shapes.T, 100)
  expect(text).toMatch(/20\.000 +20\.0% +something new \(1 calls\)/)
  expect(text).toMatch(/20\.000 +20\.0% +outside of kernels/)
  expect(text).toMatch(/100\.000 +100\.0% +the step/)
})
