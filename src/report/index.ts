export { dataCard, modelCard } from './cards.ts'
export { collectReport } from './collect.ts'
export { type RunReport, runReportSchema } from './data.ts'
export { fillTemplate, writeReport } from './write.ts'
