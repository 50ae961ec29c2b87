// Golden cases: PyTorch's results for made-up inputs, read from files and run on any backend, in Node or a browser, under any
// test runner. Networks and pictures are not run here; reading a folder is the business of node.ts.

export type {
  CaseResult,
  CaseRunner,
  GoldenCase,
  GoldenRow,
  GoldenTensor,
  Precision,
  Recognizer,
  TensorResult,
} from './golden/case.ts';
export { readGoldenFile, type GoldenFile } from './golden/file.ts';
export { kindName } from './golden/recognize.ts';
export { recognize } from './golden/run.ts';
export { runGoldenCase, type RunOptions } from './golden/verdict.ts';
