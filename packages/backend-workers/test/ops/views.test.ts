// Every op that takes images must give the same whichever way they lie: as uploaded, or channels last as convolutions leave
// them.

import type { Backend, Handle, OpAttributes, OpName, Shape } from '@convoke/backend-api';
import { fromData, runNaive } from '@convoke/backend-testkit';
import { describe, expect, test } from 'vitest';

import { channelsLastCopy, count, put, putInts, read, release, run, testBackend } from '../lab.ts';

const backend = testBackend();
const SHAPE: Shape = [2, 3, 4, 5];

interface Example<K extends OpName = OpName> {
  readonly op: K;
  readonly attributes: OpAttributes[K];
  /** Shapes of further inputs. */
  readonly others?: readonly Shape[];
}

function example<K extends OpName>(
  op: K,
  attributes: OpAttributes[K],
  ...others: readonly Shape[]
): Example {
  return { op, attributes, others };
}

const all = [0, 1, 2, 3];
const examples: readonly Example[] = [
  example('neg', {}),
  example('cast', { dtype: 'int32' }),
  example('add', {}, SHAPE),
  example('add', {}, []),
  example('sub', {}, [3, 1, 1]),
  example('mul', {}, [4, 5]),
  example('sub', {}, [2, 1, 4, 1]),
  example('sub', {}, [5]),
  example('less', {}, [3, 4, 5]),
  example('add', {}, [4, 2, 3, 4, 5]),
  ...[[1], [0], [2], [3], [1, 2], [2, 3], [0, 2, 3], [0, 1], all].flatMap((axes) => [
    example('reduceSum', { axes, keepDims: true }),
    example('reduceMax', { axes, keepDims: false }),
  ]),
  ...all.flatMap((axis) => [
    example('argMax', { axis, keepDims: false }),
    example('softmax', { axis }),
    example('cumsum', { axis }),
    example('sort', { axis, descending: true }),
    example('flip', { axes: [axis] }),
    example('concat', { axis }, SHAPE),
    example('resample', { axis }),
  ]),
  example('slice', { starts: [0, 1, 2, 0], sizes: [1, 2, 2, 3], steps: [1, 1, 1, 2] }),
  example('slice', { starts: [0, 1, 2, 0], sizes: [2, 1, 2, 5], steps: [1, 1, 1, 1] }),
  example('pad', { before: [0, 1, 0, 2], after: [1, 0, 2, 0], interior: [0, 1, 1, 0], value: 7 }),
  example('permute', { permutation: [0, 2, 3, 1] }),
  example('permute', { permutation: [3, 1, 0, 2] }),
  example('reshape', { shape: [2, 60] }),
  example('reshape', { shape: [4, 3, 2, 5] }),
  example('broadcastTo', { shape: [4, 2, 3, 4, 5] }),
  example('matmul', { transposeA: false, transposeB: true }, [2, 3, 6, 5]),
  example('gather', { axis: 2 }),
  example('batchNormEval', { epsilon: 0.1 }, [3], [3], [3], [3]),
  example('localResponseNorm', { size: 3, alpha: 0.5, beta: 0.75, k: 1 }),
];

/** Three windows of two taps on an axis; what gradients need of them is left out. */
function windows(b: Backend, length: number): Handle[] {
  return [
    put(b, [3, 2], [1, 2, 3, 4, 5, 6]),
    putInts(b, [3], [0, length - 2, 0]),
    put(b, [length, 1], Array(length).fill(0)),
    putInts(b, [length], Array(length).fill(0)),
  ];
}

function title({ op, attributes, others }: Example): string {
  return [op, JSON.stringify(attributes), ...(others ?? []).map((shape) => `with [${shape}]`)].join(
    ' ',
  );
}

describe('an op on images that lie channels last', () => {
  for (const one of examples) {
    test(`${title(one)} gives the reference's result`, async () => {
      const b = backend();
      const { op, attributes, others = [] } = one;
      const source = count(b, SHAPE);
      const x = channelsLastCopy(b, source);
      const rest = others.map((shape) => count(b, shape));
      if (op === 'gather') {
        const at = new Int32Array(2 * 3 * 2 * 5).map((_, i) => (i * 7) % 4);
        rest.push(b.upload({ shape: [2, 3, 2, 5], dtype: 'int32' }, at));
      }
      if (op === 'resample') {
        rest.push(...windows(b, SHAPE[(attributes as OpAttributes['resample']).axis]!));
      }
      const inputs = [x, ...rest];
      const values = await Promise.all(
        inputs.map(async (input) => fromData(input.spec, await b.read(input))),
      );
      const expected = runNaive(op, values, attributes as never);
      const outputs = b.run(op, inputs, attributes as never);
      for (const [i, output] of outputs.entries()) {
        const actual = await read(b, output);
        expect(actual).toHaveLength(expected[i]!.data.length);
        const off = actual.map((value, at) => Math.abs(value - expected[i]!.data[at]!));
        expect(Math.max(...off)).toBeLessThan(0.01);
      }
      release(b, source, ...inputs, ...outputs);
    });
  }

  test('reshaped twice to other images gives what plain ones give', async () => {
    const b = backend();
    const source = count(b, [1, 6, 2, 4]);
    const x = channelsLastCopy(b, source);
    const y = run(b, 'reshape', [x], { shape: [1, 2, 6, 4] });
    const z = channelsLastCopy(b, y);
    const sum = run(b, 'add', [y, z], {});
    expect(await read(b, sum)).toEqual(Array.from({ length: 48 }, (_, i) => 2 * i));
    release(b, source, x, y, z, sum);
  });

  test('a plain constant meets it in either place', async () => {
    const b = backend();
    const x = count(b, SHAPE);
    const last = channelsLastCopy(b, x);
    const ones = run(b, 'fill', [], { shape: SHAPE, dtype: 'float32', value: 1 });
    const scalar = put(b, [1, 1, 1, 1], [2]);
    const y = run(b, 'sub', [ones, last], {});
    const z = run(b, 'mul', [y, scalar], {}, [0]);
    expect(await read(b, z)).toEqual(Array.from({ length: 120 }, (_, i) => 2 - 2 * i));
    release(b, x, last, ones, scalar, z);
  });
});
