import { z } from 'zod'

const positive = z.int().positive()
const share = z.number().min(0).max(1)
const domains = z.array(z.string()).min(1)

const languageSchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains; all if not given.'),
    keep: z.array(z.string()).min(1).default(['eng']).describe('ISO 639-3 codes of the languages that stay.'),
    minScore: share.default(0.5).describe('Least confidence of the identification.'),
    model: z
      .string()
      .min(1)
      .optional()
      .describe('A fastText model that names languages, such as lid.176.bin.'),
  })
  .describe('Language identification.')

const words = z.array(z.string().min(1)).optional()
const listFiles = z.array(z.string().min(1)).min(1).optional()

const urlsSchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains; all if not given.'),
    extraDomains: words.describe('Internet domains whose pages go, with all their hosts.'),
    domainFiles: listFiles.describe('Files of such domains, one a line.'),
    urlFiles: listFiles.describe('Files of addresses that go, one a line.'),
    allowDomains: words.describe('Internet domains that stay whatever else is said.'),
    onlyDomainFiles: listFiles.describe('Files of the only internet domains that stay.'),
    bannedWords: words.describe('An address with one of these words goes.'),
    bannedSubwords: words.describe('An address goes whose letters and digits, joined, hold one of these.'),
    softBannedWords: words.describe('An address with softWordThreshold of these goes.'),
    softWordThreshold: positive
      .optional()
      .describe('So many soft words are as bad as a banned one; 2 if not given.'),
  })
  .describe("Filter by address, with the parameters of datatrove's URLFilter.")

const labels = z.record(z.string(), share)

const fastTextSchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains; all if not given.'),
    model: z.string().min(1).describe('A supervised fastText model, .bin or .ftz, relative to the recipe.'),
    keepLabels: labels
      .optional()
      .describe('Documents stay with one of these labels at its probability or more.'),
    removeLabels: labels
      .optional()
      .describe('Documents go with one of these labels at its probability or more.'),
  })
  .refine(({ keepLabels, removeLabels }) => keepLabels !== undefined || removeLabels !== undefined, {
    message: 'write keepLabels, removeLabels or both',
  })
  .describe('A quality filter by a fastText classifier.')

const maskSchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains; all if not given.'),
    pii: z
      .boolean()
      .default(true)
      .describe('Replace mail addresses, public IP addresses and telephone numbers.'),
    secrets: z.boolean().default(true).describe('Replace keys, tokens and passwords in code by <KEY>.'),
  })
  .describe('Something harmless in place of personal data and secrets.')

/** Options of a rule that are numbers, each with the default of its paper when it is not given. */
const limits = <Name extends string>(...names: readonly Name[]) => {
  const option = z
    .union([z.number(), z.literal(false)], { error: 'write a number, or false for no limit' })
    .optional()
    .describe("A limit of the rule; the paper's if not given, none if false.")
  return z.strictObject(
    Object.fromEntries(names.map((name) => [name, option])) as Record<Name, typeof option>,
  )
}

const rulesSchema = z
  .strictObject({
    gopherRepetition: limits('dupLineFrac', 'dupParaFrac', 'dupLineCharFrac', 'dupParaCharFrac')
      .extend({
        topNGrams: limits('2', '3', '4').optional().describe('Characters in the most frequent n-gram, by n.'),
        dupNGrams: limits('5', '6', '7', '8', '9', '10')
          .optional()
          .describe('Characters in repeated n-grams, by n.'),
      })
      .optional()
      .describe('Repetition heuristics of Gopher.'),
    gopherQuality: limits(
      'minDocWords',
      'maxDocWords',
      'minAvgWordLength',
      'maxAvgWordLength',
      'maxSymbolWordRatio',
      'maxBulletLinesRatio',
      'maxEllipsisLinesRatio',
      'maxNonAlphaWordsRatio',
      'minStopWords',
    )
      .extend({
        stopWords: z
          .array(z.string().min(1))
          .optional()
          .describe('Words of which minStopWords must occur; eight English ones if not given.'),
      })
      .optional()
      .describe('Quality heuristics of Gopher.'),
    c4Quality: limits('minNumSentences')
      .extend({
        filterLoremIpsum: z.boolean().optional().describe('Drop documents with "lorem ipsum".'),
        filterCurlyBracket: z.boolean().optional().describe('Drop documents with a curly bracket.'),
        filterNoTerminalPunct: z.boolean().optional().describe('Remove lines without terminal punctuation.'),
        filterJavascript: z.boolean().optional().describe('Remove lines that mention javascript.'),
        filterPolicy: z.boolean().optional().describe('Remove lines about cookies and terms of use.'),
        removeCitations: z.boolean().optional().describe('Remove citation marks such as [12].'),
        minWordsPerLine: z.int().optional().describe('Remove lines of fewer words.'),
        maxWordLength: z
          .int()
          .optional()
          .describe('Remove lines with a longer word, in characters; -1 for none.'),
        splitParagraph: z.boolean().optional().describe('Look at lines; at sentences if false.'),
      })
      .optional()
      .describe('Heuristics of C4: they also remove lines.'),
    fineWebQuality: limits('linePunctThr', 'shortLineThr', 'charDuplicatesRatio', 'newLineRatio')
      .extend({
        linePunctExcludeZero: z.boolean().optional().describe('Spare texts without any end mark.'),
        shortLineLength: z
          .int()
          .positive()
          .optional()
          .describe('Characters of a short line; 30 if not given.'),
        stopChars: z
          .string()
          .optional()
          .describe('The end marks, as one string; those of all scripts if not given.'),
      })
      .optional()
      .describe('What FineWeb adds to them.'),
    codeQuality: limits(
      'maxAverageLineLength',
      'maxLineLength',
      'minAlphanumericFraction',
      'minAlphabeticFraction',
      'maxEncodedFraction',
      'maxEncodedRun',
      'maxGeneratedMarkers',
      'minTokens',
    )
      .optional()
      .describe('Limits of StarCoder against generated, minified and data-like files.'),
  })
  .describe('Rules by name, each with its options; a document leaves at the first that drops it.')

