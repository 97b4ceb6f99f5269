import type { ChatModel } from './chatModel.ts'

/** A token of an answer, with the log-probability it had and those of the likeliest in its place. */
export interface TokenScore {
  id: number
  logProb: number
  top: { ids: readonly number[]; logProbs: readonly number[] }
}

/** Log-probabilities as `/v1/chat/completions` words them. */
export function chatLogProbs(model: ChatModel, tokens: readonly TokenScore[]): object {
  const worded = (id: number, logprob: number) => {
    const token = textOf(model, id)
    // A part of a character has no text of its own.
    const bytes = token.includes('\ufffd') ? null : [...new TextEncoder().encode(token)]
    return { token, logprob, bytes }
  }
  return {
    content: tokens.map(({ id, logProb, top }) => ({
      ...worded(id, logProb),
      top_logprobs: top.ids.map((each, i) => worded(each, top.logProbs[i])),
    })),
    refusal: null,
  }
}

/** Log-probabilities as `/v1/completions` words them; `offset` is the length of the text before these tokens. */
export function completionLogProbs(model: ChatModel, tokens: readonly TokenScore[], offset: number): object {
  const texts = tokens.map(({ id }) => textOf(model, id))
  const lengths = texts.map((text) => text.length)
  return {
    tokens: texts,
    token_logprobs: tokens.map(({ logProb }) => logProb),
    top_logprobs: tokens.map(({ top }) =>
      Object.fromEntries(top.ids.map((id, i) => [textOf(model, id), top.logProbs[i]])),
    ),
    text_offset: lengths.map((_, i) => offset + lengths.slice(0, i).reduce((sum, n) => sum + n, 0)),
  }
}

function textOf({ tokenizer }: ChatModel, id: number): string {
  return tokenizer.decode?.([id]) ?? ''
}
