/** Text from ids that come one by one: a character is given out once its last byte is there. */
export interface StreamDecoder {
  /** What became complete with this id; empty while a character is still missing bytes. */
  push(id: number): string
  /** What is left; bytes that never became a character are U+FFFD. */
  end(): string
}

export function createStreamDecoder(tokenBytes: (id: number) => Uint8Array): StreamDecoder {
  // ignoreBOM: a byte order mark in the text is text, all pushes together equal decode().
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  return {
    push: (id) => decoder.decode(tokenBytes(id), { stream: true }),
    end: () => decoder.decode(),
  }
}
