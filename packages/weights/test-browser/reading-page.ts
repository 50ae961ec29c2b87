// The page's script: readers, for the test to call.

import { readWeights } from '@convoke/weights';

/** What a file holds, in a form that can be sent: the sum of each tensor. */
export async function sumsOf(source: string | number[]): Promise<Record<string, number>> {
  const given = typeof source === 'string' ? source : new Blob([Uint8Array.from(source)]);
  const { tensors } = await readWeights(given);
  const sums = [...tensors].map(([name, { data }]) => [
    name,
    Float64Array.from(data).reduce((a, b) => a + b, 0),
  ]);
  return Object.fromEntries(sums) as Record<string, number>;
}

(globalThis as unknown as { sumsOf: typeof sumsOf }).sumsOf = sumsOf;
