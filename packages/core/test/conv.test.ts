import { createMeta, DtypeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  checkGradients,
  conv2d,
  convolve2d,
  convTranspose2d,
  mul,
  ShapeError,
  square,
  sum,
  tensor,
  valueAndGrad,
  zeros,
  type Conv2dOptions,
  type ConvTranspose2dOptions,
} from '../src/index.ts';
import {
  build,
  mismatch,
  floats,
  ints,
  leaked,
  naiveConv2d,
  plain,
  useJs,
  type Geometry,
  type Plain,
} from './images.ts';

beforeAll(useJs);

const geometries: (Geometry & { x: number[]; weight: number[] })[] = [
  { x: [2, 3, 5, 6], weight: [4, 3, 1, 1] },
  { x: [2, 3, 6, 7], weight: [4, 3, 3, 3], padding: [1, 1, 1, 1] },
  { x: [1, 2, 9, 8], weight: [3, 2, 3, 2], stride: [2, 3], padding: [2, 0, 1, 1] },
  { x: [2, 4, 8, 9], weight: [6, 2, 3, 3], dilation: [2, 3], padding: [0, 1, 3, 2], groups: 2 },
  { x: [1, 4, 7, 7], weight: [8, 1, 3, 3], stride: [2, 2], padding: [1, 1, 1, 1], groups: 4 },
  { x: [1, 1, 5, 5], weight: [1, 1, 5, 5], padding: [4, 4, 4, 4] },
];

