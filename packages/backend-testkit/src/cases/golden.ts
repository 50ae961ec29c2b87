// PyTorch's results for made-up inputs, forward and gradients, through core's functions. Optimisers, schedules and clipping
// live with the layers and are run by their tests.

import { check } from '../check.ts';
import { fixture } from '../fixtures.ts';
import type { GoldenCase } from '../golden/case.ts';
import { runGoldenCase } from '../golden/verdict.ts';
import type { Draft } from '../lab.ts';

/** How many cases each file of fixtures/ops holds, so that the list of cases needs no file. */
const counts: Readonly<Record<string, number>> = {
  activations: 22,
  adaptive_avg_pool2d: 10,
  adaptive_max_pool2d: 5,
  avg_pool2d: 23,
  batch_norm: 11,
  conv2d: 96,
  conv_transpose2d: 10,
  cross_entropy: 40,
  group_norm: 4,
  interpolate: 110,
  layer_norm: 4,
  linear: 4,
  local_response_norm: 7,
  log_softmax: 10,
  losses: 18,
  max_pool2d: 26,
  misc: 10,
  pad: 5,
  softmax: 10,
};

/** Clipping of gradients by their norm is no op. */
const clipping: ReadonlySet<string> = new Set(['misc/4', 'misc/5', 'misc/6', 'misc/7']);

const files = new Map<string, Promise<readonly GoldenCase[]>>();

async function find(folder: string | URL, file: string, id: string): Promise<GoldenCase> {
  const key = new URL(file, folder).href;
  let cases = files.get(key);
  if (!cases) files.set(key, (cases = fixture(folder, file)));
  const found = (await cases).find((candidate) => candidate.id === id);
  check(found !== undefined, `${key}.json.gz holds no case ${id}`);
  return found;
}

function caseOf(file: string, id: string): Draft {
  return {
    id: `golden/${id}`,
    async run({ backend, precision, fixtures }) {
      const golden = await find(fixtures, file, id);
      const row = await runGoldenCase(golden, backend, { precision });
      const numbers = row.error === null ? '' : ` (off by ${row.error}, allowed ${row.tolerance})`;
      const excused = row.status === 'skip' && !backend.capabilities.nonFinite;
      check(row.status === 'pass' || excused, `${id}: ${row.reason}${numbers}`);
      return excused ? row.reason : undefined;
    },
  };
}

export const goldenCases: readonly Draft[] = Object.entries(counts).flatMap(([file, count]) =>
  Array.from({ length: count }, (_, i) => `${file}/${i}`)
    .filter((id) => !clipping.has(id))
    .map((id) => caseOf(file, id)),
);
