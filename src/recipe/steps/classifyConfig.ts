import type { Recipe } from '../schema.ts'

export type ClassifyConfig = NonNullable<Recipe['curate']['classifier']> & { seed: number }
