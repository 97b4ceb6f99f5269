import { algebra } from './algebra.ts'
import { fractions } from './fractions.ts'
import { geometry } from './geometry.ts'
import type { ProblemKind } from './kind.ts'
import { measures } from './measures.ts'
import { numbers } from './numbers.ts'
import { stories } from './stories.ts'
import { sums } from './sums.ts'

/** Every kind of worked problem. A new kind is one more entry in one of these lists. */
export const problemKinds: readonly ProblemKind[] = [
  ...sums,
  ...fractions,
  ...measures,
  ...geometry,
  ...numbers,
  ...algebra,
  ...stories,
]
