import { Random } from '../../../src/random/random.ts'

/** Texts that take a tokenizer of BERT's kind through all of its rules. */
export const encoderTexts = [
  'A fraction names a part of a whole: one half is 1/2, and 3/4 is more.',
  'the water is wet and the sea is salt, because rivers carry salt',
  'Ünïcode Straße, naïve CAFÉ — 日本語テキスト! $5+3=8 <tag> `code`',
  'ΑΣ ΟΔΟΣ İstanbul ﬁne Ⅳ',
  'zero\u200bwidth\u00a0space\ttab\nline\r\nend\u2028next\u0007bell \ufffd',
  'an [SEP] in the middle of [CLS]text[MASK] </s> <s>',
  `${'x'.repeat(101)} ${'y'.repeat(100)}`,
  '    ',
  '',
  'word '.repeat(60),
  '🙂 emoji 👩‍👩‍👧 family',
]

/** The same turned by chance, for a comparison on the spot. */
export function randomEncoderTexts(seed: number): string[] {
  const random = new Random(seed)
  const pieces = encoderTexts.flatMap((text) => text.split(/(?<= )/))
  const odd = Array.from('éÀ\u0301ßΣς日ー。、·¿$^~`\u00ad\u200d\u3000\u0085\u001f€½ǅ🙂')
  return Array.from({ length: 60 }, () =>
    Array.from({ length: random.between(1, 14) }, () =>
      random.float() < 0.6 ? random.pick(pieces) : random.pick(odd),
    ).join(''),
  )
}
