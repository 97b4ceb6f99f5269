import type { z } from 'zod'
import type { curveSchema, heldOutPointSchema, TrainingPoint } from './data.ts'

type Curve = z.infer<typeof curveSchema>
type HeldOutPoint = z.infer<typeof heldOutPointSchema>

/** Points that a plot 1,000 pixels wide can show; more only make the file larger. */
const MOST_POINTS = 400

/**
 * A training curve small enough to draw: for a step that was done twice (killed and gone on with) the last line counts,
 * and neighbours are averaged, never picked, so that a spike still lifts its bucket.
 */
export function thinCurve(points: readonly TrainingPoint[], heldOut: readonly HeldOutPoint[]): Curve {
  const byStep = new Map<number, TrainingPoint>()
  for (const point of points) byStep.set(point.step, point)
  const ordered = [...byStep.values()].sort((a, b) => a.step - b.step)
  const width = Math.max(1, Math.ceil(ordered.length / MOST_POINTS))
  const thinned: TrainingPoint[] = []
  for (let at = 0; at < ordered.length; at += width) thinned.push(meanPoint(ordered.slice(at, at + width)))
  const measured = new Map<string, HeldOutPoint>()
  for (const point of heldOut) measured.set(`${point.step} ${point.domain}`, point)
  return { points: thinned, heldOut: [...measured.values()].sort((a, b) => a.tokens - b.tokens) }
}

/** Puts the curves of several stages one after the other, on one axis of tokens and steps. */
export function joinCurves(stages: readonly { curve: Curve; tokensStart?: number }[]): Curve {
  const joined: Curve = { points: [], heldOut: [] }
  let tokens = 0
  let steps = 0
  for (const { curve, tokensStart } of stages) {
    const first = curve.points[0]
    const start = tokensStart ?? tokens
    // A stage may count from its own start or from the start of the run: the first line tells which.
    const shiftTokens = first !== undefined && first.tokens <= start && start > 0 ? start : 0
    const shiftSteps = first !== undefined && first.step <= steps && steps > 0 ? steps : 0
    for (const point of curve.points) {
      joined.points.push({ ...point, tokens: point.tokens + shiftTokens, step: point.step + shiftSteps })
    }
    for (const point of curve.heldOut) {
      joined.heldOut.push({ ...point, tokens: point.tokens + shiftTokens, step: point.step + shiftSteps })
    }
    const last = joined.points.at(-1)
    if (last !== undefined) {
      tokens = last.tokens
      steps = last.step
    }
  }
  return joined
}

/** The usual speed: the median is not moved by the slow first step or by a save. */
export function medianSpeed(points: readonly TrainingPoint[]): number | undefined {
  const speeds = points.flatMap((point) => (point.tokensPerSecond ? [point.tokensPerSecond] : []))
  speeds.sort((a, b) => a - b)
  return speeds[Math.floor(speeds.length / 2)]
}

function meanPoint(bucket: readonly TrainingPoint[]): TrainingPoint {
  const last = bucket[bucket.length - 1] as TrainingPoint
  const mean = (pick: (point: TrainingPoint) => number | null | undefined): number | null => {
    const values = bucket.flatMap((point) => pick(point) ?? [])
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length
  }
  return {
    step: last.step,
    tokens: last.tokens,
    loss: mean((point) => point.loss),
    learningRate: mean((point) => point.learningRate),
    gradientNorm: mean((point) => point.gradientNorm),
    tokensPerSecond: mean((point) => point.tokensPerSecond),
    ...(last.accuracy !== undefined && { accuracy: mean((point) => point.accuracy) }),
    ...(last.margin !== undefined && { margin: mean((point) => point.margin) }),
    elapsedMs: last.elapsedMs,
  }
}
