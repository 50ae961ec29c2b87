// The golden cases that nn runs: PyTorch's optimiser trajectories, schedules and clipped gradients.

import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import type { GoldenCase } from '../src/golden.ts';

const fixtures = new URL('../../backend-testkit/fixtures/ops/', import.meta.url);

export function goldenCases(file: string): GoldenCase[] {
  const text = gunzipSync(readFileSync(new URL(`${file}.json.gz`, fixtures))).toString();
  return (JSON.parse(text) as { cases: GoldenCase[] }).cases;
}
