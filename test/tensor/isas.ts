import * as t from '../../src/tensor/index.ts'

/** The instruction sets that this machine runs, all of which a test of values is for. */
export function isasHere(): t.Isa[] {
  return t.ISAS.filter((isa) => {
    try {
      t.configure({ isa })
      return true
    } catch {
      return false
    }
  })
}
