import { accumulate, accumulateAll, type Place, passGradient } from '../autograd.ts'
import { type DType, type Handle, NONE } from '../backend.ts'
import { backend } from '../engine.ts'
import { empty, needsGradient, record, shapeError, sizeOf, type Tensor } from '../tensor.ts'

export interface LinearOptions {
  /** What the output is stored as; f32 when left out. */
  dtype?: DType
  /** Added to the product on the way: the residual stream. Shaped and stored as the output. */
  plus?: Tensor
}

/** x[.., in] times the transpose of weight[out, in], as a linear layer without bias; x f32 or bf16. */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  const { dtype = 'f32', plus } = options
  const layers = checkedLayers('linear', x, [weight])
  const y = empty([...x.shape.slice(0, -1), layers.width], dtype)
  if (plus !== undefined && (plus.size !== y.size || plus.dtype !== dtype)) {
    throw shapeError('linear', 'plus must be shaped and stored as the output', y, plus)
  }
  forward(layers, x, y, plus)
  return record(y, plus === undefined ? [x, weight] : [x, weight, plus], (dy, node) => {
    weightGradients(layers, dy, x)
    accumulate(x.node, (dx, add) => inputGradient(layers, dy, dx, add))
    passGradient(node, plus?.node)
  })
}

/**
 * Linear layers over one RMSNorm: h = x / rms(x) * norm, then h times the transpose of each weight[out, in], side by
 * side in [.., sum of outs]. h is not kept but computed again in backward. x is f32; h and the output are `dtype`.
 */
export function normLinears(
  x: Tensor,
  norm: Tensor,
  eps: number,
  weights: readonly Tensor[],
  dtype: DType = 'f32',
): Tensor {
  const layers = checkedLayers('normLinears', x, weights)
  const { rows, inputs, sizes } = layers
  if (norm.size !== inputs) throw shapeError('normLinears', 'norm [in] is needed', x, norm)
  const inverse = needsGradient(x, norm, ...weights) ? empty([rows]) : undefined
  const y = empty([...x.shape.slice(0, -1), layers.width], dtype)
  backend().normLinears(
    x.handle,
    norm.handle,
    handlesOf(weights),
    sizes,
    inverse?.handle ?? NONE,
    y.handle,
    rows,
    inputs,
    eps,
  )
  return record(y, [x, norm, ...weights], (dy) => {
    if (inverse === undefined) return
    if (x.node === undefined && norm.node === undefined) {
      const h = empty(x.shape, dtype)
      backend().rmsNorm(x.handle, norm.handle, h.handle, inverse.handle, rows, inputs, eps)
      weightGradients(layers, dy, h)
      h.free()
      return
    }
    const nodes = [x.node, norm.node, ...weights.map(({ node }) => node)]
    accumulateAll(nodes, (...[dx, dnorm, ...places]: Place[]) => {
      backend().normLinearsGradient(
        x.handle,
        norm.handle,
        inverse.handle,
        dy.handle,
        handlesOf(weights),
        sizes,
        dx.handle,
        dnorm.handle,
        handlesOf(places),
        dx.add,
        dnorm.add,
        places.map(({ add }) => add),
        rows,
        inputs,
      )
    })
  })
}

/**
 * silu(gate) * up, times the transpose of weight[out, in], plus `plus` [.., out]: the second half of a SwiGLU block
 * (Shazeer 2020) over gate and up side by side in gateUp[.., 2 * in], of f32 or bf16. The product of gate and up is made
 * while it is multiplied and not kept: backward makes it again beside its gradient. The output is f32; in inference it
 * may go `into` a tensor that is none of the inputs.
 */
export function swigluLinear(gateUp: Tensor, weight: Tensor, plus: Tensor, into?: Tensor): Tensor {
  const [outputs, inputs] = weight.shape
  if (weight.shape.length !== 2 || gateUp.shape.at(-1) !== 2 * inputs) {
    throw shapeError('swigluLinear', 'gateUp [.., 2 * in] and weight [out, in] are needed', gateUp, weight)
  }
  const shape = [...gateUp.shape.slice(0, -1), inputs]
  const rows = sizeOf(shape.slice(0, -1))
  const y = into ?? empty([...shape.slice(0, -1), outputs])
  for (const other of [plus, y]) {
    if (other.size !== rows * outputs || other.dtype !== 'f32') {
      throw shapeError('swigluLinear', 'plus must be f32 and shaped as the output', gateUp, weight, other)
    }
  }
  const layers = { weights: [weight], sizes: Int32Array.of(outputs), width: outputs, rows, inputs }
  const handles = [gateUp, weight, plus, y].map(({ handle }) => handle) as [Handle, Handle, Handle, Handle]
  backend().swigluLinear(...handles, rows, inputs, outputs)
  return record(y, [gateUp, weight, plus], (dy, node) => {
    if (gateUp.node !== undefined) {
      accumulateAll([gateUp.node, weight.node] as const, (dx, dweight) => {
        const [source, layer] = [gateUp, weight].map(({ handle }) => handle)
        const places = [dy.handle, dx.handle, dweight.handle] as const
        const sizes = [rows, inputs, outputs] as const
        backend().swigluLinearGradient(source, layer, ...places, ...sizes, dx.add, dweight.add)
      })
    } else if (weight.node !== undefined) {
      const product = empty(shape, gateUp.dtype)
      backend().swigluRows(gateUp.handle, product.handle, rows, inputs)
      weightGradients(layers, dy, product)
      product.free()
    }
    passGradient(node, plus.node)
  })
}

/** Layers of one input, as the backend takes them. */
interface Layers {
  weights: readonly Tensor[]
  sizes: Int32Array
  /** Of the output: the sum of the sizes. */
  width: number
  rows: number
  inputs: number
}

type Storage = { readonly handle: number }

function handlesOf(storages: readonly Storage[]): Int32Array {
  return Int32Array.from(storages, ({ handle }) => handle)
}

function checkedLayers(operation: string, x: Tensor, weights: readonly Tensor[]): Layers {
  const inputs = x.shape.at(-1)
  for (const weight of weights) {
    if (x.shape.length < 1 || weight.shape.length !== 2 || weight.shape[1] !== inputs) {
      throw shapeError(operation, 'x [.., in] and weight [out, in] are needed', x, weight)
    }
  }
  const sizes = Int32Array.from(weights, (weight) => weight.shape[0])
  const width = sizes.reduce((sum, size) => sum + size, 0)
  return { weights, sizes, width, rows: sizeOf(x.shape.slice(0, -1)), inputs: inputs ?? 0 }
}

function forward({ weights, sizes, rows, inputs }: Layers, x: Storage, y: Storage, plus?: Storage): void {
  const handles = handlesOf(weights)
  backend().linears(x.handle, handles, sizes, plus?.handle ?? NONE, y.handle, rows, inputs)
}

function inputGradient(
  { weights, sizes, rows, inputs }: Layers,
  dy: Storage,
  dx: Storage,
  add: boolean,
): void {
  const handles = handlesOf(weights)
  backend().linearsInputGradient(dy.handle, handles, sizes, dx.handle, rows, inputs, add)
}

function weightGradients({ weights, sizes, rows, inputs }: Layers, dy: Storage, x: Storage): void {
  const nodes = weights.map(({ node }) => node)
  accumulateAll(nodes, (...places: Place[]) => {
    const handles = handlesOf(places)
    const adds = places.map(({ add }) => add)
    backend().linearsWeightGradient(dy.handle, x.handle, handles, sizes, adds, rows, inputs)
  })
}
