import type { Command } from 'commander'
import { addClassifierScore } from './classifierScore.ts'
import { addClassifierEvaluate, addClassifierTrain } from './classifierTrain.ts'

/** `smolforge classifier train|evaluate|score`. */
export function addClassifier(program: Command): void {
  const classifier = program
    .command('classifier')
    .summary('learn labels, say how well, and score a corpus')
    .description(
      'A quality classifier in the way of FineWeb-Edu: it learns labels from 0 to 5 (or yes and no), says on examples that ' +
        'it did not learn from how good it is, and scores documents.',
    )
  addClassifierTrain(classifier)
  addClassifierEvaluate(classifier)
  addClassifierScore(classifier)
}
