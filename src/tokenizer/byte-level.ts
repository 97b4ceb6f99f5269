/**
 * The printable stand-ins of the 256 bytes in a byte-level vocabulary (GPT-2's `bytes_to_unicode`): printable Latin-1
 * characters stand for themselves, the other 68 bytes are the characters from U+0100 on, in order.
 */
export const byteCharacters: readonly string[] = standIns()

const byteOfCharacter: ReadonlyMap<string, number> = new Map(byteCharacters.map((c, byte) => [c, byte]))

/** The bytes that a token of a byte-level vocabulary stands for; undefined if it has a character that stands for none. */
export function bytesOfToken(token: string): Uint8Array | undefined {
  const bytes = new Uint8Array(token.length)
  for (let i = 0; i < token.length; i++) {
    const byte = byteOfCharacter.get(token[i])
    if (byte === undefined) return undefined
    bytes[i] = byte
  }
  return bytes
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
