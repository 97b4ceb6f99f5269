import type { Command } from 'commander'
import type { SamplingOptions } from '../model/index.ts'
import { collect, number, positiveInteger } from './runRecipeFile.ts'

/** What `generate` and `chat` are told about how tokens are chosen. */
export interface SamplingFlags extends SamplingOptions {
  maxTokens: number
  seed: number
  stop: string[]
}

/** Adds the options of sampling to a command. */
export function withSamplingOptions(
  command: Command,
  defaults: { maxTokens: number; temperature: number; topP?: number },
): Command {
  return command
    .option('--max-tokens <n>', 'at most so many new tokens', positiveInteger, defaults.maxTokens)
    .option('--temperature <t>', '0 always takes the likeliest token', number, defaults.temperature)
    .option('--top-p <p>', 'sample from the likeliest tokens of this share', number, defaults.topP)
    .option('--top-k <k>', 'sample from so many likeliest tokens', positiveInteger)
    .option('--min-p <p>', 'leave out what is less likely than this share of the likeliest', number)
    .option('--repetition-penalty <x>', 'above 1, tokens that were there become less likely', number)
    .option('--stop <text>', 'end before this text; may be given more than once', collect, [])
    .option('--seed <n>', 'of the sampling', number, 0)
}

/** The options of sampling among those of a command. */
export function samplingOf(options: SamplingFlags): SamplingFlags {
  const { maxTokens, temperature, topP, topK, minP, repetitionPenalty, stop, seed } = options
  return { maxTokens, temperature, topP, topK, minP, repetitionPenalty, stop, seed }
}