describe('conv2d', () => {
  test.each(geometries)('is the cross-correlation of its definition: %o', async (geometry) => {
    const { x: xShape, weight: weightShape, ...rest } = geometry;
    const [x, weight] = [floats(xShape, 3), floats(weightShape, 4)];
    const expected = naiveConv2d(await plain(x), await plain(weight), rest);
    expect(await mismatch(conv2d(x, weight, rest), expected)).toBeNull();
  });

  test('takes one number, a pair or four sides as padding', async () => {
    const [x, weight] = [floats([1, 1, 5, 6]), floats([1, 1, 3, 3], 2)];
    expect(conv2d(x, weight, { padding: 2 }).shape).toEqual([1, 1, 7, 8]);
    expect(conv2d(x, weight, { padding: [2, 0] }).shape).toEqual([1, 1, 7, 4]);
    expect(conv2d(x, weight, { padding: [2, 0, 0, 1] }).shape).toEqual([1, 1, 5, 5]);
    expect(conv2d(x, weight, { padding: 'valid' }).shape).toEqual([1, 1, 3, 4]);
  });

  test("'same' keeps the size and puts the odd element at the bottom and right", async () => {
    const [x, weight] = [floats([1, 2, 5, 6]), floats([3, 2, 4, 2], 2)];
    const expected = naiveConv2d(await plain(x), await plain(weight), {
      dilation: [1, 3],
      padding: [1, 2, 1, 2],
    });
    expect(expected.shape).toEqual([1, 3, 5, 6]);
    expect(
      await mismatch(conv2d(x, weight, { padding: 'same', dilation: [1, 3] }), expected),
    ).toBeNull();
  });

  test.each([
    { height: 5, stride: 2, kernel: 3, sides: [1, 1] },
    { height: 6, stride: 2, kernel: 3, sides: [0, 1] },
    { height: 7, stride: 3, kernel: 2, sides: [0, 1] },
    { height: 9, stride: 4, kernel: 1, sides: [0, 0] },
  ])(
    "'same-tensorflow' gives ceil($height / $stride) rows for a kernel of $kernel",
    async ({ height, stride, kernel, sides }) => {
      const [x, weight] = [floats([1, 1, height, 1]), floats([1, 1, kernel, 1], 2)];
      const y = conv2d(x, weight, { padding: 'same-tensorflow', stride: [stride, 1] });
      expect(y.shape).toEqual([1, 1, Math.ceil(height / stride), 1]);
      const geometry: Geometry = { stride: [stride, 1], padding: [sides[0]!, sides[1]!, 0, 0] };
      expect(
        await mismatch(y, naiveConv2d(await plain(x), await plain(weight), geometry)),
      ).toBeNull();
    },
  );

  test.each(['reflect', 'replicate', 'circular'] as const)(
    'padding mode %s is convolution of the image continued that way',
    async (paddingMode) => {
      const [x, weight] = [floats([2, 1, 4, 5]), floats([2, 1, 3, 3], 2)];
      const image = await plain(x);
      const source = (i: number, length: number): number => {
        if (paddingMode === 'replicate') return Math.min(Math.max(i, 0), length - 1);
        if (paddingMode === 'circular') return (i + length) % length;
        const mirrored = Math.abs(i);
        return mirrored < length ? mirrored : 2 * (length - 1) - mirrored;
      };
      const continued: Plain = build([2, 1, 7, 7], ([n, , row, column]) => {
        const [y, z] = [source(row! - 2, 4), source(column! - 1, 5)];
        return image.data[n! * 20 + y * 5 + z]!;
      });
      const y = conv2d(x, weight, { padding: [2, 1, 1, 1], paddingMode });
      expect(await mismatch(y, naiveConv2d(continued, await plain(weight)))).toBeNull();
    },
  );

  test.each(['none', 'relu', 'relu6'] as const)(
    'activation %s is applied after the bias, or without one',
    async (activation) => {
      const limit = { none: [-Infinity, Infinity], relu: [0, Infinity], relu6: [0, 6] }[activation];
      const [x, weight] = [mul(floats([1, 2, 4, 4]), 5), floats([3, 2, 3, 3], 2)];
      const sums = naiveConv2d(await plain(x), await plain(weight));
      const bias = [1, -2, 3];
      const limited = (offsets: number[]): Plain =>
        build(sums.shape, ([, o, row, column]) => {
          const value = sums.data[o! * 4 + row! * 2 + column!]! + offsets[o!]!;
          return Math.min(Math.max(value, limit[0]!), limit[1]!);
        });
      expect(
        await mismatch(conv2d(x, weight, { bias: tensor(bias), activation }), limited(bias)),
      ).toBeNull();
      expect(await mismatch(conv2d(x, weight, { activation }), limited([0, 0, 0]))).toBeNull();
    },
  );

  test('gradients of input, weight and bias agree with finite differences', async () => {
    const options: Conv2dOptions = { stride: [2, 1], padding: [1, 0, 2, 1], groups: 2 };
    const upstream = floats([2, 2, 2, 5], 9);
    const check = await checkGradients(
      (x, weight, bias) => sum(mul(conv2d(x, weight, { ...options, bias }), upstream)),
      [floats([2, 2, 4, 4]), floats([2, 1, 3, 3], 2), floats([2], 3)],
    );
    expect(check).toMatchObject({ passed: true });
  });

  test('second derivatives agree with finite differences', async () => {
    const penalty = valueAndGrad((x, weight) =>
      sum(square(conv2d(x, weight, { stride: 2, padding: 1, activation: 'none' }))),
    );
    const check = await checkGradients(
      (x, weight) => {
        const { grads } = penalty(x, weight);
        return mul(sum(square(grads[0]!)), 0.1);
      },
      [floats([1, 1, 4, 3]), floats([1, 1, 3, 3], 2)],
    );
    expect(check).toMatchObject({ passed: true });
  });

  test('leaves nothing behind but its result', () => {
    const [x, weight, bias] = [floats([1, 2, 5, 5]), floats([3, 2, 3, 3], 2), floats([3], 3)];
    const all: Conv2dOptions[] = [
      {},
      { bias, activation: 'relu' },
      { activation: 'relu6' },
      { padding: 1, paddingMode: 'reflect' },
    ];
    for (const options of all) expect(leaked(() => conv2d(x, weight, options))).toBe(0);
    expect(leaked(() => convolve2d(x, weight, { bias }))).toBe(0);
  });

  test('computes shapes without data', () => {
    const backend = createMeta();
    const x = zeros([1, 3, 224, 224], { backend });
    const weight = zeros([64, 3, 7, 7], { backend });
    const y = conv2d(x, weight, {
      stride: 2,
      padding: 3,
      paddingMode: 'reflect',
      activation: 'relu',
    });
    expect(y.shape).toEqual([1, 64, 112, 112]);
  });

  const mistakes: [string, number[], number[], object, RegExp][] = [
    ['channels', [1, 3, 5, 5], [4, 2, 3, 3], {}, /conv2d: .*3 channels.*takes 2/],
    [
      'an input of rank 3',
      [3, 5, 5],
      [4, 3, 3, 3],
      {},
      /conv2d: the input .*\[3, 5, 5\].*\[N, C, H, W\]/,
    ],
    [
      'rank 3 with a padding mode',
      [3, 5, 5],
      [4, 3, 3, 3],
      { padding: 1, paddingMode: 'reflect' },
      /conv2d: the input .*\[3, 5, 5\]/,
    ],
    [
      'rank 3 with same-tensorflow',
      [3, 5, 5],
      [4, 3, 3, 3],
      { padding: 'same-tensorflow' },
      /conv2d: the input .*\[3, 5, 5\]/,
    ],
    [
      'a weight of rank 2',
      [1, 3, 5, 5],
      [4, 3],
      { padding: 'same' },
      /conv2d: the filter .*\[4, 3\]/,
    ],
    [
      'a kernel beyond the input',
      [1, 1, 3, 5],
      [1, 1, 4, 1],
      {},
      /kernel reaches over 4.*height of 3/,
    ],
    [
      'negative padding',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { padding: -1 },
      /conv2d: padding must be .*got -1/,
    ],
    [
      'three sides of padding',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { padding: [1, 1, 1] },
      /got \[1, 1, 1\]/,
    ],
    [
      'an unknown padding word',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { padding: 'full' },
      /'same-tensorflow'; got 'full'/,
    ],
    ['stride 0', [1, 1, 5, 5], [1, 1, 3, 3], { stride: 0 }, /conv2d: stride must be .*>= 1.*got 0/],
    [
      'a broken stride',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { stride: [1, 1.5] },
      /stride .*got \[1, 1.5\]/,
    ],
    ['dilation 0', [1, 1, 5, 5], [1, 1, 3, 3], { dilation: [0, 1] }, /conv2d: dilation/],
    [
      'groups',
      [1, 4, 5, 5],
      [3, 2, 3, 3],
      { groups: 2 },
      /3 output channels do not divide into 2 groups/,
    ],
    [
      "'same' with a stride",
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { padding: 'same', stride: 2 },
      /'same'.*stride 1.*same-tensorflow/,
    ],
    [
      'an unknown padding mode',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { paddingMode: 'mirror' },
      /paddingMode.*'mirror'/,
    ],
    [
      'an unknown activation',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { activation: 'gelu' },
      /activation.*'gelu'/,
    ],
    [
      'reflection beyond the image',
      [1, 1, 2, 5],
      [1, 1, 3, 3],
      { padding: 2, paddingMode: 'reflect' },
      /reflect/,
    ],
  ];
  test.each(mistakes)('names the mistake: %s', (_, x, weight, options, message) => {
    const call = (): unknown => conv2d(floats(x), floats(weight), options as Conv2dOptions);
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });

  test('names a bias of the wrong length', () => {
    expect(() => conv2d(floats([1, 1, 5, 5]), floats([2, 1, 3, 3]), { bias: floats([3]) })).toThrow(
      /conv2d: the bias has shape \[3\]; expected \[2\]/,
    );
  });
});

