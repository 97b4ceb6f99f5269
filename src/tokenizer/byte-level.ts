/**
 * The printable stand-ins of the 256 bytes in a byte-level vocabulary (GPT-2's `bytes_to_unicode`): printable Latin-1
 * characters stand for themselves, the other 68 bytes are the characters from U+0100 on, in order.
 */
export const byteCharacters: readonly string[] = standIns()

/** The byte of each character by its code; -1 for those that stand for none. */
const byteOfCode = Int16Array.from({ length: 0x144 }, (_, code) =>
  byteCharacters.indexOf(String.fromCharCode(code)),
)

/** The bytes that a token of a byte-level vocabulary stands for; undefined if it has a character that stands for none. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  return writeBytesOfToken(token, bytes, 0) ? bytes : undefined
}

/** Writes them from `at` on; false, with nothing of meaning written, for a token that is not byte-level. */
export function writeBytesOfToken(token: string, into: Uint8Array, at: number): boolean {
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCode[token.charCodeAt(i)] ?? -1
    if (byte < 0) return false
    into[at + i] = byte
  }
  return true
}

/** Whether every character of a token stands for a byte. */
export function isByteLevel(token: string): boolean {
  for (let i = 0; i < token.length; i++) {
    if ((byteOfCode[token.charCodeAt(i)] ?? -1) < 0) return false
  }
  return true
}

/** The spelling of bytes in a byte-level vocabulary. */
export function tokenOfBytes(bytes: Uint8Array): string {
  let token = ''
  for (const byte of bytes) token += byteCharacters[byte]
  return token
}

function standIns(): string[] {
  const characters: string[] = []
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    characters.push(String.fromCharCode(printable ? byte : next++))
  }
  return characters
}
