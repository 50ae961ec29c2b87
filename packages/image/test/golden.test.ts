import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { describe, expect, it } from 'vitest';

import { recognize, type GoldenCase } from '../src/golden.ts';

const file = new URL('fixtures/image.json.gz', import.meta.url);
const { cases } = JSON.parse(gunzipSync(readFileSync(file)).toString()) as { cases: GoldenCase[] };

describe("Pillow's and torchvision's results", () => {
  it('are many', () => {
    expect(cases.length).toBe(142);
  });

  it.each(cases.map((case_) => [case_.id, case_] as const))('%s is met', async (_, case_) => {
    const runner = recognize(case_);
    expect(runner).not.toBeNull();
    const { tensors } = await runner!();
    for (const { error, tolerance } of tensors) expect(error).toBeLessThanOrEqual(tolerance);
  });

  it('are told from other cases', () => {
    expect(recognize({ id: 'conv2d/0', attrs: {}, inputs: {}, outputs: {} })).toBeNull();
    expect(recognize({ ...cases[0]!, op: 'unknown' })).toBeNull();
  });

  it('in another shape fail', async () => {
    const [first] = cases;
    const output = { ...(first!.output as object), shape: [1, 2, 3] };
    const { tensors } = await recognize({ ...first!, output })!();
    expect(tensors[0]).toMatchObject({ error: Infinity, reason: expect.stringContaining('shape') });
  });
});
