/** The steps of a run that look at every document, in the order of the recipe: each leaves a funnel. */
export const CURATION_STEPS = [
  'read',
  'urls',
  'language',
  'quality',
  'fast-text',
  'dedup',
  'classify',
  'mask',
  'split',
  'decontaminate',
]
