import { createMeta, ShapeError, type OpName } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool2d,
  checkGradients,
  explain,
  globalAvgPool2d,
  maxPool2d,
  maxPool2dWithIndices,
  mul,
  square,
  sum,
  valueAndGrad,
  zeros,
  type AvgPool2dOptions,
  type MaxPool2dOptions,
  type Tensor,
} from '../src/index.ts';
import {
  build,
  mismatch,
  floats,
  leaked,
  naivePool,
  numbers,
  plain,
  useJs,
  windowOf,
  type Geometry,
  type Plain,
} from './images.ts';

beforeAll(useJs);

type Kernel = readonly [number, number];

function pair(value: number | readonly number[]): [number, number] {
  return typeof value === 'number' ? [value, value] : [value[0]!, value[1]!];
}

function opsOf(f: () => unknown): OpName[] {
  return explain(f).ops.map(({ op }) => op);
}

/** PyTorch's count of windows: in ceil mode a last window counts that starts in the input or its leading padding. */
function windows(input: number, kernel: number, stride: number, low: number, high: number): number {
  let count = 0;
  for (let start = -low; start < input; start += stride) {
    count++;
    if (start + kernel >= input + high) break;
  }
  return count;
}

const largest = (elements: { value: number }[]): number =>
  elements.reduce((best, { value }) => Math.max(best, value), -Infinity);

describe('maxPool2d', () => {
  const cases: (MaxPool2dOptions & { geometry: Geometry; size: number[] })[] = [
    { kernelSize: 2, geometry: { stride: [2, 2] }, size: [3, 4] },
    { kernelSize: [3, 2], stride: [1, 3], geometry: { stride: [1, 3] }, size: [5, 3] },
    {
      kernelSize: 3,
      stride: 2,
      padding: 1,
      geometry: { stride: [2, 2], padding: [1, 1, 1, 1] },
      size: [4, 5],
    },
    { kernelSize: 2, dilation: [3, 2], stride: 1, geometry: { dilation: [3, 2] }, size: [4, 7] },
    {
      kernelSize: 4,
      padding: [2, 0, 1, 2],
      stride: 3,
      geometry: { stride: [3, 3], padding: [2, 0, 1, 2] },
      size: [2, 3],
    },
  ];
  test.each(cases)(
    'picks the largest of each window: %o',
    async ({ geometry, size, ...options }) => {
      const x = floats([2, 2, 7, 9], 5);
      const kernel: Kernel =
        typeof options.kernelSize === 'number'
          ? [options.kernelSize, options.kernelSize]
          : options.kernelSize;
      const image = await plain(x);
      const { values, indices } = maxPool2dWithIndices(x, options);
      expect(await mismatch(values, naivePool(image, kernel, geometry, size, largest))).toBeNull();
      const positions = naivePool(image, kernel, geometry, size, (elements) => {
        const best = largest(elements);
        return elements.find(({ value }) => value === best)!.position;
      });
      expect(indices.dtype).toBe('int32');
      expect(await mismatch(indices, positions)).toBeNull();
      expect(await mismatch(maxPool2d(x, options), await plain(values))).toBeNull();
    },
  );

  test('in ceil mode covers the rest, unless a window would start in the trailing padding', async () => {
    for (let input = 3; input < 9; input++) {
      for (const [kernel, stride, padding] of [
        [2, 2, 0],
        [3, 2, 1],
        [2, 3, 1],
        [3, 3, 0],
      ] as const) {
        const x = floats([1, 1, input, 4], input);
        const y = maxPool2d(x, {
          kernelSize: [kernel, 1],
          stride: [stride, 1],
          padding: [padding, 0],
          ceilMode: true,
        });
        const size = [windows(input, kernel, stride, padding, padding), 4];
        const geometry: Geometry = { stride: [stride, 1], padding: [padding, padding, 0, 0] };
        expect(
          await mismatch(y, naivePool(await plain(x), [kernel, 1], geometry, size, largest)),
        ).toBeNull();
      }
    }
  });

  test("'same-tensorflow' gives ceil(input / stride) windows", () => {
    const x = floats([1, 1, 7, 8]);
    const options = { kernelSize: 3, stride: 2, padding: 'same-tensorflow' } as const;
    expect(maxPool2d(x, options).shape).toEqual([1, 1, 4, 4]);
  });

  test('of equal elements the first takes the gradient', async () => {
    const x = floats([1, 1, 2, 4], [1, 1, 0, 2, 1, 1, 2, 2]);
    const { grads } = valueAndGrad((image) => sum(maxPool2d(image, { kernelSize: 2 })))(x);
    expect([...(await grads[0]!.data())]).toEqual([1, 0, 0, 1, 0, 0, 0, 0]);
  });

  test('lets NaN through', async () => {
    const y = maxPool2d(floats([1, 1, 2, 2], [1, NaN, 3, 2]), { kernelSize: 2 });
    expect(await y.item()).toBeNaN();
  });

  test('gradients agree with finite differences', async () => {
    // Far enough apart that no step of the differences changes which is largest.
    const data = numbers([2 * 5 * 5], 3).map((_, i) => ((i * 37) % 50) / 5);
    const options = { kernelSize: 3, stride: 2, padding: 1, ceilMode: true };
    const upstream = floats([1, 2, 3, 3], 2);
    const check = await checkGradients(
      (x) => sum(mul(maxPool2d(x, options), upstream)),
      [floats([1, 2, 5, 5], data)],
    );
    expect(check).toMatchObject({ passed: true });
    const penalty = valueAndGrad((x) => sum(square(maxPool2d(x, options))));
    const second = await checkGradients(
      (x) => mul(sum(square(penalty(x).grads[0]!)), 0.01),
      [floats([1, 2, 5, 5], data)],
    );
    expect(second).toMatchObject({ passed: true });
  });
});

