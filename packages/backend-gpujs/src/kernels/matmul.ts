// Matrix products, batched over leading axes that broadcast.

import { broadcastStrides, matmulGeometry, type Shape } from '@convoke/backend-api';

import { split, sumOf } from '../indexing.ts';
import type { OpKernels } from '../kernel.ts';

/** Strides of the leading axes of a factor over the broadcast ones, in elements. */
function batchStrides(shape: Shape, batch: Shape): number[] {
  const matrix = shape.at(-2)! * shape.at(-1)!;
  return broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
}

export const matmulKernels: OpKernels = {
  matmul: (kit, [a, b], attributes, [output]) => [
    kit.compute('each', output!.shape, [kit.flat(a!), kit.flat(b!)], ['a', 'b'], () => {
      const { transposeA, transposeB } = attributes;
      const { m, n, k, batch } = matmulGeometry(a!.spec.shape, b!.spec.shape, attributes);
      const { code, names } = split('i', [...batch, m, n], 'c');
      const [row, column] = names.slice(-2) as [string, string];
      const start = (shape: Shape, own: readonly [string, number]): string =>
        sumOf(0, [
          ...batchStrides(shape, batch).map((stride, axis) => [names[axis]!, stride] as const),
          own,
        ]);
      const startA = start(a!.spec.shape, [row, transposeA ? 1 : k]);
      const startB = start(b!.spec.shape, [column, transposeB ? k : 1]);
      return `const i = this.thread.x;
${code}const fromA = ${startA};
const fromB = ${startB};
let s = 0.0;
for (let j = 0; j < ${k}; j++) {
  s = s + a[fromA + j * ${transposeA ? m : 1}] * b[fromB + j * ${transposeB ? 1 : n}];
}
return s;`;
    }),
  ],
};
