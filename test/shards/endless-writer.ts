// Writes shards without end into the folder it is given and says so: the test kills it.
import { writeShards } from '../../src/shards/index.ts'

async function* documents() {
  for (let i = 0; ; i++) {
    yield [{ id: `d${i}`, tokens: new Uint32Array(100_000).fill(1) }]
    if (i === 30) process.stdout.write('writing\n')
    await new Promise((resolve) => setTimeout(resolve, i > 30 ? 20 : 0))
  }
}

await writeShards(process.argv[2], documents(), { domain: 'prose', vocabSize: 500, endOfTextId: 0 })
