/**
 * Text from a saved model: node --import tsx examples/generate-from-checkpoint.ts MODEL [PROMPT]
 * The same continuation greedily and sampled, and what the model held likely for the first token.
 */
import { LanguageModel } from 'smolforge'

const [folder = 'runs/quickstart/model', prompt = 'The people of'] = process.argv.slice(2)
const model = await LanguageModel.load(folder)
const ids = model.tokenizer.encode(prompt)

const { ids: likely, logProbs } = model.topTokens(ids, 5)
for (const [i, id] of likely.entries()) {
  console.log(
    `${(100 * Math.exp(logProbs[i])).toFixed(1)} %  ${JSON.stringify(model.tokenizer.decode([id]))}`,
  )
}
for (const temperature of [0, 0.8]) {
  const decoder = model.tokenizer.streamDecoder()
  process.stdout.write(`\ntemperature ${temperature}: ${prompt}`)
  for (const id of model.generate(ids, { maxTokens: 40, temperature, topP: 0.95, seed: 1 })) {
    process.stdout.write(decoder.push(id))
  }
  process.stdout.write(`${decoder.end()}\n`)
}
