// Shows whether a backend keeps the contract: the conformance suite, the naive reference that it measures by, and a backend
// that runs late on purpose.

export {
  conformanceCases,
  describeConformance,
  runConformance,
  type Case,
  type CaseReport,
  type ConformanceOptions,
  type Exception,
  type Report,
  type ReportOptions,
  type Runner,
} from './conformance.ts';
export { createLate, late, type LateBackend, type LateOptions } from './late.ts';
export { fromData, naive, runNaive, toData, type NaiveValue } from './naive/index.ts';
export * from './golden.ts';
