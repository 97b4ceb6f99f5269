import { SmolforgeError } from '../errors.ts'
import { writeOutputAtomic } from '../files/atomic.ts'
import { systemError } from '../native/systemError.ts'
import { neverStop, type StopSignal } from '../progress/progress.ts'
import type { NativeLines } from './kernels.ts'

export interface EncodeLinesOptions {
  /** Without them the ids are the text's alone. Default true, as `encode` of Hugging Face's library. */
  addSpecialTokens?: boolean
  /** Default all cores. */
  threads?: number
  stop?: StopSignal
}

export interface EncodedLinesCounts {
  lines: number
  tokens: number
  /** Of text, in UTF-8. */
  textBytes: number
  /** Of the input as it lies on the disk. */
  inputBytes: number
}

const BLOCK_BYTES = 8 << 20

/**
 * Copies a file of JSON lines `{"text", ...}` with `"ids"` as each line's last member. The next block is encoded while
 * the last one is written; texts never become JavaScript strings.
 *
 * @throws SmolforgeError `input` with file and line at the first line that is no object with a text.
 */
export async function encodeLines(
  openLines: () => NativeLines,
  input: string,
  output: string,
  options: EncodeLinesOptions,
): Promise<EncodedLinesCounts> {
  const { threads, stop = neverStop } = options
  const counts = { lines: 0, tokens: 0, textBytes: 0, inputBytes: 0 }
  const lines = guarded(openLines, input)
  const start = () => {
    const next = lines.next(BLOCK_BYTES, threads)
    // It may fail while the block before is still being written.
    next.catch(() => {})
    return next
  }
  await writeOutputAtomic(output, async (write) => {
    let ahead = start()
    while (true) {
      const block = await ahead.catch((error) => {
        throw systemError(error, input)
      })
      if (block.badLine !== undefined) throw badLine(input, block.badLine, block.reason ?? 'damaged')
      if (block.output === undefined) break
      if (stop.stopped) throw new SmolforgeError('interrupted', 'Encoding was stopped')
      ahead = start()
      counts.lines += block.lines
      counts.tokens += block.tokens
      counts.textBytes += block.textBytes
      counts.inputBytes = block.consumed
      await write(block.output)
    }
  })
  return counts
}

function guarded<T>(open: () => T, input: string): T {
  try {
    return open()
  } catch (error) {
    throw systemError(error, input)
  }
}

function badLine(file: string, line: number, reason: string): SmolforgeError {
  const place = line > 0 ? { file, line } : { file }
  return new SmolforgeError('input', `Not a line of the form {"text": ...}: ${reason}`, { place })
}