describe('avgPool2d', () => {
  /** Divisors by PyTorch's rule: padding counts, room made by ceil mode does not. */
  function average(
    x: Plain,
    kernel: Kernel,
    geometry: Required<Pick<Geometry, 'stride' | 'padding'>>,
    size: number[],
    countIncludePad: boolean,
  ): Plain {
    return build([x.shape[0]!, x.shape[1]!, ...size], (index) => {
      const elements = windowOf(x, index, kernel, geometry);
      const total = elements.reduce((sum_, { value }) => sum_ + value, 0);
      const counted = [0, 1].map((axis) => {
        const start = index[2 + axis]! * geometry.stride[axis]! - geometry.padding[axis * 2]!;
        const limit = x.shape[2 + axis]! + geometry.padding[axis * 2 + 1]!;
        return Math.min(start + kernel[axis]!, limit) - start;
      });
      return total / (countIncludePad ? counted[0]! * counted[1]! : elements.length);
    });
  }

  const cases: (AvgPool2dOptions & { kernelSize: Kernel })[] = [
    { kernelSize: [2, 2] },
    { kernelSize: [3, 3], stride: 2, padding: 1 },
    { kernelSize: [3, 3], stride: 2, padding: 1, countIncludePad: false },
    { kernelSize: [3, 2], stride: [2, 3], padding: [1, 1], ceilMode: true },
    { kernelSize: [3, 2], stride: [2, 3], padding: [1, 1], ceilMode: true, countIncludePad: false },
    { kernelSize: [4, 4], stride: 3, padding: [2, 0, 1, 2], ceilMode: true },
  ];
  test.each(cases)('averages each window: %o', async (options) => {
    for (const input of [
      [6, 7],
      [8, 5],
    ]) {
      const x = floats([2, 2, ...input], 5);
      const stride = pair((options.stride as number | undefined) ?? options.kernelSize);
      const list = options.padding as number | readonly number[] | undefined;
      const [a, b] = pair(list ?? 0);
      const padding: [number, number, number, number] =
        Array.isArray(list) && list.length === 4
          ? (list as unknown as [number, number, number, number])
          : [a, a, b, b];
      const size = [0, 1].map((axis) => {
        const [low, high] = [padding[axis * 2]!, padding[axis * 2 + 1]!];
        const [length, kernel] = [input[axis]!, options.kernelSize[axis]!];
        return options.ceilMode
          ? windows(length, kernel, stride[axis]!, low, high)
          : Math.floor((length + low + high - kernel) / stride[axis]!) + 1;
      });
      const expected = average(
        await plain(x),
        options.kernelSize,
        { stride, padding },
        size,
        options.countIncludePad ?? true,
      );
      expect(await mismatch(avgPool2d(x, options), expected)).toBeNull();
    }
  });

  test('divides by divisorOverride', async () => {
    const y = avgPool2d(floats([1, 1, 2, 2], [1, 2, 3, 4]), { kernelSize: 2, divisorOverride: 5 });
    expect(await mismatch(y, { shape: [1, 1, 1, 1], data: [2] })).toBeNull();
  });

  test("with 'same-tensorflow' the padding does not count, unless asked for", async () => {
    const x = floats([1, 1, 3, 3], [1, 1, 1, 1, 1, 1, 1, 1, 1]);
    const options = { kernelSize: 2, padding: 'same-tensorflow' } as const;
    expect(
      await mismatch(
        avgPool2d(x, options),
        build([1, 1, 2, 2], () => 1),
      ),
    ).toBeNull();
    const counted = avgPool2d(x, { ...options, countIncludePad: true });
    expect(await mismatch(counted, { shape: [1, 1, 2, 2], data: [1, 0.5, 0.5, 0.25] })).toBeNull();
  });

  test('gradients agree with finite differences', async () => {
    const options = {
      kernelSize: 3,
      stride: 2,
      padding: 1,
      ceilMode: true,
      countIncludePad: false,
    };
    const upstream = floats([1, 2, 3, 3], 2);
    const f = (x: Tensor): Tensor => sum(mul(square(avgPool2d(x, options)), upstream));
    const inputs = [floats([1, 2, 4, 5], 3)];
    expect(await checkGradients(f, inputs)).toMatchObject({ passed: true });
    const penalty = valueAndGrad(f);
    const second = await checkGradients((x) => sum(square(penalty(x).grads[0]!)), inputs);
    expect(second).toMatchObject({ passed: true });
  });
});

