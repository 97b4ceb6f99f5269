import { z } from 'zod'

export const readerNames = [
  'text',
  'code',
  'markdown',
  'html',
  'jsonl',
  'parquet',
  'warc',
  'wordnet',
] as const
/** Where the texts of a source come from: each source has one of these. */
const sourceOrigins = ['npm', 'path', 'git', 'hub', 's3', 'generate'] as const

export type ReaderName = (typeof readerNames)[number]

/**
 * One source of a recipe: a name, what kind of text it is, under which licence, and exactly one of
 * `npm` (a pinned package with its integrity), `path` (a file or folder), `git` (a checkout), `hub` (a data set on a
 * Hugging Face hub), `s3` (objects of a bucket) or `generate` (a seeded generator).
 */
export const sourceSchema = z
  .strictObject({
    name: z
      .string()
      .regex(/^[a-z0-9][a-z0-9-]*$/, 'a source name has small letters, digits and hyphens')
      .describe('Name of the source: it begins the id of each of its documents.'),
    domain: z.string().min(1).describe('Kind of text: prose, code, maths, dictionary, web, ...'),
    licence: z.string().min(1).describe('SPDX expression, or what the source says.'),
    npm: z
      .string()
      .regex(/^(@[\w.-]+\/)?[\w.-]+@\d+\.\d+\.\d+[\w.+-]*$/, 'write an exact version: name@1.2.3')
      .optional()
      .describe('An npm package with its exact version: name@1.2.3.'),
    integrity: z
      .string()
      .regex(/^sha512-[A-Za-z0-9+/]{86}==$/, 'the sha512 of the tarball: npm view name@1.2.3 dist.integrity')
      .optional()
      .describe('sha512 of the tarball, as `npm view name@version dist.integrity` prints it.'),
    path: z
      .string()
      .min(1)
      .optional()
      .describe('A file, a folder or the tarball of an npm package (.tgz), relative to the recipe.'),
    git: z
      .string()
      .min(1)
      .optional()
      .describe('Folder of a git checkout, relative to the recipe: the files that git tracks.'),
    hub: z
      .string()
      .regex(
        /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(@[A-Za-z0-9][\w./-]*)?$/,
        'write owner/name or owner/name@revision',
      )
      .optional()
      .describe(
        'A data set on a Hugging Face hub: owner/name is its Parquet export, owner/name@revision the files of its repository.',
      ),
    s3: z
      .string()
      .regex(/^s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/.*)?$/, 'write s3://bucket/prefix/')
      .optional()
      .describe('Objects of a store that speaks S3: s3://bucket/prefix/.'),
    generate: z.string().min(1).optional().describe('Name of a seeded generator.'),
    documents: z.int().positive().optional().describe('How many documents to generate.'),
    reader: z.enum(readerNames).optional().describe('How files are read; from their extension if not given.'),
    textField: z
      .string()
      .min(1)
      .optional()
      .describe('The field of a JSON line or Parquet row that holds the text; `text` if not given.'),
    include: z.array(z.string().min(1)).optional().describe('Only files that match one of these globs.'),
    exclude: z.array(z.string().min(1)).optional().describe('No files that match one of these globs.'),
    maxDocuments: z.int().positive().optional().describe('Stop after so many documents.'),
    maxBytes: z.int().positive().optional().describe('Stop after so many UTF-8 bytes of text.'),
  })
  .superRefine((source, context) => {
    const complain = (path: string, message: string) =>
      context.addIssue({ code: 'custom', path: [path], message })
    const origins = sourceOrigins.filter((key) => source[key] !== undefined)
    if (origins.length !== 1) {
      complain(origins[1] ?? 'npm', 'a source has exactly one of npm, path, git, hub, s3 and generate')
    }
    if ((source.npm === undefined) !== (source.integrity === undefined)) {
      complain('integrity', 'npm and integrity go together')
    }
    if ((source.generate === undefined) !== (source.documents === undefined)) {
      complain('documents', 'generate and documents go together')
    }
  })

export type SourceConfig = z.infer<typeof sourceSchema>

/** One text of a generator. */
export interface GeneratedText {
  id: string
  text: string
  meta?: Record<string, string | number | boolean>
}

/** Makes `count` texts of the generator `name`; the same seed gives the same texts. A higher room hands it in. */
export type TextGenerator = (name: string, count: number, seed: number) => Iterable<GeneratedText>
