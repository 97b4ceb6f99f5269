import { z } from 'zod'
import type { ReportFunnel, ReportSource } from './data.ts'

const configSchema = z.looseObject({
  name: z.string(),
  domain: z.string().optional(),
  licence: z.string().optional(),
  npm: z.unknown(),
  path: z.unknown(),
  generate: z.unknown(),
})

/** Every source that the recipe names or the funnel counted, with what was read from it and what was kept. */
export function collectSources(recipe: unknown, funnel: readonly ReportFunnel[]): ReportSource[] {
  const named = new Map<string, ReportSource>()
  for (const value of sourceList(recipe)) {
    const parsed = configSchema.safeParse(value)
    if (!parsed.success) continue
    const { name, domain, licence } = parsed.data
    named.set(name, { name, domain, licence, origin: originOf(parsed.data) })
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

function sourceList(recipe: unknown): unknown[] {
  if (typeof recipe !== 'object' || recipe === null) return []
  const corpus = 'corpus' in recipe ? recipe.corpus : undefined
  const holder = typeof corpus === 'object' && corpus !== null && 'sources' in corpus ? corpus : recipe
  const sources: unknown = 'sources' in holder ? holder.sources : corpus
  return Array.isArray(sources) ? sources : []
}

function originOf(source: z.infer<typeof configSchema>): string {
  const { npm, path, generate } = source
  if (typeof npm === 'object' && npm !== null) {
    const { name, package: packageName, version } = npm as Record<string, unknown>
    return `npm ${[name ?? packageName, version].filter((part) => typeof part === 'string').join(' ')}`
  }
  if (typeof npm === 'string') return `npm ${npm}`
  if (typeof path === 'string') return path
  if (generate !== undefined) return 'generated from a seed'
  return ''
}
