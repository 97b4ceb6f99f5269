import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { registeredDomains, urlFilter } from '../../src/curate/index.ts'
import { document } from './documents.ts'

const folder = mkdtempSync(join(tmpdir(), 'smolforge-urls-'))

async function ruleOf(options: Parameters<typeof urlFilter>[0], url?: string): Promise<string | undefined> {
  const [verdict] = await (await urlFilter(options)).judge([document('x', { url })])
  return verdict.keep ? undefined : verdict.rule
}

describe('urlFilter', () => {
  it('drops a domain with all its hosts, and never what shares only a public suffix', async () => {
    const extraDomains = ['bad.co.uk', 'blog.fine.org', 'co.uk', 'github.io']
    expect(await ruleOf({ extraDomains }, 'https://a.b.bad.co.uk/x')).toBe('urlFilter.domain')
    expect(await ruleOf({ extraDomains }, 'https://old.blog.fine.org/')).toBe('urlFilter.subdomain')
    for (const url of [
      'https://fine.org',
      'https://good.co.uk',
      'https://me.github.io',
      'https://notbad.co.uk',
    ]) {
      expect(await ruleOf({ extraDomains }, url), url).toBeUndefined()
    }
  })

  it('looks for words, soft words and parts of words as datatrove does', async () => {
    const options = {
      bannedWords: ['casino'],
      softBannedWords: ['buy', 'cheap'],
      bannedSubwords: ['freepills'],
    }
    expect(await ruleOf(options, 'https://a.org/casino/1')).toBe('urlFilter.bannedWords')
    expect(await ruleOf(options, 'https://a.org/buy-shoes')).toBeUndefined()
    expect(await ruleOf(options, 'https://a.org/buy-cheap-shoes')).toBe('urlFilter.softBannedWords')
    expect(await ruleOf({ ...options, softWordThreshold: 1 }, 'https://a.org/buy')).toBe(
      'urlFilter.softBannedWords',
    )
    expect(await ruleOf(options, 'https://free-pills.org/')).toBe('urlFilter.bannedSubwords')
  })

  it('keeps only the domains that are asked for, and pages without address only without that', async () => {
    const onlyDomains = ['nice.org']
    expect(await ruleOf({ onlyDomains }, 'https://www.nice.org/')).toBeUndefined()
    expect(await ruleOf({ onlyDomains }, 'https://else.org/')).toBe('urlFilter.onlyDomains')
    expect(await ruleOf({ onlyDomains })).toBe('urlFilter.noUrl')
    expect(await ruleOf({ extraDomains: ['bad.org'] })).toBeUndefined()
  })

  it('reads lists of hundreds of thousands from files, plain and gzip, at some bytes an entry', async () => {
    const domains = Array.from({ length: 300_000 }, (_, i) => `site-${i}.example${i % 7}.com`)
    const file = join(folder, 'domains.txt.gz')
    writeFileSync(file, gzipSync(`# a list\n${domains.join('\n')}`))
    const urls = join(folder, 'urls.txt')
    writeFileSync(urls, 'https://ok.org/one\n')
    const rule = await urlFilter({ domainFiles: [file], urlFiles: [urls] })
    const found = await rule.judge(
      [
        'https://site-123456.example4.com/',
        'https://site-1.other.com',
        'http://ok.org/one',
        'http://ok.org/two',
      ].map((url) => document('x', { url })),
    )
    expect(found.map((verdict) => (verdict.keep ? 'kept' : verdict.rule))).toEqual([
      'urlFilter.subdomain',
      'kept',
      'urlFilter.url',
      'kept',
    ])
    await expect(urlFilter({ domainFiles: [join(folder, 'none')] })).rejects.toMatchObject({ code: 'input' })
  })

  it('knows who registered a domain', () => {
    expect(registeredDomains(['https://news.bbc.co.uk/x', 'http://user.github.io', 'http://[::1]/'])).toEqual(
      ['bbc.co.uk', 'user.github.io', '[::1]'],
    )
  })
})
