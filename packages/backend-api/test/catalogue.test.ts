import { describe, expect, test } from 'vitest';

import {
  catalogue,
  createMeta,
  definition,
  DtypeError,
  isRequired,
  opNames,
  ShapeError,
  type OpAttributes,
  type OpName,
  type Spec,
} from '../src/index.ts';

const float = (...shape: number[]): Spec => ({ shape, dtype: 'float32' });
const int = (...shape: number[]): Spec => ({ shape, dtype: 'int32' });
const plainConv: OpAttributes['conv2d'] = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};

function shapeOf<K extends OpName>(
  op: K,
  inputs: Spec[],
  attributes: OpAttributes[K],
): readonly number[] {
  return definition(op).infer(inputs, attributes)[0]!.shape;
}

describe('shape rules', () => {
  test('convolution sizes follow floor((H + padding - reach) / stride) + 1', () => {
    const attributes = {
      ...plainConv,
      stride: [2, 3],
      padding: [1, 1, 2, 0],
      rhsDilation: [2, 1],
    } as const;
    // Height: (9 + 2 - 5) / 2 + 1 = 4; width: floor((10 + 2 - 4) / 3) + 1 = 3.
    expect(shapeOf('conv2d', [float(2, 4, 9, 10), float(6, 4, 3, 4)], attributes)).toEqual([
      2, 6, 4, 3,
    ]);
  });

  test('negative padding crops', () => {
    const attributes = { ...plainConv, padding: [-1, -2, 0, 0] } as const;
    expect(shapeOf('conv2d', [float(1, 1, 8, 8), float(1, 1, 3, 3)], attributes)).toEqual([
      1, 1, 3, 6,
    ]);
  });

  test('matmul broadcasts leading axes and honours transposes', () => {
    const attributes = { transposeA: true, transposeB: true };
    expect(shapeOf('matmul', [float(5, 1, 3, 4), float(2, 6, 3)], attributes)).toEqual([
      5, 2, 4, 6,
    ]);
  });

  test('slices, pads and reductions', () => {
    expect(shapeOf('slice', [float(8)], { starts: [1], sizes: [3], steps: [3] })).toEqual([3]);
    expect(
      shapeOf('pad', [float(3)], { before: [1], after: [2], interior: [1], value: 0 }),
    ).toEqual([8]);
    expect(shapeOf('reduceSum', [float(2, 3, 4)], { axes: [0, 2], keepDims: true })).toEqual([
      1, 3, 1,
    ]);
    expect(shapeOf('argMax', [float(2, 3)], { axis: 1, keepDims: false })).toEqual([2]);
  });
});

describe('mistakes are named', () => {
  test('channels that do not fit the filter', () => {
    expect(() => shapeOf('conv2d', [float(1, 3, 8, 8), float(6, 1, 5, 5)], plainConv)).toThrow(
      /conv2d: the input \[1, 3, 8, 8\] has 3 channels, but the filter \[6, 1, 5, 5\] takes 1/,
    );
  });
  test('a kernel larger than the padded input', () => {
    expect(() => shapeOf('conv2d', [float(1, 1, 3, 8), float(1, 1, 5, 5)], plainConv)).toThrow(
      ShapeError,
    );
  });
  test('shapes that do not broadcast', () => {
    expect(() => shapeOf('add', [float(2, 3), float(2)], {})).toThrow(
      /\[2, 3\] and \[2\] do not broadcast/,
    );
  });
  test('dtypes that differ', () => {
    expect(() => shapeOf('add', [float(2), int(2)], {})).toThrow(DtypeError);
    expect(() => shapeOf('div', [int(2), int(2)], {})).toThrow(DtypeError);
  });
  test('slices beyond the end', () => {
    expect(() => shapeOf('slice', [float(4)], { starts: [2], sizes: [3], steps: [1] })).toThrow(
      ShapeError,
    );
  });
  test('matrices that do not chain', () => {
    expect(() =>
      shapeOf('matmul', [float(2, 3), float(4, 2)], { transposeA: false, transposeB: false }),
    ).toThrow(/inner lengths 3 and 4 differ/);
  });
});

describe('resample', () => {
  const fits = [float(2, 4, 5), float(3, 2), int(3), float(4, 6), int(4)];
  test('puts its windows for the length of the axis', () => {
    expect(shapeOf('resample', fits, { axis: 1 })).toEqual([2, 3, 5]);
  });
  test.each([
    [0, int(2, 4, 5), DtypeError, /resample: the input is int32/],
    [1, float(3), ShapeError, /resample: the weight tensor has shape \[3\].*\[windows, taps\]/],
    [
      1,
      float(2, 2),
      ShapeError,
      /resample: the weight tensor has shape \[2, 2\]; expected \[3, 2\]/,
    ],
    [2, float(3), DtypeError, /resample: the start tensor is float32/],
    [2, int(3, 1), ShapeError, /resample: the start tensor has shape \[3, 1\].*\[windows\]/],
    [
      3,
      float(5, 6),
      ShapeError,
      /the transposed weight tensor has shape \[5, 6\]; expected \[4, 6\]/,
    ],
    [4, int(3), ShapeError, /the transposed start tensor has shape \[3\]; expected \[4\]/],
  ])('names the mistake in input %i', (at, wrong, type, message) => {
    const infer = (): unknown => shapeOf('resample', fits.with(at, wrong), { axis: 1 });
    expect(infer).toThrow(type);
    expect(infer).toThrow(message);
  });
  test('names an axis out of range', () => {
    expect(() => shapeOf('resample', fits, { axis: 3 })).toThrow(
      /resample: axis 3 is out of range/,
    );
  });
});

describe('the catalogue', () => {
  test('keeps the required primitives few', () => {
    expect(opNames.filter(isRequired).length).toBeLessThanOrEqual(40);
  });
  test('says of every op what it computes', () => {
    expect(opNames.filter((op) => catalogue[op].summary === '')).toEqual([]);
  });
});

test('meta infers shapes and counts multiply-adds without memory', async () => {
  const meta = createMeta();
  const x = meta.upload(float(1, 3, 224, 224), new Float32Array(0));
  const filter = meta.upload(float(64, 3, 7, 7), new Float32Array(0));
  const [y] = meta.run('conv2d', [x, filter], {
    ...plainConv,
    stride: [2, 2],
    padding: [3, 3, 3, 3],
  });
  expect(y!.spec.shape).toEqual([1, 64, 112, 112]);
  expect(meta.macs).toBe(112 * 112 * 64 * 3 * 49);
  expect(meta.memory()).toMatchObject({ handles: 3, bytes: 0 });
  await expect(meta.read(y!)).rejects.toThrow(/only infers shapes/);
  for (const handle of [x, filter, y!]) meta.release(handle);
  expect(meta.memory().handles).toBe(0);
});
