import { c4QualityDefinition } from './c4Quality.ts'
import { codeQualityDefinition } from './codeQuality.ts'
import type { RuleDefinition } from './definition.ts'
import { fineWebQualityDefinition } from './fineWebQuality.ts'
import { gopherQualityDefinition } from './gopherQuality.ts'
import { gopherRepetitionDefinition } from './gopherRepetition.ts'

/** The rules that `smolforge filter --rules` knows. A new one is added here. */
export const ruleCatalogue: readonly RuleDefinition[] = [
  gopherQualityDefinition,
  gopherRepetitionDefinition,
  c4QualityDefinition,
  fineWebQualityDefinition,
  codeQualityDefinition,
]
