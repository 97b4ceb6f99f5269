export type { Rule, Verdict } from './verdict.ts'