/** The elements of the cell of adaptive pooling at an output index. */
function cell(x: Plain, output: number[], [n, c, ...index]: number[]): number[] {
  const bounds = [0, 1].map((axis) => {
    const length = x.shape[2 + axis]!;
    return [
      Math.floor((index[axis]! * length) / output[axis]!),
      Math.ceil(((index[axis]! + 1) * length) / output[axis]!),
    ] as const;
  });
  const values: number[] = [];
  for (let i = bounds[0]![0]; i < bounds[0]![1]; i++) {
    for (let j = bounds[1]![0]; j < bounds[1]![1]; j++) {
      values.push(x.data[((n! * x.shape[1]! + c!) * x.shape[2]! + i) * x.shape[3]! + j]!);
    }
  }
  return values;
}

describe('adaptive pooling', () => {
  const sizes: [number[], number[]][] = [
    [
      [6, 8],
      [3, 2],
    ],
    [
      [7, 5],
      [3, 4],
    ],
    [
      [3, 4],
      [5, 7],
    ],
    [
      [13, 10],
      [7, 7],
    ],
    [
      [4, 6],
      [1, 1],
    ],
  ];
  test.each(sizes)(
    'of %o to %o takes the mean and the largest of each cell',
    async (input, output) => {
      const x = floats([2, 3, ...input], 4);
      const image = await plain(x);
      const outputSize = [output[0]!, output[1]!] as const;
      const shape = [2, 3, ...output];
      const mean = build(shape, (index) => {
        const values = cell(image, output, index);
        return values.reduce((a, b) => a + b, 0) / values.length;
      });
      expect(await mismatch(adaptiveAvgPool2d(x, { outputSize }), mean)).toBeNull();
      const most = build(shape, (index) => Math.max(...cell(image, output, index)));
      expect(await mismatch(adaptiveMaxPool2d(x, { outputSize }), most)).toBeNull();
    },
  );

  test('to one number pools to a square', () => {
    const x = floats([1, 1, 5, 7]);
    expect(adaptiveAvgPool2d(x, { outputSize: 2 }).shape).toEqual([1, 1, 2, 2]);
    expect(adaptiveMaxPool2d(x, { outputSize: 2 }).shape).toEqual([1, 1, 2, 2]);
  });

  test('is ordinary pooling where the cells are even', () => {
    const x = floats([1, 2, 6, 6]);
    expect(opsOf(() => adaptiveAvgPool2d(x, { outputSize: 3 }))).toEqual(['averagePool2d']);
    expect(opsOf(() => adaptiveMaxPool2d(x, { outputSize: 3 }))).toEqual(['maxPool2d']);
  });

  test('gradients agree with finite differences where cells overlap', async () => {
    const data = Array.from({ length: 35 }, (_, i) => ((i * 37) % 35) / 5);
    const inputs = [floats([1, 1, 5, 7], data)];
    const upstream = floats([1, 1, 3, 4], 2);
    for (const pool of [adaptiveAvgPool2d, adaptiveMaxPool2d]) {
      const check = await checkGradients(
        (x) => sum(mul(pool(x, { outputSize: [3, 4] }), upstream)),
        inputs,
      );
      expect(check).toMatchObject({ passed: true });
    }
  });

  test('of equal elements in a cell the first takes the gradient', async () => {
    const x = floats([1, 1, 3, 3], [5, 5, 0, 5, 5, 0, 0, 0, 0]);
    const pooled = valueAndGrad((image) => sum(adaptiveMaxPool2d(image, { outputSize: 2 })));
    // Cells overlap in the middle row and column: (0, 0), (0, 1), (1, 0) and (1, 1) have theirs.
    expect([...(await pooled(x).grads[0]!.data())]).toEqual([1, 1, 0, 1, 1, 0, 0, 0, 0]);
  });
});

