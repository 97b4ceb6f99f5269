import { describe, expect, it } from 'vitest'
import { applyRules, piiRule, secretsRule } from '../../src/curate/index.ts'
import { collect, document, streamOf } from './documents.ts'

async function masked(text: string, rule = piiRule()) {
  const { kept } = applyRules(streamOf([document(text)]), [rule])
  return (await collect(kept))[0]
}

describe('piiRule', () => {
  it("puts datatrove's stand-ins where addresses were, and fictitious numbers for telephones", async () => {
    const { text, scores } = await masked(
      'Write to ann@corp.org or bob@corp.org, call +1 415 555 2671; servers 93.184.216.34 and 2606:4700::1111.',
    )
    expect(text).toBe(
      'Write to email@example.com or firstname.lastname@example.org, call +1 202-555-0143; ' +
        'servers 22.214.171.124 and 126.96.36.199.',
    )
    expect(scores).toEqual({ piiEmail: 2, piiIpv4: 1, piiIpv6: 1, piiPhone: 1 })
  })

  it('changes nothing the second time', async () => {
    const once = await masked('ann@corp.org, (415) 555-2671, (415) 555-2672, 8.8.4.4')
    expect((await masked(once.text)).text).toBe(once.text)
  })

  it('leaves private addresses alone unless asked, and kinds that are switched off', async () => {
    const text = 'ann@corp.org at 10.0.0.1 and 8.8.4.4'
    expect((await masked(text)).text).toContain('10.0.0.1')
    const all = piiRule({ onlyRemovePublicIps: false, removeEmails: false, ipReplacement: '<IP>' })
    expect((await masked(text, all)).text).toBe('ann@corp.org at <IP> and <IP>')
  })

  it('takes any dotted name after the at sign when told to, as datatrove does', async () => {
    const text = 'loss = x@W.T'
    expect((await masked(text)).text).toBe(text)
    expect((await masked(text, piiRule({ emailSuffix: 'any', emailReplacement: '<E>' }))).text).toBe(
      'loss = <E>',
    )
  })

  it('is counted in the funnel as bytes that were edited', async () => {
    const { kept, funnel } = applyRules(streamOf([document('ann.and.bob.and.carol@a.very.long.corp.org')]), [
      piiRule(),
    ])
    await collect(kept)
    expect(funnel().edited.pii).toEqual({ documents: 1, bytes: 42 - 'email@example.com'.length })
  })
})

describe('secretsRule', () => {
  it('masks the token and leaves the line of code around it', async () => {
    const token = ['ghp', 'aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5'].join('_')
    const { text, scores } = await masked(`client = Github("${token}")  # mine\n`, secretsRule())
    expect(text).toBe('client = Github("<KEY>")  # mine\n')
    expect(scores).toEqual({ maskedSecret: 1 })
  })

  it('leaves code without secrets byte for byte', async () => {
    const text = 'password = input()\ntoken = next(tokens)\nurl = "https://example.org/?key=value"\n'
    expect((await masked(text, secretsRule())).text).toBe(text)
  })
})
