import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { fileError } from '../errors.ts'
import { loadAddon } from '../native/addon.ts'

export type UrlList = 'blockedDomains' | 'blockedUrls' | 'allowedDomains' | 'onlyDomains'

const LISTS: readonly UrlList[] = ['blockedDomains', 'blockedUrls', 'allowedDomains', 'onlyDomains']

/** What an address met, by the number that the addon gives. */
const FOUND = [
  undefined,
  'allowed',
  'onlyDomains',
  'domain',
  'subdomain',
  'url',
  'bannedWords',
  'softBannedWords',
  'bannedSubwords',
  'noUrl',
] as const

export type UrlFound = (typeof FOUND)[number]

interface NativeUrlLists {
  add(list: number, lines: Uint8Array): number
  settle(): number
  check(urls: readonly string[], threads?: number): Uint8Array
}

interface UrlKernels {
  UrlLists: new (
    words: readonly string[],
    softWords: readonly string[],
    subwords: readonly string[],
    softThreshold: number,
  ) => NativeUrlLists
  registeredDomains(urls: readonly string[]): string[]
}

/** Lists of domains, addresses and words, as hashes in the addon: 8 bytes for an entry. */
export class UrlLists {
  readonly #native: NativeUrlLists

  constructor(words: UrlWords) {
    const { bannedWords = [], softBannedWords = [], bannedSubwords = [], softWordThreshold = 2 } = words
    const { UrlLists: Native } = loadAddon<UrlKernels>()
    this.#native = new Native(bannedWords, softBannedWords, bannedSubwords, softWordThreshold)
  }

  add(list: UrlList, entries: Iterable<string>): void {
    this.#native.add(LISTS.indexOf(list), Buffer.from([...entries].join('\n')))
  }

  /**
   * Adds a file with an entry a line, plain or gzip, piece by piece.
   *
   * @throws SmolforgeError `input` when it cannot be read.
   */
  async addFile(list: UrlList, path: string): Promise<void> {
    const file = createReadStream(path)
    const lines = path.endsWith('.gz') ? file.pipe(createGunzip()) : file
    file.on('error', (error) => lines.destroy(error))
    let rest = Buffer.alloc(0)
    try {
      for await (const piece of lines) {
        const bytes = Buffer.concat([rest, piece as Buffer])
        const end = bytes.lastIndexOf('\n') + 1
        this.#native.add(LISTS.indexOf(list), bytes.subarray(0, end))
        rest = bytes.subarray(end)
      }
    } catch (error) {
      throw fileError(error, path)
    }
    this.#native.add(LISTS.indexOf(list), rest)
  }

  /** To be called once, when the lists are whole. */
  settle(): void {
    this.#native.settle()
  }

  check(urls: readonly string[], threads?: number): UrlFound[] {
    return Array.from(this.#native.check(urls, threads), (found) => FOUND[found])
  }
}

export interface UrlWords {
  /** An address with one of these words goes. Words are runs of letters and digits, in any case. */
  bannedWords?: readonly string[]
  /** An address with `softWordThreshold` different ones of these goes. */
  softBannedWords?: readonly string[]
  /** An address goes whose letters and digits, joined, hold one of these. */
  bannedSubwords?: readonly string[]
  softWordThreshold?: number
}

/** The domain that somebody registered, by the public suffix list: `example.co.uk` of `https://a.example.co.uk/x`. */
export function registeredDomains(urls: readonly string[]): string[] {
  return loadAddon<UrlKernels>().registeredDomains(urls)
}