test('convolutions name the dtype they cannot use', () => {
  const [x, weight] = [ints([1, 1, 2, 2], [1, 2, 3, 4]), floats([1, 1, 1, 1])];
  for (const convolution of [conv2d, convolve2d, convTranspose2d]) {
    expect(() => convolution(x, weight)).toThrow(DtypeError);
    expect(() => convolution(x, weight)).toThrow(/^conv(Transpose)?2d: the input is int32/);
  }
});

describe('convolve2d', () => {
  test('turns the kernel by 180 degrees', async () => {
    const [x, weight] = [floats([1, 2, 5, 6]), floats([2, 2, 3, 2], 2)];
    const filter = await plain(weight);
    const turned = build(filter.shape, ([o, c, i, j]) => {
      const [row, column] = [2 - i!, 1 - j!];
      return filter.data[((o! * 2 + c!) * 3 + row) * 2 + column]!;
    });
    const expected = naiveConv2d(await plain(x), turned, { padding: [1, 1, 0, 0] });
    expect(await mismatch(convolve2d(x, weight, { padding: [1, 0] }), expected)).toBeNull();
  });

  test('of an impulse is the kernel itself', async () => {
    const impulse = build([1, 1, 5, 5], ([, , row, column]) => Number(row === 2 && column === 2));
    const weight = floats([1, 1, 3, 3], 2);
    const y = convolve2d(floats(impulse.shape, impulse.data), weight);
    expect(await mismatch(y, { shape: [1, 1, 3, 3], data: await weight.data() })).toBeNull();
  });

  test('names a weight of the wrong rank as conv2d does', () => {
    expect(() => convolve2d(floats([1, 1, 5, 5]), floats([3, 3]))).toThrow(/the filter .*\[3, 3\]/);
  });
});

