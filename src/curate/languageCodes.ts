/**
 * The ISO 639-3 code of a language by any code in use for it: ISO 639-1 (`en`), a fastText label (`__label__en`,
 * `__label__eng_Latn`), a tag with region or script (`pt-BR`, `zh_TW`). Codes of three letters are themselves.
 */
export function languageCode(name: string): string {
  const plain = name
    .replace(/^__label__/, '')
    .split(/[-_]/)[0]
    .toLowerCase()
  return TWO_LETTERS.get(plain) ?? SAME.get(plain) ?? plain
}

/** Names that one identifier uses for what another calls otherwise: macrolanguages and their commonest member. */
const SAME = new Map([
  ['zho', 'cmn'],
  ['fas', 'pes'],
  ['ara', 'arb'],
  ['swh', 'swa'],
  ['lvs', 'lav'],
  ['azj', 'aze'],
  ['uzn', 'uzb'],
  ['khk', 'mon'],
  ['npi', 'nep'],
  ['zsm', 'msa'],
  ['plt', 'mlg'],
  ['als', 'sqi'],
  ['ekk', 'est'],
  ['ydd', 'yid'],
])

const TWO_LETTERS = new Map(
  `af afr am amh ar arb as asm az aze be bel bg bul bn ben bo bod br bre bs bos ca cat cs ces cy cym da dan de deu
  el ell en eng eo epo es spa et est eu eus fa pes fi fin fo fao fr fra fy fry ga gle gd gla gl glg gu guj ha hau
  he heb hi hin hr hrv ht hat hu hun hy hye id ind ig ibo is isl it ita iw heb ja jpn jv jav ka kat kk kaz km khm
  kn kan ko kor ku kur ky kir la lat lb ltz lo lao lt lit lv lav mg mlg mi mri mk mkd ml mal mn mon mr mar ms msa
  mt mlt my mya nb nob ne nep nl nld nn nno no nob oc oci or ori pa pan pl pol ps pus pt por rm roh ro ron ru rus
  rw kin sa san sd snd sh hrv si sin sk slk sl slv sn sna so som sq sqi sr srp st sot su sun sv swe sw swa ta tam
  te tel tg tgk th tha ti tir tk tuk tl tgl tr tur tt tat ug uig uk ukr ur urd uz uzb vi vie xh xho yi yid yo yor
  zh cmn zu zul`
    .split(/\s+/)
    .flatMap((code, i, all) => (i % 2 === 0 ? [[code, all[i + 1]] as const] : [])),
)
