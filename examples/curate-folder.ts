/**
 * A folder of web pages or texts curated, with the reason for everything that went:
 * node --import tsx examples/curate-folder.ts [WARC, FILE or FOLDER] [OUTPUT.jsonl]
 */

import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import {
  applyRules,
  type Damage,
  exactDedup,
  fineWebQuality,
  gopherQuality,
  gopherRepetition,
  languageRule,
  readSource,
  sourceSchema,
  writeDocuments,
} from 'smolforge'

const path = resolve(process.argv[2] ?? 'test/fixtures/corpus/web.warc.gz')
const output = resolve(process.argv[3] ?? join(tmpdir(), 'curated.jsonl'))
const source = sourceSchema.parse({ name: 'pages', domain: 'web', licence: 'unknown', path })

const damages: Damage[] = []
const documents = readSource(source, {
  cacheDir: tmpdir(),
  baseDir: '.',
  onDamage: (damage) => damages.push(damage),
})
const rules = [
  languageRule({ keep: ['eng'], minScore: 0.5 }),
  gopherRepetition(),
  gopherQuality({ minDocWords: 30 }),
  fineWebQuality(),
  exactDedup(),
]
const { kept, funnel } = applyRules(documents, rules, {
  onVerdict: (document, verdict) => {
    if (!verdict.keep) console.log(`dropped ${document.id}: ${verdict.rule} = ${verdict.value}`)
  },
})
await writeDocuments(output, kept)

const { documentsIn, documentsOut, bytesIn, bytesOut } = funnel()
for (const damage of damages) console.log(`damaged at byte ${damage.byteOffset}: ${damage.reason}`)
console.log(`kept ${documentsOut} of ${documentsIn} documents, ${bytesOut} of ${bytesIn} bytes, in ${output}`)