function pair(value: unknown, otherwise: number): number[] {
  if (Array.isArray(value)) return value as number[];
  const both = (value as number | undefined) ?? otherwise;
  return [both, both];
}

/** Each input element puts its kernel, scaled, into the output: the definition. */
function scattered(x: Plain, w: Plain, options: ConvTranspose2dOptions, size: number[]): Plain {
  const [stride, dilation] = [pair(options.stride, 1), pair(options.dilation, 1)];
  const sides = pair(options.padding, 0);
  const [top, left] = sides.length === 4 ? [sides[0]!, sides[2]!] : [sides[0]!, sides[1]!];
  const groups = options.groups ?? 1;
  const [n, channels, height, width] = x.shape as [number, number, number, number];
  const [, perGroup, kernelHeight, kernelWidth] = w.shape as [number, number, number, number];
  const outputs = perGroup * groups;
  const data = new Float64Array(n * outputs * size[0]! * size[1]!);
  build([n, channels, height, width, perGroup, kernelHeight, kernelWidth], (index) => {
    const [b, c, row, column, o, i, j] = index as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const y = row * stride[0]! - top + i * dilation[0]!;
    const z = column * stride[1]! - left + j * dilation[1]!;
    if (y >= 0 && z >= 0 && y < size[0]! && z < size[1]!) {
      const output = Math.floor(c / (channels / groups)) * perGroup + o;
      const value = x.data[((b * channels + c) * height + row) * width + column]!;
      const weight = w.data[((c * perGroup + o) * kernelHeight + i) * kernelWidth + j]!;
      data[((b * outputs + output) * size[0]! + y) * size[1]! + z]! += value * weight;
    }
    return 0;
  });
  return { shape: [n, outputs, ...size], data };
}

