// The number of threads never changes a result: ops large enough to be split give the same bits on 1, 2 and 4 threads.

import type { Backend, Data, OpAttributes, OpName, Shape } from '@convoke/backend-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createWorkers, type Precision } from '../src/index.ts';
import { put, release } from './lab.ts';

const conv = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
} as const;

interface Work {
  readonly op: OpName;
  readonly inputs: readonly Shape[];
  readonly attributes: OpAttributes[OpName];
}

function work<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...inputs: readonly Shape[]
): Work {
  return { op, attributes, inputs };
}

const images = [4, 32, 30, 30];
const works: readonly Work[] = [
  work('matmul', { transposeA: false, transposeB: true }, [300, 700], [250, 700]),
  work('matmul', { transposeA: true, transposeB: false }, [3, 700, 90], [700, 130]),
  work('conv2d', conv, images, [40, 32, 3, 3]),
  work('conv2d', { ...conv, stride: [2, 2] }, images, [40, 32, 3, 3]),
  work('conv2d', { ...conv, groups: 32 }, images, [32, 1, 3, 3]),
  work('conv2dInputGradient', { ...conv, inputSize: [30, 30] }, images, [32, 32, 3, 3]),
  work('conv2dInputGradient', { ...conv, groups: 32, inputSize: [30, 30] }, images, [32, 1, 3, 3]),
  work('conv2dFilterGradient', { ...conv, kernelSize: [3, 3] }, images, images),
  work('conv2dFilterGradient', { ...conv, groups: 32, kernelSize: [3, 3] }, images, images),
  work('reduceSum', { axes: [0, 1], keepDims: false }, [700, 500]),
  work('reduceMean', { axes: [1], keepDims: false }, [7, 50_000]),
  work('reduceSum', { axes: [0], keepDims: false }, [20_000, 9]),
  work('batchNormTrain', { epsilon: 1e-5 }, images, [32], [32]),
  work('batchNormTrainGradient', { epsilon: 1e-5 }, images, images, [32], [32], [32]),
  work('softmax', { axis: 1 }, [500, 300]),
  work('cumsum', { axis: 0 }, [5000, 20]),
];

/** Numbers without a pattern, all above 0 so that they can stand for variances. */
function values(shape: Shape, seed: number): number[] {
  const size = shape.reduce((a, b) => a * b, 1);
  return Array.from({ length: size }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + seed) * 43758.5453;
    return x - Math.floor(x) + 0.01;
  });
}

async function results(backend: Backend, { op, inputs, attributes }: Work): Promise<Data[]> {
  const handles = inputs.map((shape, i) => put(backend, shape, values(shape, i)));
  const outputs = backend.run(op, handles, attributes as never);
  const data = await Promise.all(outputs.map((output) => backend.read(output)));
  release(backend, ...handles, ...outputs);
  return data;
}

function hasSameBits(a: Data, b: Data): boolean {
  const [left, right] = [a, b].map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  ) as [Uint8Array, Uint8Array];
  return left.length === right.length && left.every((byte, i) => byte === right[i]);
}

const precisions: readonly Precision[] = ['fast', 'strict'];

describe.each(precisions)('on 1, 2 and 4 threads, %s', (precision) => {
  const backends: Backend[] = [];
  beforeAll(async () => {
    for (const threads of [1, 2, 4]) backends.push(await createWorkers({ threads, precision }));
  });
  afterAll(() => {
    for (const backend of backends) backend.dispose();
  });
  for (const one of works) {
    test(`${one.op} of [${one.inputs.join('], [')}] gives the same bits`, async () => {
      const [expected, ...others] = await Promise.all(
        backends.map((backend) => results(backend, one)),
      );
      for (const actual of others) {
        expect(actual.map((data, i) => hasSameBits(data, expected![i]!))).toEqual(
          actual.map(() => true),
        );
      }
    });
  }
});
