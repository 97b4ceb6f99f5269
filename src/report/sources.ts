import { z } from 'zod'
import type { ReportFunnel, ReportSource } from './data.ts'

const configSchema = z.looseObject({
  name: z.string(),
  domain: z.string().optional(),
  licence: z.string().optional(),
  npm: z.string().optional(),
  path: z.string().optional(),
  generate: z.string().optional(),
})

const recipeSchema = z.looseObject({ sources: z.array(configSchema) })

/** Every source that the recipe names or the funnel counted, with what was read from it and what was kept. */
export function collectSources(recipe: unknown, funnel: readonly ReportFunnel[]): ReportSource[] {
  const named = new Map<string, ReportSource>()
  for (const source of recipeSchema.safeParse(recipe).data?.sources ?? []) {
    const { name, domain, licence } = source
    named.set(name, { name, domain, licence, origin: originOf(source) })
  }
  const first = funnel[0]?.bySource ?? {}
  const last = funnel.at(-1)?.bySource ?? {}
  for (const [name, flow] of Object.entries(first)) {
    const source = named.get(name) ?? { name, origin: '' }
    named.set(name, {
      ...source,
      read: { documents: flow.documentsIn, bytes: flow.bytesIn },
      kept: { documents: last[name]?.documentsOut ?? 0, bytes: last[name]?.bytesOut ?? 0 },
    })
  }
  return [...named.values()]
}

function originOf({ npm, path, generate }: z.infer<typeof configSchema>): string {
  if (npm !== undefined) return `npm ${npm}`
  if (generate !== undefined) return `generated: ${generate}`
  return path ?? ''
}
