import type { Rule } from '../verdict.ts'
import { limitsRule } from './limits.ts'

export interface FineWebQualityOptions {
  /** Lines that end in a terminal punctuation mark must be at least this share of all lines that are not blank. */
  linePunctThr?: number
  /** Lines of at most 30 characters may be at most this share. */
  shortLineThr?: number
  charDuplicatesRatio?: number
  /** Line breaks to tokens. */
  newLineRatio?: number
}

/**
 * The filters that FineWeb adds to C4's and Gopher's (Penedo et al. 2024, arXiv 2406.17557) with datatrove's
 * definitions and defaults (`fineweb_quality_filter.py`).
 */
export function fineWebQuality(options: FineWebQualityOptions = {}): Rule {
  const { linePunctThr = 0.12, shortLineThr = 0.67, charDuplicatesRatio = 0.01, newLineRatio = 0.3 } = options
  return limitsRule('fineWebQuality', [
    { option: 'linePunctThr', field: 'linePunctRatio', min: linePunctThr },
    { option: 'shortLineThr', field: 'shortLineRatio', max: shortLineThr },
    { option: 'charDuplicatesRatio', field: 'charDuplicatesRatio', max: charDuplicatesRatio },
    { option: 'newLineRatio', field: 'newLineRatio', max: newLineRatio },
  ])
}
