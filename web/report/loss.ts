import * as Plot from '@observablehq/plot'
import type { ReportCurve, TrainingPoint } from '../../src/report/data.ts'
import { compact } from './format.ts'

interface Boundary {
  tokens: number
  name: string
}

export type Measure = 'loss' | 'accuracy' | 'margin'

interface CurveOptions {
  measure?: Measure
  boundaries?: readonly Boundary[]
  height?: number
}

/** The training loss, or another measure of each step, as logged and smoothed, with the places where a stage begins. */
export function drawCurve(curve: ReportCurve, width: number, options: CurveOptions = {}): Element {
  const { measure = 'loss', boundaries = [], height = 300 } = options
  const points = curve.points.filter((point) => typeof point[measure] === 'number')
  return Plot.plot({
    width,
    height,
    marginLeft: 46,
    marginTop: 24,
    x: axis(width, points),
    y: { label: null, grid: true, ticks: 5 },
    marks: [
      ...boundaryMarks(boundaries, true),
      Plot.lineY(points, {
        x: 'tokens',
        y: measure,
        stroke: 'var(--faint)',
        strokeWidth: 1,
        strokeOpacity: 0.8,
      }),
      Plot.lineY(smooth(points, measure), {
        x: 'tokens',
        y: 'value',
        stroke: 'var(--accent)',
        strokeWidth: 2.2,
      }),
      Plot.tip(
        points,
        Plot.pointerX({
          x: 'tokens',
          y: measure,
          title: (point: TrainingPoint) =>
            `step ${point.step}, ${compact(point.tokens)} tokens\n${measure} ${point[measure]?.toFixed(3)}`,
        }),
      ),
    ],
  })
}

/** The learning rate over the same tokens. */
export function drawRate(curve: ReportCurve, boundaries: readonly Boundary[], width: number): Element {
  const points = curve.points.filter((point) => typeof point.learningRate === 'number')
  return Plot.plot({
    width,
    height: 116,
    marginLeft: 46,
    marginBottom: 40,
    x: { ...axis(width, points), label: 'tokens', labelOffset: 36 },
    y: { label: null, ticks: 2, zero: true, tickFormat: (rate: number) => (rate === 0 ? '0' : String(rate)) },
    marks: [
      ...boundaryMarks(boundaries, false),
      Plot.areaY(points, { x: 'tokens', y: 'learningRate', fill: 'var(--accent)', fillOpacity: 0.12 }),
      Plot.lineY(points, { x: 'tokens', y: 'learningRate', stroke: 'var(--accent)', strokeWidth: 1.6 }),
    ],
  })
}

function axis(width: number, points: readonly TrainingPoint[]): Plot.ScaleOptions {
  return {
    label: null,
    tickFormat: compact,
    ticks: Math.max(3, Math.floor(width / 120)),
    domain: [0, Math.max(1, ...points.map((point) => point.tokens))],
  }
}

function boundaryMarks(boundaries: readonly Boundary[], named: boolean): Plot.Markish[] {
  return [
    Plot.ruleX(boundaries, { x: 'tokens', stroke: 'var(--faint)', strokeDasharray: '2 4' }),
    ...(named
      ? [
          Plot.text(boundaries, {
            x: 'tokens',
            text: 'name',
            frameAnchor: 'top',
            dy: -16,
            textAnchor: 'start',
          }),
        ]
      : []),
  ]
}

/** A mean over a twentieth of the curve: centred, narrower at the start, where the loss falls fast, one-sided at the end. */
function smooth(points: readonly TrainingPoint[], measure: Measure): { tokens: number; value: number }[] {
  const reach = Math.max(1, Math.floor(points.length / 40))
  return points.map(({ tokens }, at) => {
    const side = Math.min(reach, at)
    const near = points.slice(at - side, at + side + 1)
    return { tokens, value: near.reduce((sum, point) => sum + (point[measure] ?? 0), 0) / near.length }
  })
}
