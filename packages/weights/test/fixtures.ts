// Fixtures and what tests share about them.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { CheckpointManifest } from '../src/golden.ts';
import { WeightsError } from '../src/index.ts';

export const fixturePath = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

export const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(fixturePath(name)));

export const manifest = JSON.parse(
  new TextDecoder().decode(fixture('manifest.json')),
) as CheckpointManifest;

/** As `wave` in fixtures/make.py. */
export function wave(shape: readonly number[], phase: number): number[] {
  const length = shape.reduce((product, side) => product * side, 1);
  return Array.from({ length }, (_, i) => Math.fround(Math.sin(i * 0.7 + phase)));
}

/** How far float32 sines of two libraries may lie apart. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: readonly number[],
  tolerance = 1e-6,
): void {
  if (actual.length !== expected.length)
    throw new Error(`${actual.length} elements, expected ${expected.length}`);
  for (const [i, value] of expected.entries()) {
    if (!(Math.abs(actual[i]! - value) <= tolerance)) {
      throw new Error(`element ${i} is ${actual[i]}, expected ${value}`);
    }
  }
}

/** The WeightsError that a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<WeightsError> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof WeightsError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
