import { codeTag } from '../../curate/index.ts'
import { type Pipeline, ROUNDED_3 } from './pipeline.ts'

/**
 * Stack-Edu (Allal et al. 2025, arXiv 2502.02737): files of 15 languages under permissive licences, without generated,
 * minified, vendored and test-data files, scored by a classifier for each language, 3 and more kept (Java 2); secrets
 * and addresses masked.
 */
export const stackEdu: Pipeline = {
  name: 'stack-edu',
  summary:
    'Source code of teaching value in 15 languages, selected in the way of Stack-Edu: language by name and content, ' +
    'permissive licences, no generated, minified, vendored or test-data files, near-duplicates removed, a classifier of ' +
    'teaching value from 0 to 5 for each language, secrets and addresses masked.',
  plan(way) {
    way.read('code')
    way.rules('files', [{ use: 'licence' }, { use: 'codeFiles' }, { use: 'codeLanguage' }])
    way.rules('quality', [{ use: 'codeQuality' }])
    way.dedup({ bands: 14, rows: 8, ngram: 5, minSimilarity: 0.7 })
    const scoring = way.scoring('code', ROUNDED_3)
    const thresholds = { [codeTag('java')]: Math.max(0, scoring.threshold - 1) }
    way.step('score', 'score', { ...scoring, by: 'language', thresholds })
    way.decontaminate()
    way.rules('mask', [{ use: 'secrets' }, { use: 'pii', removePhones: false }])
  },
}
