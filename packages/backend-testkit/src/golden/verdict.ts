// From a case to its row: which runner takes it, what its worst tensor says, why it was skipped.

import type { Backend } from '@convoke/backend-api';

import type { CaseResult, GoldenCase, GoldenRow, Precision, Recognizer } from './case.ts';
import { usage } from './compare.ts';
import { recognize } from './run.ts';

export interface RunOptions {
  /** Default `strict`. */
  readonly precision?: Precision | undefined;
  /** Asked in turn after the kit's own; for cases that other packages run. */
  readonly recognizers?: readonly Recognizer[] | undefined;
}

function needsNonFinite({ inputs, upstream, outputs }: GoldenCase): boolean {
  const tensors = [...Object.values(inputs ?? {}), ...Object.values(outputs ?? {})];
  if (upstream) tensors.push(upstream);
  return tensors.some(({ data }) => data.some((value) => typeof value === 'string'));
}

function skip(id: string, reason: string): GoldenRow {
  return { id, status: 'skip', error: null, tolerance: null, reason };
}

function fail(id: string, reason: string): GoldenRow {
  return { id, status: 'fail', error: null, tolerance: null, reason };
}

function judge(id: string, { tensors }: CaseResult): GoldenRow {
  const [first, ...others] = tensors;
  if (!first) return fail(id, 'the case holds no reference values, so nothing was compared');
  const worst = others.reduce((a, b) => (usage(b) > usage(a) ? b : a), first);
  const { name, error, tolerance } = worst;
  if (error <= tolerance) return { id, status: 'pass', error, tolerance };
  return { id, status: 'fail', error, tolerance, reason: worst.reason ?? `${name} is off` };
}

/**
 * Runs a golden case on a backend, forward and gradients. Never throws: what goes wrong is a failed row with its reason, and a
 * case of no known kind is skipped with one.
 */
export async function runGoldenCase(
  goldenCase: GoldenCase,
  backend: Backend,
  { precision = 'strict', recognizers = [] }: RunOptions = {},
): Promise<GoldenRow> {
  const { id } = goldenCase;
  try {
    for (const candidate of [recognize, ...recognizers]) {
      const run = candidate(goldenCase);
      if (!run) continue;
      if (!backend.capabilities.nonFinite && needsNonFinite(goldenCase)) {
        return skip(id, `backend '${backend.name}' declares that it carries no NaN and infinities`);
      }
      return judge(id, await run(backend, { precision }));
    }
  } catch (error) {
    return fail(id, error instanceof Error ? error.message : String(error));
  }
  const keys = [...Object.keys(goldenCase.attrs), ...Object.keys(goldenCase.inputs ?? {})];
  return skip(id, `no known kind of case has these attributes and inputs: ${keys.join(', ')}`);
}
