// What a golden case is, and what running one gives. A runner in another package (optimisers and schedules live with the
// layers) states these shapes again instead of importing them: they are the whole agreement.

import type { Backend } from '@convoke/backend-api';

/** A tensor of a golden file: flat values in C order; NaN and the infinities stand as words. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly data: readonly (number | 'nan' | 'inf' | '-inf')[];
  /** `i64` marks whole numbers; absent, the values are real. */
  readonly dtype?: string;
}

/**
 * One case as its file holds it. Ops have `inputs`, `outputs` and, where gradients are told, `upstream`: `outputs.g_NAME` is
 * the gradient of sum(y * upstream) with respect to input NAME. Schedules and the like carry keys of their own.
 */
export interface GoldenCase {
  readonly id: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs?: Readonly<Record<string, GoldenTensor>>;
  readonly upstream?: GoldenTensor;
  readonly outputs?: Readonly<Record<string, GoldenTensor>>;
  /** How far PyTorch's own float32 results lie from the reference, at most. */
  readonly torch_f32_max_abs_err?: number;
  readonly [key: string]: unknown;
}

/** The largest deviation of one tensor and the most that it may be, both absolute. */
export interface TensorResult {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
  /** What is wrong, where `error` does not tell: another shape, say. */
  readonly reason?: string;
}

export interface CaseResult {
  readonly tensors: readonly TensorResult[];
}

/** What the backend was asked for: `fast` admits Winograd's rounding, `strict` does not. */
export type Precision = 'strict' | 'fast';

/** Computes a case on a backend and compares. */
export type CaseRunner = (
  backend: Backend,
  options: { precision: Precision },
) => Promise<CaseResult>;

/** Tells by a case's content whether it is of a known kind, and how to run it. */
export type Recognizer = (goldenCase: GoldenCase) => CaseRunner | null;

/** The verdict on one case: that of its worst tensor. Errors and tolerances are null where nothing was computed. */
export interface GoldenRow {
  readonly id: string;
  readonly status: 'pass' | 'fail' | 'skip';
  readonly error: number | null;
  readonly tolerance: number | null;
  readonly reason?: string;
}
