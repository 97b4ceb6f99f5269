import { type Pipeline, ROUNDED_3 } from './pipeline.ts'

/**
 * FineWeb-Edu (Penedo et al. 2024, arXiv 2406.17557): FineWeb's filters and MinHash, then a classifier of educational
 * value learnt from labels from 0 to 5, documents of 3 and more kept.
 */
export const fineWebEdu: Pipeline = {
  name: 'fineweb-edu',
  summary:
    "Web pages of educational value, selected in the way of FineWeb-Edu: FineWeb's quality filters and near-duplicate " +
    'removal, then a classifier that scores educational value from 0 to 5.',
  plan(way) {
    way.read('web')
    way.rules('url', [way.blocked()])
    way.rules('language', [way.language(0.5, 0.65)])
    way.rules('quality', [
      { use: 'gopherRepetition' },
      { use: 'gopherQuality' },
      // FineWeb leaves out C4's rule of terminal punctuation, which alone drops a third of the web.
      { use: 'c4Quality', filterNoTerminalPunct: false },
      { use: 'fineWebQuality' },
    ])
    way.dedup({ bands: 14, rows: 8, ngram: 5, minSimilarity: 0.7 })
    way.step('score', 'score', way.scoring('edu', ROUNDED_3))
    way.decontaminate()
    // FineWeb masks mail and IP addresses at its end; telephone numbers are ours to add.
    way.rules('pii', [{ use: 'pii' }])
  },
}
