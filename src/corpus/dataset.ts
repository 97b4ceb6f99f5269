import { mkdir, open, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fileError } from '../errors.ts'
import { publishFolder, writeFileAtomic } from '../files/atomic.ts'
import type { DocumentStream } from './document.ts'
import { documentSink, type WrittenDocuments } from './documents.ts'
import type { ParquetCodec } from './parquet/codecs.ts'

export interface WriteDataSetOptions {
  parquetCodec?: ParquetCodec
  /** A shard is closed when its texts come to so many bytes. Default 512 MB. */
  shardBytes?: number
  /** Makes the card, once all is written. */
  card: (files: { path: string; bytes: number }[]) => string
}

/**
 * Writes a folder as Hugging Face's hub has them: `data/train-00000-of-00002.parquet` ... and README.md, the card. The
 * folder appears by one rename when it is whole; it must not exist before.
 */
export async function writeDataSet(
  folder: string,
  documents: DocumentStream,
  options: WriteDataSetOptions,
): Promise<WrittenDocuments> {
  const { parquetCodec, shardBytes = 512e6, card } = options
  const partial = join(dirname(folder), `.${basename(folder)}.partial`)
  const written = { documents: 0, bytes: 0 }
  try {
    await rm(partial, { recursive: true, force: true })
    await mkdir(join(partial, 'data'), { recursive: true })
    let shards = 0
    let shard: Awaited<ReturnType<typeof openShard>> | undefined
    const shardPath = (number: number) => join(partial, 'data', `${number}.parquet`)
    try {
      for await (const batch of documents) {
        for (const document of batch) {
          shard ??= await openShard(shardPath(shards++), parquetCodec)
          await shard.sink.add(document)
          const bytes = Buffer.byteLength(document.text)
          written.documents++
          written.bytes += bytes
          shard.bytes += bytes
          if (shard.bytes < shardBytes) continue
          await closeShard(shard)
          shard = undefined
        }
      }
      // An empty data set is a file without rows: something that a reader can open.
      if (shards === 0) shard = await openShard(shardPath(shards++), parquetCodec)
      if (shard !== undefined) await closeShard(shard)
    } catch (error) {
      await shard?.handle.close().catch(() => {})
      throw error
    }
    const files: { path: string; bytes: number }[] = []
    for (let number = 0; number < shards; number++) {
      const path = `data/train-${pad(number)}-of-${pad(shards)}.parquet`
      await rename(shardPath(number), join(partial, path))
      files.push({ path, bytes: (await stat(join(partial, path))).size })
    }
    await writeFileAtomic(join(partial, 'README.md'), card(files))
    await publishFolder(partial, folder)
  } catch (error) {
    await rm(partial, { recursive: true, force: true }).catch(() => {})
    throw fileError(error, folder)
  }
  return written
}

async function openShard(path: string, parquetCodec: ParquetCodec | undefined) {
  const handle = await open(path, 'w')
  return { handle, sink: documentSink(handle, path, parquetCodec), bytes: 0 }
}

async function closeShard({ handle, sink }: Awaited<ReturnType<typeof openShard>>): Promise<void> {
  await sink.end()
  await handle.sync()
  await handle.close()
}

const pad = (number: number) => String(number).padStart(5, '0')
