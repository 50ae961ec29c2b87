// Golden cases on a backend chosen by name: the part that Node and the browser's page share.

import {
  runGoldenCase,
  type GoldenCase,
  type GoldenRow,
  type Precision,
  type Recognizer,
} from '@convoke/backend-testkit';
import { recognize as recognizePicture } from '@convoke/image/golden';
import { recognize as recognizeTraining } from '@convoke/nn/golden';
import { recognize as recognizeNetwork } from '@convoke/zoo/golden';

import { chooseTuned } from '../backends.ts';

export interface GoldenRequest {
  /** Absent: the best available one. */
  readonly backend?: string | undefined;
  readonly threads?: number | undefined;
  readonly precision: Precision;
}

export interface GoldenOutcome {
  readonly backend: string;
  readonly mode: string | null;
  /** The browser and its version; absent in Node. */
  readonly place?: string;
  readonly threads: number;
  readonly precision: Precision;
  readonly rows: readonly GoldenRow[];
  /** What was asked for and not given. */
  readonly notes: readonly string[];
}

const recognizers: readonly Recognizer[] = [
  recognizeTraining,
  recognizeNetwork,
  // Pictures are no backend's business; they are checked beside it all the same.
  (goldenCase) => recognizePicture(goldenCase as unknown as Parameters<typeof recognizePicture>[0]),
];

/** Runs the cases one after another on a fresh instance of the backend, and disposes it. */
export async function runCases(
  cases: readonly GoldenCase[],
  request: GoldenRequest,
): Promise<GoldenOutcome> {
  const { threads } = request;
  const { backend, notes } = await chooseTuned(request.backend, {
    threads,
    precision: request.precision,
  });
  // A plain loop has no Winograd transforms to choose.
  const precision = backend.name === 'js' ? 'strict' : request.precision;
  try {
    const running = backend.capabilities.threads;
    const rows: GoldenRow[] = [];
    for (const goldenCase of cases) {
      rows.push(await runGoldenCase(goldenCase, backend, { precision, recognizers }));
    }
    const { mode = null } = backend;
    return { backend: backend.name, mode, threads: running, precision, rows, notes };
  } finally {
    backend.dispose();
  }
}
