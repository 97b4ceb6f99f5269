export { type ApplyRulesOptions, applyRules } from './applyRules.ts'
export {
  LinearClassifier,
  type TrainClassifierOptions,
  trainClassifier,
} from './classifier.ts'
export {
  type CalibrationBin,
  type ClassifierEvaluation,
  evaluateClassifier,
  type LabelledText,
  type ThresholdRow,
} from './classifierEvaluation.ts'
export type { ClassifierHeader, EncoderReference } from './classifierFile.ts'
export { CURATION_STEPS } from './curationSteps.ts'
export { type BenchmarkItem, readBenchmarkItems } from './decontaminate/benchmarkItems.ts'
export type { Contamination, ContaminationFileReport } from './decontaminate/contaminationReport.ts'
export { type DecontaminateFileOptions, decontaminateFile } from './decontaminate/decontaminateFile.ts'
export { type DedupFileOptions, dedupFile } from './dedup/dedupFile.ts'
export type { DuplicateCounts, Likeness } from './dedup/deduplicator.ts'
export { type DedupUnitsOptions, dedupUnits, type UnitCounts } from './dedup/unitsFile.ts'
export { EmbeddingClassifier, type Encoder, trainEmbeddingClassifier } from './embeddingClassifier.ts'
export { FastTextModel, type LabelProbability, type PredictOptions } from './fastText.ts'
export { type FilterCounts, type FilterFileOptions, filterFile } from './filter/filterFile.ts'
export { recutFile } from './filter/recut.ts'
export { type ChosenRule, chooseRules, optionNames, snakeCase } from './filter/ruleset.ts'
export type { DropCounts, DropExample, Funnel, FunnelCounts } from './funnel.ts'
export { type Agreement, agreementOf } from './judges/agreement.ts'
export { JudgementCache } from './judges/cache.ts'
export { chatUrl, type JudgeEndpoint } from './judges/chat.ts'
export {
  type DocumentLabel,
  estimateLabelling,
  type LabelEstimate,
  type LabelOptions,
  labelDocuments,
  textHashOf,
} from './judges/labelDocuments.ts'
export { type Rubric, readRubric, rubricNames } from './judges/rubric.ts'
export { costOf } from './judges/spending.ts'
export { languageCode } from './languageCodes.ts'
export { CLASSIFIER_FILE, loadClassifier, type TextClassifier } from './loadClassifier.ts'
export { domainOf, onlyFor, type RuleScope } from './onlyFor.ts'
export { type LabelLine, readLabelLines, readLabels } from './readLabels.ts'
export { inputBytes, readTextBatches } from './readTextBatches.ts'
export { type C4QualityOptions, c4Quality } from './rules/c4Quality.ts'
export { ruleCatalogue } from './rules/catalogue.ts'
export {
  type ClassifierRuleOptions,
  classifierRule,
  scoreThreshold,
  type TextScorer,
} from './rules/classifier.ts'
export {
  codeFilesRule,
  codeLanguageRule,
  codeTag,
  type LicenceOptions,
  licenceRule,
  STACK_EDU_LANGUAGES,
} from './rules/codeFiles.ts'
export { type CodeQualityOptions, codeQuality } from './rules/codeQuality.ts'
export {
  type ContaminationReport,
  type DecontaminationOptions,
  decontaminationRule,
} from './rules/decontamination.ts'
export type { RuleDefinition, RuleOptions } from './rules/definition.ts'
export { exactDedup } from './rules/exactDedup.ts'
export { type FastTextRuleOptions, fastTextRule } from './rules/fastText.ts'
export { type FineWebQualityOptions, fineWebQuality } from './rules/fineWebQuality.ts'
export { type GopherQualityOptions, gopherQuality } from './rules/gopherQuality.ts'
export { type GopherRepetitionOptions, gopherRepetition } from './rules/gopherRepetition.ts'
export {
  fastTextDetector,
  type LanguageDetector,
  type LanguageGuess,
  type LanguageRuleOptions,
  languageRule,
  whatlangDetector,
} from './rules/language.ts'
export { type Limit, limitsRule } from './rules/limits.ts'
export { type PiiOptions, piiRule, type SecretsOptions, secretsRule } from './rules/masks.ts'
export { type MinhashOptions, minhashDedup } from './rules/minhashDedup.ts'
export { type UrlFilterOptions, urlFilter } from './rules/urlFilter.ts'
export {
  OTHER_DOMAINS,
  type ScoreBin,
  type ScoreSurvey,
  ScoreSurveyor,
  ThresholdFinder,
} from './scoreSurvey.ts'
export { seedLabels } from './seedLabels.ts'
export { type Criterion, seedLabelsFor } from './seedSigns.ts'
export { type DomainSplit, type HeldOutSplit, type SplitOptions, splitHeldOut } from './splitHeldOut.ts'
export { type Statistics, type StatisticsField, statisticsFields, textStatistics } from './statistics.ts'
export { type ReadTextsOptions, type TextBatch, textBatch } from './textBatches.ts'
export { registeredDomains } from './urlLists.ts'
export { type DocumentChanges, type Drop, keep, type Rule, type Verdict } from './verdict.ts'
