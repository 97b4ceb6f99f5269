import { SmolforgeError } from '../errors.ts'
import { type DType, type Handle, NONE } from './backend.ts'
import { backend } from './engine.ts'
import { Buffer } from './scope.ts'

/** A backward rule: takes the gradient of the output and hands gradients to the inputs with `accumulate`. */
export type BackwardRule = (gradient: Buffer, node: GraphNode) => void

/**
 * The place of one tensor in the recorded graph: a leaf (parameter) has no rule and keeps its gradient, any other
 * node hands its gradient on during `backward` and forgets it.
 */
export class GraphNode {
  readonly size: number
  /** Of the gradient: that of the tensor. */
  readonly dtype: DType
  readonly order: number
  readonly inputs: readonly GraphNode[]
  rule: BackwardRule | undefined
  gradient: SharedGradient | undefined
  /** What goes back once the rule has run. */
  output: Buffer | undefined
  /** Where the gradient is to be written. */
  spare: Buffer | undefined

  constructor(size: number, dtype: DType, inputs: readonly GraphNode[], rule?: BackwardRule) {
    this.size = size
    this.dtype = dtype
    this.inputs = inputs
    this.rule = rule
    this.order = made++
  }
}

/** A gradient on its way; several nodes may hold the same buffer until one of them has to add to it. */
export interface SharedGradient {
  buffer: Buffer
  holders: number
}

/**
 * Walks the graph from `root` backward, newest first; every node's rule runs once, with its whole gradient. The root's
 * own is `seed`, which stays as it is, or 1.
 */
export function runBackward(root: GraphNode, seed?: Buffer): void {
  if (root.rule === undefined) {
    throw new SmolforgeError('usage', 'backward() starts from the result of recorded operations', {
      hint: 'Call it inside step(), on a loss computed there from parameters.',
    })
  }
  if (seed) root.gradient = { buffer: seed, holders: 2 }
  else accumulate(root, (gradient) => backend().fill(gradient.handle, root.size, 1))
  for (const node of reachable(root)) {
    if (node.gradient !== undefined && node.rule !== undefined) node.rule(node.gradient.buffer, node)
    node.rule = undefined
    node.output?.free()
    // The rule may have put another buffer in its place.
    const gradient: SharedGradient | undefined = node.gradient
    node.gradient = undefined
    if (gradient !== undefined) letGo(gradient)
  }
}

/**
 * Adds to the gradient of a node (nothing happens for `undefined`: a tensor without gradient). `launch` writes into
 * the buffer it is given, or adds to it when `add` is set.
 */
export function accumulate(node: GraphNode | undefined, launch: (into: Buffer, add: boolean) => void): void {
  if (node === undefined) return
  const { buffer, add } = prepareGradient(node)
  launch(buffer, add)
}

/** Where a kernel is to write a gradient, or with `add` to add it; `NONE` where none is wanted. */
export interface Place {
  handle: Handle
  add: boolean
}

/** As `accumulate`, for a kernel that writes the gradients of several inputs at once. */
export function accumulateAll<Nodes extends readonly (GraphNode | undefined)[]>(
  nodes: Nodes,
  launch: (...places: { [i in keyof Nodes]: Place }) => void,
): void {
  if (nodes.every((node) => node === undefined)) return
  // An input that comes twice gets two places of its own: one kernel does not write the same buffer twice.
  const extra: { node: GraphNode; buffer: Buffer }[] = []
  const places = nodes.map((node, i): Place => {
    if (node === undefined) return { handle: NONE, add: false }
    if (nodes.indexOf(node) === i) {
      const { buffer, add } = prepareGradient(node)
      return { handle: buffer.handle, add }
    }
    const buffer = new Buffer(node.size, node.dtype, 'step')
    extra.push({ node, buffer })
    return { handle: buffer.handle, add: false }
  })
  launch(...(places as { [i in keyof Nodes]: Place }))
  for (const { node, buffer } of extra) {
    accumulate(node, (into, add) => backend().copy(buffer.handle, 0, into.handle, 0, node.size, add))
    buffer.free()
  }
}

/** The buffer that a node's gradient goes to, and whether something is in it already. */
export function prepareGradient(node: GraphNode): { buffer: Buffer; add: boolean } {
  const held = node.gradient
  if (held === undefined) {
    const buffer = claimGradient(node)
    node.gradient = { buffer, holders: 1 }
    return { buffer, add: false }
  }
  return { buffer: ownGradient(node) ?? held.buffer, add: true }
}

/** Hands the output's gradient to an input unchanged, sharing the memory where it can. */
export function passGradient(from: GraphNode, to: GraphNode | undefined): void {
  const gradient = from.gradient
  if (to === undefined || gradient === undefined) return
  if (to.gradient === undefined && !isLeaf(to)) {
    gradient.holders++
    to.gradient = gradient
    return
  }
  accumulate(to, (into, add) => backend().copy(gradient.buffer.handle, 0, into.handle, 0, from.size, add))
}

/**
 * A buffer for a gradient that an operation computes ahead of `backward`; `offerGradient` hands it over then. That of
 * a parameter outlives the step, but lies in the arena: backward lets go of a layer's activations as it makes the
 * gradients of its weights, which need less.
 */
export function claimGradient(node: GraphNode): Buffer {
  const buffer = node.spare ?? new Buffer(node.size, node.dtype, isLeaf(node) ? 'kept' : 'step')
  node.spare = undefined
  return buffer
}

/** Hands over a buffer of `claimGradient`, or adds it to the gradient that is there by now. */
export function offerGradient(node: GraphNode, buffer: Buffer): void {
  if (node.gradient === undefined) {
    node.gradient = { buffer, holders: 1 }
    return
  }
  accumulate(node, (into, add) => backend().copy(buffer.handle, 0, into.handle, 0, node.size, add))
  buffer.free()
}

/** The gradient of a node in a buffer that no other node shares, to be changed in place. */
export function ownGradient(node: GraphNode): Buffer | undefined {
  const held = node.gradient
  if (held === undefined || held.holders === 1) return held?.buffer
  const buffer = new Buffer(node.size, node.dtype, 'step')
  backend().copy(held.buffer.handle, 0, buffer.handle, 0, node.size, false)
  held.holders--
  node.gradient = { buffer, holders: 1 }
  return buffer
}

function letGo(gradient: SharedGradient): void {
  gradient.holders--
  if (gradient.holders === 0) gradient.buffer.free()
}

function isLeaf(node: GraphNode): boolean {
  return node.inputs.length === 0
}

/** The inner nodes that lead to the root, newest first: each after all that use it. */
function reachable(root: GraphNode): GraphNode[] {
  const found = new Set<GraphNode>([root])
  for (const node of found) {
    for (const input of node.inputs) if (!isLeaf(input)) found.add(input)
  }
  return [...found].sort((a, b) => b.order - a.order)
}

let made = 0
