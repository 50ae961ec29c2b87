import { sizeOf, type AveragePool2dAttributes, type Pair, type Shape } from '@convoke/backend-api';
import { definition } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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

/** Sums of windows, and the gradient that gives each of a window's elements its share. */
function naive(
  x: ArrayLike<number>,
  gradient: ArrayLike<number>,
  shape: Shape,
  windows: number[][],
) {
  const plane = shape[2]! * shape[3]!;
  const sums: number[] = [];
  const spread = new Float64Array(sizeOf(shape));
  for (let p = 0; p < shape[0]! * shape[1]!; p++)
    for (const [w, window] of windows.entries()) {
      sums.push(window.reduce((sum, i) => sum + x[p * plane + i]!, 0));
      for (const i of window) spread[p * plane + i]! += gradient[p * windows.length + w]!;
    }
  return { sums, spread };
}

describe('sumPool2d and its gradient', () => {
  it('equal the definition for any window', () => {
    fc.assert(
      fc.property(windowCases, ({ shape, attributes }) => {
        const inputSize = shape.slice(2) as unknown as Pair;
        const x = randomTensor(shape, 1);
        const output = definition('sumPool2d').infer([x.spec], attributes)[0]!.shape;
        const gradient = randomTensor(output, 2);
        const windows = windowsOf(inputSize, output, attributes);
        const { sums, spread } = naive(x.data, gradient.data, shape, windows);
        expect(
          differences(run('sumPool2d', [x], attributes)[0]!, { shape: output, data: sums }),
        ).toEqual([]);
        const back = run('sumPool2dGradient', [gradient], { ...attributes, inputSize });
        expect(differences(back[0]!, { shape, data: spread })).toEqual([]);
        expect(
          differencesOfAll(
            back,
            decomposed('sumPool2dGradient', [gradient], { ...attributes, inputSize }),
          ),
        ).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('averagePool2d and its gradient', () => {
  it('equal their decompositions for any window and divisor', () => {
    const divisor = fc.constantFrom('kernel', 'valid', 'padded', 3, -0.5);
    const share = fc.integer({ min: 0, max: 3 });
    fc.assert(
      fc.property(
        windowCases,
        divisor,
        fc.tuple(share, share, share, share),
        ({ shape, attributes: window }, by, counted) => {
          const attributes = {
            ...window,
            divisor: by,
            countedPadding: counted.map((n, i) => Math.min(n, window.padding[i]!)),
          } as unknown as AveragePool2dAttributes;
          const inputSize = shape.slice(2) as unknown as Pair;
          const x = randomTensor(shape, 1);
          const y = run('averagePool2d', [x], attributes);
          expect(differencesOfAll(y, decomposed('averagePool2d', [x], attributes))).toEqual([]);
          const gradient = randomTensor(y[0]!.spec.shape, 2);
          const toInput = { ...attributes, inputSize };
          expect(
            differencesOfAll(
              run('averagePool2dGradient', [gradient], toInput),
              decomposed('averagePool2dGradient', [gradient], toInput),
            ),
          ).toEqual([]);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('counts what each divisor says', () => {
    // One 2x2 window over the corner of a 1x1 input: 4 places, 1 inside, 2 inside or in the counted padding.
    const base = {
      kernelSize: [2, 2],
      stride: [2, 2],
      padding: [1, 0, 1, 0],
      dilation: [1, 1],
    } as const;
    const x = tensor([1, 1, 1, 1], [12]);
    const average = (divisor: AveragePool2dAttributes['divisor']) =>
      run('averagePool2d', [x], { ...base, divisor, countedPadding: [1, 0, 0, 0] })[0]!.data[0];
    expect([average('kernel'), average('valid'), average('padded'), average(5)]).toEqual([
      3,
      12,
      6,
      Math.fround(2.4),
    ]);
  });

  it('take empty batches', () => {
    const window = {
      kernelSize: [2, 2],
      stride: [2, 2],
      padding: [0, 0, 0, 0],
      dilation: [1, 1],
    } as const;
    const [y] = run('sumPool2d', [tensor([0, 2, 4, 4], [])], window);
    expect(y!.spec.shape).toEqual([0, 2, 2, 2]);
  });
});
