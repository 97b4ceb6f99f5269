/**
 * A Llama trained from scratch with a loop  of your own:
 * node --import tsx examples/train-from-scratch.ts [TEXTS] [MODEL]
 * It learns the texts of a folder, writes what it thinks comes next, and saves itself where asked.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { LanguageModel, Llama, Optimizer, Random, scheduleRate, step, trainTokenizer } from 'smolforge'

const [folder = 'test/fixtures/corpus/prose', output] = process.argv.slice(2)
const files = (await readdir(folder)).sort()
const texts = await Promise.all(files.map((name) => readFile(join(folder, name), 'utf8')))

const tokenizer = await trainTokenizer(toStream(texts), { vocabSize: 768 })
const ids = Int32Array.from(texts.flatMap((text) => [...tokenizer.encode(text), tokenizer.endOfTextId]))

const random = new Random(1)
const config = {
  vocabSize: tokenizer.vocabSize,
  hiddenSize: 64,
  numHiddenLayers: 2,
  numAttentionHeads: 4,
  numKeyValueHeads: 2,
  intermediateSize: 192,
  maxPositionEmbeddings: 128,
  rmsNormEps: 1e-5,
  ropeTheta: 10_000,
  tieWordEmbeddings: true,
  initializerRange: 0.04,
}
const llama = Llama.create(config, random)
const optimizer = new Optimizer({ kind: 'muon', learningRate: 6e-3 }, llama)

const totalSteps = 60
for (let now = 1; now <= totalSteps; now++) {
  const batch = randomRows(8, 64)
  const loss = step(() => {
    const { loss } = llama.loss(batch)
    loss.backward()
    return loss.item()
  })
  optimizer.update(now, scheduleRate({ kind: 'wsd', warmupSteps: 5, decayFraction: 0.3 }, now, totalSteps))
  if (now === 1 || now % 20 === 0) console.log(`step ${now}  loss ${loss.toFixed(3)} nats per token`)
}

const model = new LanguageModel(llama, tokenizer)
const prompt = 'The '
const answer = model.generate(tokenizer.encode(prompt), { maxTokens: 30, temperature: 0 })
console.log(prompt + tokenizer.decode(answer))
if (output) await llama.save(output, tokenizer)

/** Rows that begin anywhere in the text; each token's target is the one after it. */
function randomRows(batchSize: number, sequenceLength: number) {
  const tokens = new Int32Array(batchSize * sequenceLength)
  const targets = new Int32Array(batchSize * sequenceLength)
  for (let row = 0; row < batchSize; row++) {
    const start = random.int(ids.length - sequenceLength - 1)
    tokens.set(ids.subarray(start, start + sequenceLength), row * sequenceLength)
    targets.set(ids.subarray(start + 1, start + sequenceLength + 1), row * sequenceLength)
  }
  return { batchSize, sequenceLength, tokens, targets }
}

async function* toStream(batch: readonly string[]) {
  yield batch
}
