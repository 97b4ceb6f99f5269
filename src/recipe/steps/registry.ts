import type { StepKind } from '../step.ts'
import { ablateStep } from './ablate.ts'
import { baselinesStep } from './baselines.ts'
import { classifyStep } from './classify.ts'
import { dataSetStep } from './dataSet.ts'
import { decontaminateStep } from './decontaminate.ts'
import { decontaminateFilesStep } from './decontaminateFiles.ts'
import { dedupStep } from './dedup.ts'
import { dpoStep } from './dpo.ts'
import { dpoDataStep } from './dpoData.ts'
import { evalItemsStep } from './evalItems.ts'
import { evaluateStep } from './evaluate.ts'
import { languageStep } from './language.ts'
import { domainsStep, recallStep } from './mathsDomains.ts'
import { pretrainStep } from './pretrain.ts'
import { qualityStep } from './quality.ts'
import { readStep } from './read.ts'
import { refineStep } from './refine.ts'
import { reportStep } from './report.ts'
import { rulesStep } from './rules.ts'
import { scoreStep } from './score.ts'
import { sftStep } from './sft.ts'
import { sftDataStep } from './sftData.ts'
import { shardsStep } from './shards.ts'
import { splitStep } from './split.ts'
import { tokenizerStep } from './tokenizer.ts'

const kinds = [
  readStep,
  languageStep,
  qualityStep,
  dedupStep,
  classifyStep,
  splitStep,
  evalItemsStep,
  decontaminateStep,
  tokenizerStep,
  shardsStep,
  baselinesStep,
  pretrainStep,
  evaluateStep,
  refineStep,
  ablateStep,
  sftDataStep,
  sftStep,
  dpoDataStep,
  dpoStep,
  reportStep,
  rulesStep,
  scoreStep,
  domainsStep,
  recallStep,
  decontaminateFilesStep,
  dataSetStep,
]

/** Every kind of step by its name. The plan gives each its own configuration: the type is known there and in the step. */
export const stepKinds: Readonly<Record<string, StepKind<unknown>>> = Object.fromEntries(
  kinds.map((kind) => [kind.kind, kind as StepKind<unknown>]),
)