describe('convTranspose2d', () => {
  const cases: (ConvTranspose2dOptions & { x: number[]; weight: number[]; size: number[] })[] = [
    { x: [2, 3, 4, 5], weight: [3, 2, 3, 3], size: [6, 7] },
    {
      x: [1, 4, 3, 3],
      weight: [4, 3, 4, 2],
      stride: [2, 3],
      padding: [1, 0],
      groups: 2,
      size: [6, 8],
    },
    {
      x: [1, 2, 4, 3],
      weight: [2, 1, 3, 3],
      stride: 2,
      padding: 1,
      outputPadding: 1,
      size: [8, 6],
    },
    { x: [1, 2, 4, 3], weight: [2, 1, 3, 3], dilation: 3, outputPadding: 2, size: [12, 11] },
    { x: [1, 1, 3, 3], weight: [1, 1, 3, 3], stride: 2, padding: [0, 1, 2, 0], size: [6, 5] },
  ];

  test.each(cases)('scatters each input element by the kernel: %o', async (one) => {
    const { x: xShape, weight: weightShape, size, ...options } = one;
    const [x, weight] = [floats(xShape, 5), floats(weightShape, 6)];
    const expected = scattered(await plain(x), await plain(weight), options, size);
    expect(await mismatch(convTranspose2d(x, weight, options), expected)).toBeNull();
  });

  test('adds the bias to every channel', async () => {
    const [x, weight] = [zeros([1, 2, 2, 2]), floats([2, 3, 2, 2])];
    const y = convTranspose2d(x, weight, { bias: tensor([1, 2, 3]) });
    expect(
      await mismatch(
        y,
        build([1, 3, 3, 3], ([, o]) => o! + 1),
      ),
    ).toBeNull();
  });

  test('gradients and second derivatives agree with finite differences', async () => {
    const options = { stride: 2, padding: 1, outputPadding: 1 };
    const inputs = [floats([1, 2, 2, 3]), floats([2, 1, 3, 2], 2), floats([1], 3)];
    const upstream = floats([1, 1, 4, 5], 7);
    const first = await checkGradients(
      (x, weight, bias) => sum(mul(convTranspose2d(x, weight, { ...options, bias }), upstream)),
      inputs,
    );
    expect(first).toMatchObject({ passed: true });
    const penalty = valueAndGrad((x, weight) => sum(square(convTranspose2d(x, weight, options))));
    const second = await checkGradients(
      (x, weight) => mul(sum(square(penalty(x, weight).grads[1]!)), 0.1),
      inputs.slice(0, 2),
    );
    expect(second).toMatchObject({ passed: true });
  });

  test('leaves nothing behind but its result', () => {
    const [x, weight, bias] = [floats([1, 2, 3, 3]), floats([2, 3, 3, 3], 2), floats([3], 3)];
    expect(leaked(() => convTranspose2d(x, weight, { bias, stride: 2 }))).toBe(0);
  });

  const mistakes: [string, number[], number[], object, RegExp][] = [
    ['channels', [1, 3, 5, 5], [2, 3, 3, 3], {}, /convTranspose2d: .*3 channels.*takes 2/],
    ['rank', [3, 5, 5], [3, 2, 3, 3], {}, /convTranspose2d: .*\[3, 5, 5\].*\[N, C, H, W\]/],
    [
      'groups',
      [1, 3, 5, 5],
      [3, 2, 3, 3],
      { groups: 2 },
      /convTranspose2d: groups .*3 channels, got 2/,
    ],
    ['negative padding', [1, 1, 5, 5], [1, 1, 3, 3], { padding: [0, -2] }, /got \[0, -2\]/],
    ['a padding word', [1, 1, 5, 5], [1, 1, 3, 3], { padding: 'same' }, /got 'same'/],
    [
      'outputPadding',
      [1, 1, 5, 5],
      [1, 1, 3, 3],
      { stride: 2, outputPadding: 2 },
      /outputPadding \[2, 2\] must be less/,
    ],
    [
      'nothing left',
      [1, 1, 2, 2],
      [1, 1, 2, 2],
      { padding: 2 },
      /convTranspose2d: the result would be/,
    ],
  ];
  test.each(mistakes)('names the mistake: %s', (_, x, weight, options, message) => {
    const call = (): unknown => convTranspose2d(floats(x), floats(weight), options);
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });

  test('names a bias of the wrong length', () => {
    expect(() =>
      convTranspose2d(floats([1, 1, 5, 5]), floats([1, 2, 3, 3]), { bias: floats([1]) }),
    ).toThrow(/convTranspose2d: the bias has shape \[1\]; expected \[2\]/);
  });
});
