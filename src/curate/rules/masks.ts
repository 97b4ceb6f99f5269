import { type MaskReplacements, maskTexts } from '../masking.ts'
import { keep, type Rule, type Verdict } from '../verdict.ts'

export interface PiiOptions {
  removeEmails?: boolean
  removeIps?: boolean
  removePhones?: boolean
  /** Addresses of private networks, loopback and documentation stay. */
  onlyRemovePublicIps?: boolean
  emailReplacement?: readonly string[] | string
  ipReplacement?: readonly string[] | string
  phoneReplacement?: readonly string[] | string
  /** `any`: whatever follows the `@` with a dot in it is an address, as in datatrove; `public`: known top levels only. */
  emailSuffix?: 'public' | 'any'
  threads?: number
}

/**
 * Replaces mail addresses, IP addresses (4 and 6) and telephone numbers, with the parameters and replacements of
 * datatrove's `PIIFormatter` (FineWeb). Telephone numbers become fictitious ones. Counts of what was replaced are on
 * the document as `scores.piiEmail`, `piiIpv4`, `piiIpv6` and `piiPhone`.
 */
export function piiRule(options: PiiOptions = {}): Rule {
  const { removeEmails = true, removeIps = true, removePhones = true } = options
  return maskRule('pii', 'pii', options.threads, {
    ...nothing,
    email: removeEmails ? list(options.emailReplacement ?? EMAILS) : [],
    ip: removeIps ? list(options.ipReplacement ?? IPS) : [],
    phone: removePhones ? list(options.phoneReplacement ?? PHONES) : [],
    onlyPublicIps: options.onlyRemovePublicIps ?? true,
    anyEmailSuffix: options.emailSuffix === 'any',
  })
}

export interface SecretsOptions {
  secretReplacement?: string
  threads?: number
}

/**
 * Replaces private keys, tokens with a known prefix, signed web tokens, passwords in addresses, and strings of much
 * entropy given to names such as `api_key`. Counts are `scores.maskedSecret` and `maskedPrivateKey`.
 */
export function secretsRule({ secretReplacement = '<KEY>', threads }: SecretsOptions = {}): Rule {
  return maskRule('secrets', 'masked', threads, { ...nothing, secret: [secretReplacement] })
}

function maskRule(
  name: string,
  prefix: string,
  threads: number | undefined,
  replacements: MaskReplacements,
): Rule {
  return {
    name,
    async judge(batch) {
      const texts = batch.map(({ text }) => text)
      const masked = await maskTexts(texts, replacements, threads)
      return masked.map(({ text, counts }): Verdict => {
        if (text === undefined || counts === undefined) return keep
        const scores = Object.entries(counts).map(([kind, count]) => [scoreName(prefix, kind), count])
        return { keep: true, changes: { text, scores: Object.fromEntries(scores) } }
      })
    },
  }
}

const scoreName = (prefix: string, kind: string) => `${prefix}${kind[0].toUpperCase()}${kind.slice(1)}`

const list = (replacement: readonly string[] | string) =>
  typeof replacement === 'string' ? [replacement] : replacement

const nothing: MaskReplacements = {
  email: [],
  ip: [],
  phone: [],
  secret: [],
  onlyPublicIps: true,
  anyEmailSuffix: false,
}

/** datatrove's: reserved domains, and addresses that answered nobody when they were chosen. */
const EMAILS = ['email@example.com', 'firstname.lastname@example.org']
const IPS = [
  '22.214.171.124',
  '126.96.36.199',
  '188.8.131.52',
  '184.108.40.206',
  '220.127.116.11',
  '18.104.22.168',
]

/** From 555-0100 to 555-0199, which the North American plan keeps for fiction. */
const PHONES = ['+1 202-555-0143', '+1 202-555-0178', '+1 202-555-0112', '+1 202-555-0165']
