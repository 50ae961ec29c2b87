import { broadcastShapes, sizeOf, stridesOf, type Shape } from '@convoke/backend-api';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Value } from '../../src/kernel.ts';
import { differences, randomTensor, run } from './dense-running.ts';

/** Element of the matrix [row, column] of `value` that belongs to the batch index. */
function element(
  value: Value,
  index: readonly number[],
  row: number,
  column: number,
  turned: boolean,
): number {
  const shape = value.spec.shape;
  const strides = stridesOf(shape);
  const lead = shape.length - 2;
  const own = index.slice(index.length - lead);
  const [y, x] = turned ? [column, row] : [row, column];
  let at = y * strides[lead]! + x * strides[lead + 1]!;
  for (let axis = 0; axis < lead; axis++) if (shape[axis] !== 1) at += own[axis]! * strides[axis]!;
  return value.data[at]!;
}

function indices(shape: Shape): number[][] {
  const strides = stridesOf(shape);
  return Array.from({ length: sizeOf(shape) }, (_, i) =>
    shape.map((length, axis) => Math.floor(i / strides[axis]!) % length),
  );
}

function check(
  leadA: Shape,
  leadB: Shape,
  [m, n, k]: readonly number[],
  transposeA: boolean,
  transposeB: boolean,
): string[] {
  const found: string[] = [];
  const a = randomTensor([...leadA, ...(transposeA ? [k!, m!] : [m!, k!])], 1);
  const b = randomTensor([...leadB, ...(transposeB ? [n!, k!] : [k!, n!])], 2);
  const batch = broadcastShapes(leadA, leadB)!;
  const wanted: number[] = [];
  for (const index of indices(batch))
    for (let i = 0; i < m!; i++)
      for (let j = 0; j < n!; j++) {
        let sum = 0;
        for (let l = 0; l < k!; l++)
          sum += element(a, index, i, l, transposeA) * element(b, index, l, j, transposeB);
        wanted.push(sum);
      }
  const [product] = run('matmul', [a, b], { transposeA, transposeB });
  found.push(...differences(product!, { shape: [...batch, m!, n!], data: wanted }));
  return found;
}

describe('matmul', () => {
  it('equals the definition for all transposes', () => {
    const length = fc.integer({ min: 1, max: 9 });
    fc.assert(
      fc.property(fc.tuple(length, length, length), fc.boolean(), fc.boolean(), (sizes, a, b) => {
        expect(check([], [], sizes, a, b)).toEqual([]);
      }),
    );
  });

  it.each([
    [[3], []],
    [[], [3]],
    [[2, 3], [3]],
    [
      [2, 1],
      [1, 3],
    ],
    [
      [2, 3],
      [1, 1],
    ],
    [[1, 1, 2], [2]],
    [[0], []],
    [[2, 0], [1]],
  ])('broadcasts leading axes %j and %j', (leadA, leadB) => {
    for (const transposeA of [false, true])
      expect(check(leadA, leadB, [4, 5, 3], transposeA, !transposeA)).toEqual([]);
  });

  it('gives zeros where the inner length is 0, and nothing where an outer one is', () => {
    expect(check([2], [2], [3, 4, 0], false, false)).toEqual([]);
    expect(check([], [], [0, 4, 3], false, true)).toEqual([]);
    expect(check([], [], [2, 0, 3], true, false)).toEqual([]);
  });
});
