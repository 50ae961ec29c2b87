// Matrix products over broadcast leading axes. Leading axes that only the first operand has become rows of one product.

import { broadcastStrides, matmulGeometry, sizeOf, type Shape } from '@convoke/backend-api';
import type { Kernels } from '../kernel.ts';
import { multiply, steps } from './gemm.ts';

/** Which matrix of an operand of leading axes `own` each matrix of the result uses. */
function matrixIndices(own: Shape, batch: Shape): number[] {
  const strides = broadcastStrides(own, batch);
  let indices = [0];
  for (const [axis, length] of batch.entries()) {
    const stride = strides[axis]!;
    indices = indices.flatMap((index) =>
      Array.from({ length }, (_, position) => index + position * stride),
    );
  }
  return indices;
}

export const matrixProduct: Pick<Required<Kernels>, 'matmul'> = {
  matmul([left, right], attributes, [output], _, arrays) {
    const { transposeA, transposeB } = attributes;
    const a = left!.spec.shape;
    const b = right!.spec.shape;
    const { m, n, k, batch } = matmulGeometry(a, b, attributes);
    const result = arrays.take('float32', sizeOf(output!.shape));
    const merges = !transposeA && sizeOf(b.slice(0, -2)) === 1;
    const rows = merges ? m * sizeOf(batch) : m;
    const indicesA = merges ? [0] : matrixIndices(a.slice(0, -2), batch);
    const indicesB = merges ? [0] : matrixIndices(b.slice(0, -2), batch);
    const tables = {
      a: { rows: steps(rows, transposeA ? 1 : k), columns: steps(k, transposeA ? m : 1) },
      b: { rows: steps(k, transposeB ? 1 : n), columns: steps(n, transposeB ? k : 1) },
      target: { rows: steps(rows, n), columns: steps(n, 1) },
    };
    const dataA = left!.data as Float32Array;
    const dataB = right!.data as Float32Array;
    for (const [i, indexA] of indicesA.entries()) {
      multiply(
        { data: dataA, offset: indexA * m * k, ...tables.a },
        { data: dataB, offset: indicesB[i]! * k * n, ...tables.b },
        { data: result, offset: i * m * n, ...tables.target },
      );
    }
    return [result];
  },
};
