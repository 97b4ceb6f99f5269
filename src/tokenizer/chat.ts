import { Template } from '@huggingface/jinja'
import { SmolforgeError } from '../errors.ts'
import type { ChatMessage } from './messages.ts'

/** SmolLM2-Instruct's default system turn. */
export const smolLM2SystemPrompt = 'You are a helpful AI assistant named SmolLM, trained by Hugging Face'

/**
 * The ChatML template in Jinja, as SmolLM2-Instruct has it.
 * With a system prompt, a conversation that has no system turn of its own begins with that one.
 */
export function chatMLTemplate(systemPrompt?: string): string {
  const opening =
    systemPrompt === undefined
      ? ''
      : `{% if loop.first and messages[0]['role'] != 'system' %}{{ ${jinjaString(
          `<|im_start|>system\n${systemPrompt}<|im_end|>\n`,
        )} }}{% endif %}`
  return (
    `{% for message in messages %}${opening}` +
    "{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}" +
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
  )
}

/** Renders any chat template of Hugging Face's kind; `variables` are names such as `bos_token` that it may use. */
export function renderChat(
  template: string,
  messages: readonly ChatMessage[],
  addGenerationPrompt: boolean,
  variables: Record<string, string>,
): string {
  try {
    return new Template(template).render({
      ...variables,
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: addGenerationPrompt,
    })
  } catch (cause) {
    throw new SmolforgeError('input', `The chat template cannot be rendered: ${reason(cause)}`, {
      hint: 'The template comes from tokenizer_config.json or chat_template.jinja of the tokenizer.',
      cause,
    })
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function jinjaString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
}
