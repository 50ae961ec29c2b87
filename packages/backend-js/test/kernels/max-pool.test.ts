import { definition, type Pair, type Window2dAttributes } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/kernel.ts';
import { windowsOf } from './naive.ts';
import {
  decomposed,
  differences,
  differencesOfAll,
  randomTensor,
  run,
  tensor,
} from './dense-running.ts';
import { windowCases } from './window-cases.ts';

function check(x: Value, attributes: Window2dAttributes): string[] {
  const found: string[] = [];
  const [maxima, indices] = run('maxPool2d', [x], attributes);
  const shape = definition('maxPool2d').infer([x.spec], attributes)[0]!.shape;
  const [height, width] = x.spec.shape.slice(2) as [number, number];
  const windows = windowsOf([height, width], shape, attributes);
  const planes = x.spec.shape[0]! * x.spec.shape[1]!;
  const wanted: number[] = [];
  const places: number[] = [];
  for (let plane = 0; plane < planes; plane++)
    for (const window of windows) {
      const values = window.map((i) => x.data[plane * height * width + i]!);
      const nan = values.findIndex(Number.isNaN);
      const best = Math.max(...values);
      wanted.push(best);
      places.push(window[nan >= 0 ? nan : values.indexOf(best)] ?? -1);
    }
  found.push(...differences(maxima!, { shape, data: wanted }));
  if (indices!.spec.dtype !== 'int32') found.push(`indices are ${indices!.spec.dtype}`);
  found.push(...differences(indices!, { shape, data: places }));

  const gradient = randomTensor(shape, 9);
  const toInput = { inputSize: [height, width] as Pair };
  const result = run('maxPool2dGradient', [gradient, indices!], toInput);
  const sums = new Float64Array(x.data.length);
  for (const [i, place] of places.entries()) {
    const plane = Math.floor(i / windows.length);
    if (place >= 0) sums[plane * height * width + place]! += gradient.data[i]!;
  }
  found.push(...differences(result[0]!, { shape: x.spec.shape, data: sums }));
  found.push(
    ...differencesOfAll(result, decomposed('maxPool2dGradient', [gradient, indices!], toInput)),
  );
  return found;
}

const plain: Window2dAttributes = {
  kernelSize: [2, 2],
  stride: [2, 2],
  padding: [0, 0, 0, 0],
  dilation: [1, 1],
};

describe('maxPool2d and its gradient', () => {
  it('equal the definition for any window, with ties, NaN and infinities among the values', () => {
    const value = fc.constantFrom(-2, -1, 0, 1, 1, 2, NaN, -Infinity, Infinity);
    fc.assert(
      fc.property(windowCases, fc.infiniteStream(value), ({ shape, attributes }, stream) => {
        const size = shape.reduce((a, b) => a * b, 1);
        expect(check(tensor(shape, stream.take(size)), attributes)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('equal the definition for the usual windows', () => {
    expect(check(randomTensor([2, 3, 10, 12], 1), plain)).toEqual([]);
    expect(check(randomTensor([2, 3, 9, 11], 2), plain)).toEqual([]);
    expect(check(randomTensor([2, 3, 13, 12], 3), { ...plain, kernelSize: [3, 3] })).toEqual([]);
    expect(
      check(randomTensor([2, 3, 13, 12], 3), {
        ...plain,
        kernelSize: [3, 3],
        padding: [1, 1, 1, 1],
      }),
    ).toEqual([]);
  });

  it('give -Infinity at -1 for a window outside the input, and its gradient to nobody', () => {
    const attributes = { ...plain, padding: [2, 0, 0, 0] } as const;
    const [maxima, indices] = run('maxPool2d', [tensor([1, 1, 2, 2], [1, 2, 3, 4])], attributes);
    expect([...maxima!.data]).toEqual([-Infinity, 4]);
    expect([...indices!.data]).toEqual([-1, 3]);
    const [back] = run('maxPool2dGradient', [tensor([1, 1, 2, 1], [5, 6]), indices!], {
      inputSize: [2, 2],
    });
    expect([...back!.data]).toEqual([0, 0, 0, 6]);
  });

  it('take empty batches', () => expect(check(randomTensor([0, 3, 4, 4], 1), plain)).toEqual([]));
});
