import { spawn } from 'node:child_process'
import { loadAddon } from '../native/addon.ts'
import type { BaselineKernels } from './kernels.ts'

export interface CompressionOptions {
  /** Of the training text, the last so many bytes are known to the compressor; default 8 MiB. */
  maxPrefixBytes?: number
  level?: number
}

export interface CompressionBits {
  /** UTF-8 bytes of the held-out text. */
  bytes: number
  zstd: { bitsPerByte: number; prefixBytes: number; windowLog: number; level: number }
  /** Absent where there is no `xz` program. */
  xz?: { bitsPerByte: number; prefixBytes: number }
}

const LARGEST_WINDOW_LOG = 27

/**
 * Bits for each byte of held-out text that a strong compressor needs when it has seen the domain's training text:
 * zstd at level 22 with the training text as prefix in its window, and, where the program is there, `xz -9e` as
 * the difference between the training text with and without the held-out text behind it. The held-out documents
 * are compressed as one text, so later ones also profit from earlier ones.
 */
export async function compression(
  training: readonly string[],
  heldOut: readonly string[],
  options: CompressionOptions = {},
): Promise<CompressionBits> {
  const text = Buffer.from(heldOut.join('\n'))
  const room = 2 ** LARGEST_WINDOW_LOG - text.length
  const cap = Math.min(options.maxPrefixBytes ?? 8 * 2 ** 20, room)
  const prefix = lastBytes(training, cap)
  const windowLog = Math.max(10, Math.ceil(Math.log2(prefix.length + text.length + 1)))
  const level = options.level ?? 22
  const [zstdBytes, both, alone] = await Promise.all([
    loadAddon<BaselineKernels>().zstdSizeWithPrefix(prefix, text, level, windowLog),
    xzSize([prefix, text]),
    xzSize([prefix]),
  ])
  const bitsPerByte = (size: number) => (text.length === 0 ? 0 : (8 * size) / text.length)
  const prefixBytes = prefix.length
  return {
    bytes: text.length,
    zstd: { bitsPerByte: bitsPerByte(zstdBytes), prefixBytes, windowLog, level },
    ...(both !== undefined &&
      alone !== undefined && { xz: { bitsPerByte: bitsPerByte(both - alone), prefixBytes } }),
  }
}

/** The end of the texts joined by line ends, `cap` bytes at most. */
function lastBytes(texts: readonly string[], cap: number): Buffer {
  const parts: Buffer[] = []
  let size = 0
  for (let i = texts.length - 1; i >= 0 && size < cap; i--) {
    const part = Buffer.from(`${texts[i]}\n`)
    parts.unshift(part)
    size += part.length
  }
  const joined = Buffer.concat(parts)
  return joined.subarray(Math.max(0, joined.length - cap))
}

/** Bytes of `xz -9e` over the parts, undefined when there is no such program. */
function xzSize(parts: readonly Uint8Array[]): Promise<number | undefined> {
  return new Promise((resolve) => {
    const xz = spawn('xz', ['-9e', '-T1', '--stdout'], { stdio: ['pipe', 'pipe', 'ignore'] })
    let size = 0
    xz.on('error', () => resolve(undefined))
    xz.on('close', (code) => resolve(code === 0 ? size : undefined))
    xz.stdout.on('data', (chunk: Buffer) => {
      size += chunk.length
    })
    // A program that ends early closes the pipe: the exit code says so.
    xz.stdin.on('error', () => {})
    for (const part of parts) xz.stdin.write(part)
    xz.stdin.end()
  })
}
