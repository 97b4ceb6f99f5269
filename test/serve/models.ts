import type { ChatModel } from '../../src/serve/index.ts'

/**
 * A model of bytes that says its text over and over and counts how many tokens it was made to give: what waiting,
 * stopping and going away do to a server shows in the count.
 */
export class ParrotModel implements ChatModel {
  readonly llama = { config: { maxPositionEmbeddings: 4096 } }
  readonly answerStopIds = [256]
  readonly tokenizer = {
    endOfTextId: 256,
    encode: (text: string) => Uint32Array.from(new TextEncoder().encode(text)),
    streamDecoder: () => {
      const decoder = new TextDecoder()
      return {
        push: (id: number) => decoder.decode(Uint8Array.of(id), { stream: true }),
        end: () => decoder.decode(),
      }
    },
  }
  made = 0
  answering = 0
  mostAnswering = 0
  readonly #says: Uint8Array
  readonly #delayMs: number

  constructor(says: string, delayMs = 0) {
    this.#says = new TextEncoder().encode(says)
    this.#delayMs = delayMs
  }

  chatPrompt(messages: readonly { role: string; content: string }[]): Uint32Array {
    return this.tokenizer.encode(messages.map(({ role, content }) => `${role}: ${content}\n`).join(''))
  }

  async *generate(_prompt: Uint32Array, { maxTokens }: { maxTokens: number }): AsyncGenerator<number> {
    this.answering++
    this.mostAnswering = Math.max(this.mostAnswering, this.answering)
    try {
      for (let index = 0; index < maxTokens; index++) {
        if (this.#delayMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#delayMs))
        this.made++
        yield this.#says[index % this.#says.length]!
      }
    } finally {
      this.answering--
    }
  }
}