export type QualityRules = z.infer<typeof rulesSchema>

const qualitySchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains; all if not given.'),
    rules: rulesSchema,
  })
  .describe('Heuristic quality rules with the thresholds of their papers.')

const dedupSchema = z
  .strictObject({
    exact: z.boolean().default(true).describe('Drop documents whose text is the same.'),
    minhash: z
      .union(
        [
          z.literal(false),
          z.strictObject({
            bands: positive.default(14).describe('Bands of the signature.'),
            rows: positive.default(8).describe('Hashes in one band.'),
            ngram: positive.default(5).describe('Words in one shingle.'),
            minSimilarity: share
              .default(0.7)
              .describe('Least estimated Jaccard similarity of near-duplicates.'),
          }),
        ],
        { error: 'write false, or bands, rows and ngram' },
      )
      .prefault({})
      .describe('Near-duplicates by MinHash; false leaves it out.'),
  })
  .describe('Exact and near-duplicate removal.')

const judgeSchema = z
  .strictObject({
    rubric: z
      .string()
      .min(1)
      .default('edu')
      .describe('edu, maths, code, or a text file of your own, relative to the recipe.'),
    documents: positive.default(2000).describe('So many documents are judged, evenly from the sources.'),
    endpoint: z
      .string()
      .min(1)
      .describe('Base address of a server with the OpenAI chat API; its key is SMOLFORGE_JUDGE_KEY.'),
    model: z.string().min(1).describe('The model there.'),
    maxCharacters: positive.default(12_000).describe('As much of a document is shown to the judge.'),
    concurrency: positive.default(8).describe('Requests on their way at once.'),
    check: share.default(0.05).describe('Share of those documents that is judged twice.'),
  })
  .describe('Labels by a large model. What it answered is kept in the cache and asked for once.')

const embeddingsSchema = z
  .strictObject({
    model: z
      .string()
      .min(1)
      .describe('A Llama, BERT or RoBERTa: a folder or a GGUF file, relative to the recipe.'),
    maxTokens: positive.default(512).describe('Tokens of a text that are embedded.'),
    distil: positive
      .optional()
      .describe(
        'So many documents are scored by the embeddings for a linear classifier to learn from, which scores the rest.',
      ),
  })
  .describe('The classifier works on embeddings instead of words.')

const classifierSchema = z
  .strictObject({
    domains: domains.optional().describe('Only documents of these domains are judged; all if not given.'),
    seeds: z
      .union(
        [
          z.strictObject({
            rubric: positive.describe(
              'So many documents, labelled by the counted signs of our additive rubric.',
            ),
          }),
          z.strictObject({
            file: z
              .string()
              .min(1)
              .describe(
                'JSON lines {"text", "label": 0-5} or {"id", "label"} with ids of the run\'s documents, relative to the recipe.',
              ),
          }),
          z.strictObject({ judge: judgeSchema }),
          z.strictObject({
            sources: z
              .record(z.string(), z.number().min(0).max(5))
              .describe('A label from 0 (worthless) to 5 (a textbook) for documents of whole sources.'),
            documents: positive.default(2000).describe('At most so many documents of each source.'),
          }),
        ],
        { error: 'write rubric: N, file: PATH, judge: {...} or sources: {NAME: LABEL}' },
      )
      .prefault({ rubric: 2000 })
      .describe('Labelled examples the classifier learns from.'),
    embeddings: embeddingsSchema.optional(),
    threshold: z
      .number()
      .min(0)
      .max(5)
      .default(3)
      .describe(
        'Documents with a lower score are dropped, and from this label on an example counts as good.',
      ),
    keep: share
      .optional()
      .describe('Instead of the threshold: the share of the judged documents that stays, best first.'),
  })
  .describe('A quality classifier, trained from labels in the way of FineWeb-Edu.')

const heldOutSchema = z
  .strictObject({
    share: z.number().gt(0).lt(1).default(0.03).describe('Share of the documents of each domain set aside.'),
    minDocuments: z
      .int()
      .min(0)
      .default(2)
      .describe('At least so many documents of a domain, if it has twice as many.'),
    maxOverlap: share
      .default(0.1)
      .describe('Held-out documents with a larger share of their 13-grams in training text are left out.'),
  })
  .describe('The held-out split: by document, without near-duplicates of training text.')

const decontaminateSchema = z
  .strictObject({
    ngram: positive
      .default(13)
      .describe('Words in a row that a document may not share with an evaluation item.'),
  })
  .describe("Removal of training documents that hold the run's own evaluation items.")

export const curateSchema = z
  .strictObject({
    urls: urlsSchema.optional(),
    language: languageSchema.optional(),
    quality: z.array(qualitySchema).optional().describe('Groups of rules, each for some domains.'),
    fastText: z.array(fastTextSchema).optional().describe('Filters by fastText classifiers.'),
    dedup: dedupSchema.prefault({}),
    classifier: classifierSchema.optional(),
    mask: maskSchema.optional(),
    heldOut: heldOutSchema.prefault({}),
    decontaminate: decontaminateSchema.prefault({}),
  })
  .describe('What happens to the documents before they are trained on.')
