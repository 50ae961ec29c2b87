// Matrix products, batched over leading axes that broadcast: on texels of four columns where the device has them, as the
// correlation of rows laid out as pixels; else one element a thread.

import {
  broadcastStrides,
  matmulGeometry,
  sizeOf,
  type OpAttributes,
  type Shape,
} from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { blocksOf, coordinates, gather } from '../images.ts';
import { split, sumOf } from '../indexing.ts';
import type { Kit, OpKernels, Value } from '../kernel.ts';
import { correlate, gatherMatrices, packFilters } from './packed-correlation.ts';

/** Strides of the leading axes of a factor over the broadcast ones, in elements. */
function batchStrides(shape: Shape, batch: Shape): number[] {
  const matrix = shape.at(-2)! * shape.at(-1)!;
  return broadcastStrides(shape.slice(0, -2), batch).map((stride) => stride * matrix);
}

/** Rows of matrices [M, K] as pixels of K channels. */
function packRows(
  kit: Kit,
  a: Value,
  rows: { batch: Shape; m: number; k: number; strides: readonly [number, number] },
): Buffer {
  const { batch, m, k, strides } = rows;
  const n = sizeOf(batch);
  const packed = kit.launch('rows', kit.texels(n * blocksOf(k) * m), [kit.flat(a)], () => {
    const axes = Object.fromEntries(batch.map((length, axis) => [`b${axis}`, length]));
    const own = batchStrides(a.spec.shape, batch);
    const start = batch.map((_, axis) => ` + b${axis} * ${own[axis]}`).join('');
    return {
      arguments: ['a'],
      glsl: `vec4 compute() {
${coordinates({ ...axes, block: blocksOf(k), row: m })}
int at = row * ${strides[0]} + block * ${4 * strides[1]}${start};
return ${gather('a', 'at', strides[1], 'block * 4', k)};
}`,
    };
  });
  return kit.passing(packed);
}

/** Null where there is nothing to multiply, or the second factor is broadcast over a batch of its own. */
function packedMatmul(
  kit: Kit,
  a: Value,
  b: Value,
  attributes: OpAttributes['matmul'],
  output: Shape,
): Buffer | null {
  const { transposeA, transposeB } = attributes;
  const { m, n, k, batch } = matmulGeometry(a.spec.shape, b.spec.shape, attributes);
  const sets = sizeOf(b.spec.shape.slice(0, -2));
  const samples = sizeOf(batch);
  if (!kit.device.packs || sizeOf(output) === 0 || k === 0) return null;
  if (sets !== 1 && sets !== samples) return null;
  const x = packRows(kit, a, { batch, m, k, strides: transposeA ? [1, m] : [k, 1] });
  const filters = packFilters(kit, b, {
    outputs: n,
    inputs: k,
    kernel: [1, 1],
    strides: transposeB ? [k, 1, 0, 0] : [1, n, 0, 0],
    offset: 0,
    sets,
  });
  const made = correlate(kit, 'correlate', x, filters, {
    input: [samples, k, 1, m],
    output: [samples, n, 1, m],
    kernel: [1, 1],
    stride: [1, 1],
    dilation: [1, 1],
    padding: [0, 0],
    groups: 1,
    ownFilters: sets > 1,
  });
  return gatherMatrices(kit, made);
}

export const matmulKernels: OpKernels = {
  matmul: (kit, [a, b], attributes, [output]) => [
    packedMatmul(kit, a!, b!, attributes, output!.shape) ??
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
