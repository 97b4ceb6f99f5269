import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { LinearClassifier } from './classifier.ts'
import { type EncoderReference, readClassifierFile } from './classifierFile.ts'
import { EmbeddingClassifier, type Encoder } from './embeddingClassifier.ts'

export type TextClassifier = LinearClassifier | EmbeddingClassifier

/** The file of a classifier within the folder that the command line makes. */
export const CLASSIFIER_FILE = 'classifier.bin'

/**
 * Reads a classifier of either kind, from its file or its folder.
 *
 * @param openEncoder opens the encoder that a classifier on embeddings names.
 * @throws SmolforgeError `damaged` when a byte of it has changed, `input` when it is none or its encoder is another.
 */
export async function loadClassifier(
  path: string,
  openEncoder: (reference: EncoderReference) => Promise<Encoder>,
): Promise<TextClassifier> {
  const inside = join(path, CLASSIFIER_FILE)
  const { header, weights } = await readClassifierFile(existsSync(inside) ? inside : path)
  if (header.kind !== 'embedding') return new LinearClassifier(header, weights)
  return new EmbeddingClassifier(header, weights, await openEncoder(header.encoder))
}
