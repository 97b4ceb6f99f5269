import { createHash } from 'node:crypto'
import { SmolforgeError } from '../errors.ts'
import type { ChatMessage, Tokenizer } from '../tokenizer/index.ts'

/** A text of which some tokens are learned. */
export interface MaskedText {
  ids: Uint32Array
  /** 1 where the token is to be predicted. */
  learned: Uint8Array
}

/** A stretch of a rendered conversation: an answer with its `<|im_end|>`, or what stands between answers. */
interface Piece {
  text: string
  learned: boolean
}

/**
 * Conversations as tokens through the tokenizer's chat template. Learned are the assistant's answers with the token
 * that ends them. Pieces are encoded on their own, as they are when the model is asked: the prompt ends before the
 * answer begins.
 *
 * @throws SmolforgeError `input` naming the conversation when the template does not render turn after turn.
 */
export function encodeConversations(
  tokenizer: Tokenizer,
  conversations: readonly (readonly ChatMessage[])[],
): MaskedText[] {
  const pieces = conversations.map((messages, index) => splitAnswers(tokenizer, messages, index))
  const encoded = tokenizer.encodeBatch(pieces.flat().map(({ text }) => text))
  let next = 0
  return pieces.map((own) => {
    const parts = own.map(({ learned }) => ({ learned, ids: encoded[next++] }))
    const length = parts.reduce((sum, { ids }) => sum + ids.length, 0)
    const text: MaskedText = { ids: new Uint32Array(length), learned: new Uint8Array(length) }
    let at = 0
    for (const { ids, learned } of parts) {
      text.ids.set(ids, at)
      if (learned) text.learned.fill(1, at, at + ids.length)
      at += ids.length
    }
    return text
  })
}

/** Identifies texts and what is learned of them. */
export function hashTexts(texts: readonly MaskedText[]): string {
  const hash = createHash('sha256')
  for (const { ids, learned } of texts) {
    hash.update(`${ids.length},`)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(learned)
  }
  return hash.digest('hex')
}

const END_OF_TURN = '<|im_end|>'

function splitAnswers(tokenizer: Tokenizer, messages: readonly ChatMessage[], index: number): Piece[] {
  const whole = tokenizer.applyChatTemplate(messages)
  const pieces: Piece[] = []
  let at = 0
  for (const [turn, { role }] of messages.entries()) {
    if (role !== 'assistant') continue
    const prompt = tokenizer.applyChatTemplate(messages.slice(0, turn), { addGenerationPrompt: true })
    const after = tokenizer.applyChatTemplate(messages.slice(0, turn + 1))
    if (!whole.startsWith(prompt) || !whole.startsWith(after) || after.length <= prompt.length) {
      throw new SmolforgeError(
        'input',
        `Conversation ${index}: the chat template does not render turn after turn`,
        {
          hint: 'Loss on the answers alone needs a template whose text only grows with each turn, as ChatML does.',
        },
      )
    }
    const mark = after.lastIndexOf(END_OF_TURN)
    const end = mark >= prompt.length ? mark + END_OF_TURN.length : after.length
    pieces.push({ text: whole.slice(at, prompt.length), learned: false })
    pieces.push({ text: whole.slice(prompt.length, end), learned: true })
    at = end
  }
  if (at < whole.length) pieces.push({ text: whole.slice(at), learned: false })
  return pieces
}
