import { LinesFile } from './linesFile.ts'

interface DomainCounts {
  documents: number
  bytes: number
  kept: number
  keptBytes: number
  dropped: Record<string, number>
}

/** What the rules did, by the host of the documents' addresses. */
export class DomainTable {
  readonly #domains = new Map<string, DomainCounts>()

  /** A document with its address. */
  count(origin: string | null | undefined, bytes: number, rule: string | undefined): void {
    const domain = domainOfUrl(origin)
    let counts = this.#domains.get(domain)
    if (counts === undefined) {
      counts = { documents: 0, bytes: 0, kept: 0, keptBytes: 0, dropped: {} }
      this.#domains.set(domain, counts)
    }
    counts.documents++
    counts.bytes += bytes
    if (rule === undefined) {
      counts.kept++
      counts.keptBytes += bytes
    } else counts.dropped[rule] = (counts.dropped[rule] ?? 0) + 1
  }

  /** Lines `{"domain","documents","bytes","kept","keptShare","keptBytesShare","dropped"}`, the largest domain first. */
  async write(path: string): Promise<void> {
    const rows = [...this.#domains].sort(
      ([a, { documents: first }], [b, { documents: second }]) => second - first || (a < b ? -1 : 1),
    )
    const file = await LinesFile.open(path)
    try {
      for (const [domain, { documents, bytes, kept, keptBytes, dropped }] of rows) {
        const [keptShare, keptBytesShare] = [kept / documents, bytes > 0 ? keptBytes / bytes : 0]
        const shares = Object.entries(dropped)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([rule, count]) => [rule, count / documents])
        const row = { domain, documents, bytes, kept, keptShare, keptBytesShare }
        file.add(`${JSON.stringify({ ...row, droppedShares: Object.fromEntries(shares) })}\n`)
      }
      await file.finish()
    } catch (error) {
      await file.abandon()
      throw error
    }
  }
}

/** The host in lower case without `www.`; what is no address stands for itself. */
function domainOfUrl(origin: string | null | undefined): string {
  if (origin === null || origin === undefined || origin === '') return '(none)'
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([^/?#:]+)/i.exec(origin)?.[1]
  return host === undefined ? origin : host.toLowerCase().replace(/^www\./, '')
}