describe('globalAvgPool2d', () => {
  test('is the mean of each plane', async () => {
    const x = floats([2, 3, 4, 5], 6);
    const { data } = await plain(x);
    const expected = build([2, 3], ([n, c]) => {
      let total = 0;
      for (let i = 0; i < 20; i++) total += data[(n! * 3 + c!) * 20 + i]!;
      return total / 20;
    });
    expect(await mismatch(globalAvgPool2d(x), expected)).toBeNull();
  });
});

test('pools leave nothing behind but their results', () => {
  const x = floats([1, 2, 7, 5]);
  expect(leaked(() => maxPool2d(x, { kernelSize: 2 }))).toBe(0);
  expect(leaked(() => ({ ...maxPool2dWithIndices(x, { kernelSize: 2 }) }))).toBe(0);
  expect(leaked(() => avgPool2d(x, { kernelSize: 3, padding: 1, ceilMode: true }))).toBe(0);
  expect(leaked(() => adaptiveAvgPool2d(x, { outputSize: 3 }))).toBe(0);
  expect(leaked(() => adaptiveMaxPool2d(x, { outputSize: 3 }))).toBe(0);
  expect(leaked(() => globalAvgPool2d(x))).toBe(0);
});

test('pools compute shapes without data', () => {
  const x = zeros([1, 8, 13, 10], { backend: createMeta() });
  expect(maxPool2d(x, { kernelSize: 3, stride: 2, ceilMode: true }).shape).toEqual([1, 8, 6, 5]);
  expect(adaptiveAvgPool2d(x, { outputSize: 7 }).shape).toEqual([1, 8, 7, 7]);
  expect(adaptiveMaxPool2d(x, { outputSize: 7 }).shape).toEqual([1, 8, 7, 7]);
});

const mistakes: [string, number[], (x: Tensor) => unknown, RegExp][] = [
  [
    'an input of rank 3',
    [2, 5, 5],
    (x) => maxPool2d(x, { kernelSize: 2 }),
    /maxPool2d: the input .*\[2, 5, 5\].*\[N, C, H, W\]/,
  ],
  [
    'a kernel of 0',
    [1, 1, 5, 5],
    (x) => maxPool2d(x, { kernelSize: 0 }),
    /maxPool2d: kernelSize must be .*got 0/,
  ],
  [
    'three kernel sizes',
    [1, 1, 5, 5],
    (x) => maxPool2d(x, { kernelSize: [1, 2, 3] as never }),
    /got \[1, 2, 3\]/,
  ],
  [
    'stride 0',
    [1, 1, 5, 5],
    (x) => avgPool2d(x, { kernelSize: 2, stride: 0 }),
    /avgPool2d: stride/,
  ],
  [
    'negative padding',
    [1, 1, 5, 5],
    (x) => avgPool2d(x, { kernelSize: 2, padding: -1 }),
    /avgPool2d: padding must be .*got -1/,
  ],
  [
    'padding over half the kernel',
    [1, 1, 5, 5],
    (x) => maxPool2d(x, { kernelSize: 3, padding: 2 }),
    /maxPool2d: padding \[2, 2, 2, 2\] must be at most half of kernelSize \[3, 3\]/,
  ],
  [
    'a padding word',
    [1, 1, 5, 5],
    (x) => maxPool2d(x, { kernelSize: 3, padding: 'same' as never }),
    /got 'same'/,
  ],
  [
    'a kernel beyond the input',
    [1, 1, 2, 5],
    (x) => maxPool2d(x, { kernelSize: 3 }),
    /maxPool2d: the kernel reaches over 3/,
  ],
  [
    'a kernel beyond the input in ceil mode',
    [1, 1, 2, 5],
    (x) => maxPool2d(x, { kernelSize: 5, stride: 1, ceilMode: true }),
    /maxPool2d: the kernel reaches over 5/,
  ],
  [
    'divisor 0',
    [1, 1, 5, 5],
    (x) => avgPool2d(x, { kernelSize: 2, divisorOverride: 0 }),
    /avgPool2d: divisorOverride .*got 0/,
  ],
  [
    'an adaptive size of 0',
    [1, 1, 5, 5],
    (x) => adaptiveAvgPool2d(x, { outputSize: 0 }),
    /adaptiveAvgPool2d: outputSize .*got 0/,
  ],
  [
    'an adaptive input of rank 2',
    [5, 5],
    (x) => adaptiveMaxPool2d(x, { outputSize: 2 }),
    /adaptiveMaxPool2d: .*\[5, 5\].*\[N, C, H, W\]/,
  ],
  ['an empty image', [1, 1, 0, 5], (x) => globalAvgPool2d(x), /globalAvgPool2d: .*\[1, 1, 0, 5\]/],
];
test.each(mistakes)('names the mistake: %s', (_, shape, call, message) => {
  expect(() => call(floats(shape))).toThrow(ShapeError);
  expect(() => call(floats(shape))).toThrow(message);
});
