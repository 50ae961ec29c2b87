import { createMeta, DtypeError, ShapeError } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  adaptiveAvgPool2d,
  checkGradients,
  explain,
  flip,
  grad,
  interpolate,
  mul,
  parameter,
  permute,
  square,
  sum,
  valueAndGrad,
  zeros,
  type InterpolateOptions,
  type Tensor,
} from '../src/index.ts';
import {
  build,
  mismatch,
  floats,
  ints,
  leaked,
  numbers,
  plain,
  useJs,
  type Plain,
} from './images.ts';

beforeAll(useJs);

/** How much of input element j goes into output element i. */
type Weight = (i: number, j: number) => number;

/** Every output pixel as a sum over all input pixels. */
function weighted(x: Plain, size: readonly number[], rows: Weight, columns: Weight): Plain {
  const [n, channels, height, width] = x.shape as [number, number, number, number];
  return build([n, channels, ...size], ([b, c, row, column]) => {
    let total = 0;
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        const value = x.data[((b! * channels + c!) * height + i) * width + j]!;
        total += rows(row!, i) * columns(column!, j) * value;
      }
    }
    return total;
  });
}

const tent = (x: number): number => Math.max(1 - Math.abs(x), 0);

/** Keys' kernel: 1 at 0, 0 at the other whole numbers, slope a at distance 1. */
function keys(a: number, distance: number): number {
  const x = Math.abs(distance);
  if (x >= 2) return 0;
  return x < 1 ? (a + 2) * x ** 3 - (a + 3) * x ** 2 + 1 : a * (x ** 3 - 5 * x ** 2 + 8 * x - 4);
}

/** Interpolation by a kernel; what reaches beyond the edge goes to the edge pixel. */
function byKernel(
  kernel: (x: number) => number,
  input: number,
  position: (i: number) => number,
  reach: number,
): Weight {
  return (i, j) => {
    const source = position(i);
    let weight = 0;
    for (let tap = Math.floor(source) - reach; tap <= source + reach; tap++) {
      if (Math.min(Math.max(tap, 0), input - 1) === j) weight += kernel(source - tap);
    }
    return weight;
  };
}

const sizes: [number[], number[]][] = [
  [
    [5, 7],
    [8, 10],
  ],
  [
    [5, 7],
    [3, 4],
  ],
  [
    [4, 4],
    [1, 9],
  ],
  [
    [1, 3],
    [4, 2],
  ],
  [
    [6, 5],
    [6, 5],
  ],
];

describe('interpolate by size', () => {
  test.each(sizes)(
    'bilinear and bicubic, %o to %o, weigh pixels by their kernels',
    async (from, to) => {
      const x = floats([1, 2, ...from], 3);
      const image = await plain(x);
      const size = [to[0]!, to[1]!] as const;
      for (const alignCorners of [false, true]) {
        const position =
          (axis: 0 | 1) =>
          (i: number): number => {
            if (alignCorners) return to[axis]! > 1 ? (i * (from[axis]! - 1)) / (to[axis]! - 1) : 0;
            return ((i + 0.5) * from[axis]!) / to[axis]! - 0.5;
          };
        const linear = (axis: 0 | 1): Weight => byKernel(tent, from[axis]!, position(axis), 1);
        expect(
          await mismatch(
            interpolate(x, { size, mode: 'bilinear', alignCorners }),
            weighted(image, to, linear(0), linear(1)),
          ),
        ).toBeNull();
        const cubic = (axis: 0 | 1): Weight =>
          byKernel((d) => keys(-0.75, d), from[axis]!, position(axis), 2);
        expect(
          await mismatch(
            interpolate(x, { size, mode: 'bicubic', alignCorners }),
            weighted(image, to, cubic(0), cubic(1)),
          ),
        ).toBeNull();
      }
    },
  );

  test.each(sizes)(
    'with antialias, %o to %o, kernels widen as the image shrinks',
    async (from, to) => {
      const x = floats([1, 1, ...from], 3);
      const image = await plain(x);
      const size = [to[0]!, to[1]!] as const;
      const kernels = { bilinear: tent, bicubic: (d: number): number => keys(-0.5, d) };
      for (const mode of ['bilinear', 'bicubic'] as const) {
        const weight = (axis: 0 | 1): Weight => {
          const step = from[axis]! / to[axis]!;
          const wide = Math.max(step, 1);
          const raw = (i: number, j: number): number =>
            kernels[mode]((j + 0.5 - (i + 0.5) * step) / wide);
          return (i, j) => {
            let total = 0;
            for (let k = 0; k < from[axis]!; k++) total += raw(i, k);
            return raw(i, j) / total;
          };
        };
        expect(
          await mismatch(
            interpolate(x, { size, mode, antialias: true }),
            weighted(image, to, weight(0), weight(1)),
          ),
        ).toBeNull();
      }
    },
  );

  test.each(sizes)('nearest, %o to %o, copies pixels', async (from, to) => {
    const x = floats([2, 1, ...from], 3);
    const image = await plain(x);
    const size = [to[0]!, to[1]!] as const;
    for (const [mode, offset] of [
      ['nearest', 0],
      ['nearest-exact', 0.5],
    ] as const) {
      const weight =
        (axis: 0 | 1): Weight =>
        (i, j) =>
          Number(Math.floor(((i + offset) * from[axis]!) / to[axis]! + 1e-9) === j);
      expect(
        await mismatch(
          interpolate(x, { size, mode }),
          weighted(image, to, weight(0), weight(1)),
          0,
        ),
      ).toBeNull();
    }
  });

  test('area averages as adaptive pooling does', async () => {
    const x = floats([1, 2, 7, 5], 3);
    const pooled = adaptiveAvgPool2d(x, { outputSize: [3, 4] });
    expect(
      await mismatch(interpolate(x, { size: [3, 4], mode: 'area' }), await plain(pooled)),
    ).toBeNull();
  });

  test('nearest is the default, and exact for infinities and NaN', async () => {
    const x = floats([1, 1, 1, 3], [NaN, Infinity, 2]);
    const y = await interpolate(x, { size: [2, 3] }).data();
    expect([...y]).toEqual([NaN, Infinity, 2, NaN, Infinity, 2]);
  });

  test('nearest takes masks of any dtype; the smooth modes say that they do not', async () => {
    const mask = ints([1, 1, 1, 2], [5, 7]);
    const y = interpolate(mask, { size: [1, 4] });
    expect(y.dtype).toBe('int32');
    expect([...(await y.data())]).toEqual([5, 5, 7, 7]);
    const smooth = (): unknown => interpolate(mask, { size: 4, mode: 'bilinear' });
    expect(smooth).toThrow(DtypeError);
    expect(smooth).toThrow(/interpolate: the input is int32/);
  });

  test('one number makes a square', () => {
    expect(interpolate(floats([1, 1, 2, 3]), { size: 4 }).shape).toEqual([1, 1, 4, 4]);
  });
});

/** Where PyTorch 1.13 has NaN in a resized image [5, 6] that has it at [2, 3]. */
const spreads: [string, InterpolateOptions, string[]][] = [
  [
    'bilinear, doubled',
    { mode: 'bilinear', size: [10, 12] },
    [
      '............',
      '............',
      '............',
      '.....NNNN...',
      '.....NNNN...',
      '.....NNNN...',
      '.....NNNN...',
      '............',
      '............',
      '............',
    ],
  ],
  ['bilinear, reduced', { mode: 'bilinear', size: [3, 4] }, ['....', '..N.', '....']],
  [
    'bicubic',
    { mode: 'bicubic', size: [8, 9] },
    [
      '.........',
      '..NNNNNN.',
      '..NNNNNN.',
      '..NNNNNN.',
      '..NNNNNN.',
      '..NNNNNN.',
      '..NNNNNN.',
      '.........',
    ],
  ],
  [
    'bilinear with antialias',
    { mode: 'bilinear', size: [3, 4], antialias: true },
    ['.NN.', '.NN.', '....'],
  ],
  ['area', { mode: 'area', size: [3, 4] }, ['....', '..N.', '....']],
];

describe('what is not finite', () => {
  async function spreadOf(value: number, options: InterpolateOptions): Promise<string[]> {
    const x = numbers([1, 1, 5, 6]);
    x[2 * 6 + 3] = value;
    const y = interpolate(floats([1, 1, 5, 6], x), options);
    const marks = Array.from(await y.data(), (one) => (Number.isFinite(one) ? '.' : 'N'));
    const width = y.shape[3]!;
    return Array.from({ length: y.shape[2]! }, (_, row) =>
      marks.slice(row * width, (row + 1) * width).join(''),
    );
  }

  test.each(spreads)('goes as far as in PyTorch: %s', async (_, options, expected) => {
    for (const value of [NaN, Infinity]) expect(await spreadOf(value, options)).toEqual(expected);
  });

  test('goes nowhere that it weighs 0', async () => {
    const options = { mode: 'bilinear', size: [5, 6], alignCorners: true } as const;
    const alone = ['......', '......', '...N..', '......', '......'];
    expect(await spreadOf(NaN, options)).toEqual(alone);
    expect(await spreadOf(NaN, { ...options, mode: 'bicubic' })).toEqual(alone);
  });

  test('stays in its cells where an axis is averaged', async () => {
    const x = floats([1, 1, 1, 5], [1, 2, NaN, 4, 5]);
    const y = await adaptiveAvgPool2d(x, { outputSize: [1, 4] }).data();
    // PyTorch's cells: elements 0 to 1, 1 to 2, 2 to 3, 3 to 4.
    expect([...y]).toEqual([1.5, NaN, NaN, 4.5]);
  });

  test('in a gradient, goes where it came from', async () => {
    const x = parameter(floats([1, 1, 1, 6]));
    const y = interpolate(x, { size: [1, 12], mode: 'bilinear' });
    const gradient = floats([1, 1, 1, 12], [1, 1, 1, 1, 1, NaN, 1, 1, 1, 1, 1, 1]);
    const [slope] = grad(y, [x], { gradient });
    // Element 5 of the result lies between 2 and 3 of the image.
    const wild = Array.from(await slope!.data(), (value) => Number.isNaN(value));
    expect(wild).toEqual([false, false, true, true, false, false]);
  });
});

describe('interpolate by scaleFactor', () => {
  test('looks where the factor says, unless sizes are to be recomputed', async () => {
    const x = floats([1, 1, 5, 7], 3);
    const image = await plain(x);
    const scaleFactor = 1.7;
    const to = [8, 11];
    for (const recomputeScaleFactor of [false, true]) {
      const weight = (axis: 0 | 1): Weight => {
        const length = image.shape[2 + axis]!;
        const step = recomputeScaleFactor ? length / to[axis]! : 1 / scaleFactor;
        return byKernel(tent, length, (i) => (i + 0.5) * step - 0.5, 1);
      };
      expect(
        await mismatch(
          interpolate(x, { scaleFactor, recomputeScaleFactor, mode: 'bilinear' }),
          weighted(image, to, weight(0), weight(1)),
        ),
      ).toBeNull();
    }
  });

  test('doubling by nearest repeats every pixel', async () => {
    const x = floats([1, 2, 3, 2], 3);
    const { data } = await plain(x);
    expect(
      await mismatch(
        interpolate(x, { scaleFactor: 2 }),
        build([1, 2, 6, 4], ([, c, i, j]) => data[(c! * 3 + (i! >> 1)) * 2 + (j! >> 1)]!),
        0,
      ),
    ).toBeNull();
  });

  test('rounds sizes down, one factor an axis', () => {
    const x = floats([1, 1, 6, 6]);
    expect(interpolate(x, { scaleFactor: [0.6, 1.3] }).shape).toEqual([1, 1, 3, 7]);
  });
});

describe('interpolate', () => {
  const smooth: InterpolateOptions[] = [
    { mode: 'bilinear' },
    { mode: 'bilinear', alignCorners: true },
    { mode: 'bicubic' },
    { mode: 'bilinear', antialias: true },
    { mode: 'bicubic', antialias: true },
    { mode: 'area' },
  ];
  test.each(smooth)('keeps a constant image constant, and mirrors with it: %o', async (options) => {
    const size = [4, 9] as const;
    const flat = interpolate(floats([1, 1, 5, 6], new Float32Array(30).fill(3)), {
      ...options,
      size,
    });
    expect(
      await mismatch(
        flat,
        build([1, 1, 4, 9], () => 3),
      ),
    ).toBeNull();
    const x = floats([1, 1, 5, 6], 3);
    const mirrored = flip(interpolate(flip(x, { axes: [2, 3] }), { ...options, size }), {
      axes: [2, 3],
    });
    expect(await mismatch(interpolate(x, { ...options, size }), await plain(mirrored))).toBeNull();
    const turned = permute(x, [0, 1, 3, 2]);
    const back = permute(interpolate(turned, { ...options, size: [9, 4] }), [0, 1, 3, 2]);
    expect(await mismatch(interpolate(x, { ...options, size }), await plain(back))).toBeNull();
  });

  test('gives the same numbers from cached weights', async () => {
    const x = floats([1, 1, 5, 6], 3);
    const resize = (): Tensor => interpolate(x, { size: [7, 4], mode: 'bicubic' });
    expect(await plain(resize())).toEqual(await plain(resize()));
    // Enough other sizes to push the first weights out.
    for (let size = 1; size < 80; size++) interpolate(x, { size, mode: 'bicubic' }).dispose();
    const again = await plain(resize());
    expect(again).toEqual(await plain(resize()));
  });

  test.each([...smooth, { mode: 'nearest' } as const])(
    'gradients agree with finite differences: %o',
    async (options) => {
      const upstream = floats([1, 1, 3, 5], 2);
      const check = await checkGradients(
        (x) => sum(mul(interpolate(x, { ...options, size: [3, 5] }), upstream)),
        [floats([1, 1, 4, 3], 3)],
      );
      expect(check).toMatchObject({ passed: true });
    },
  );

  test.each(smooth)('second derivatives agree with finite differences: %o', async (options) => {
    const [weights, direction] = [floats([1, 1, 3, 5], 2), floats([1, 1, 4, 3], 5)];
    const resize = (x: Tensor): Tensor => interpolate(x, { ...options, size: [3, 5] });
    const slope = valueAndGrad((x) => sum(mul(square(resize(x)), weights)));
    const check = await checkGradients(
      (x) => sum(mul(slope(x).grads[0]!, direction)),
      [floats([1, 1, 4, 3], 3)],
    );
    expect(check).toMatchObject({ passed: true });
  });

  test('leaves nothing behind but its result', () => {
    const x = floats([1, 1, 5, 6]);
    for (const mode of ['nearest', 'bilinear', 'bicubic', 'area'] as const) {
      expect(leaked(() => interpolate(x, { size: 4, mode }))).toBe(0);
    }
  });

  test('goes along one axis, then the other', () => {
    const { ops } = explain(() => interpolate(floats([1, 1, 5, 6]), { size: 4, mode: 'bicubic' }));
    expect(ops).toEqual([{ op: 'resample', run: 2, decomposed: 0 }]);
  });

  test('computes shapes without data', () => {
    const x = zeros([1, 3, 32, 32], { backend: createMeta() });
    expect(interpolate(x, { scaleFactor: 7, mode: 'bicubic' }).shape).toEqual([1, 3, 224, 224]);
    expect(interpolate(x, { size: [5, 64] }).shape).toEqual([1, 3, 5, 64]);
  });

  const mistakes: [string, number[], object, RegExp][] = [
    ['no size at all', [1, 1, 4, 4], {}, /either size or scaleFactor, got neither/],
    ['size and scaleFactor', [1, 1, 4, 4], { size: 2, scaleFactor: 2 }, /got both/],
    ['size 0', [1, 1, 4, 4], { size: [0, 4] }, /interpolate: size .*got \[0, 4\]/],
    ['a negative factor', [1, 1, 4, 4], { scaleFactor: -2 }, /scaleFactor .*got -2/],
    [
      'a factor that leaves nothing',
      [1, 1, 4, 4],
      { scaleFactor: 0.1 },
      /leaves nothing of height and width \[4, 4\]/,
    ],
    [
      'an unknown mode',
      [1, 1, 4, 4],
      { size: 2, mode: 'linear' },
      /mode must be one of nearest.*got linear/,
    ],
    [
      'alignCorners with nearest',
      [1, 1, 4, 4],
      { size: 2, alignCorners: true },
      /alignCorners goes with bilinear and bicubic, not with nearest/,
    ],
    [
      'antialias with area',
      [1, 1, 4, 4],
      { size: 2, mode: 'area', antialias: true },
      /antialias goes with .*not with area/,
    ],
    [
      'rank 3',
      [1, 4, 4],
      { size: 2 },
      /interpolate: the input has shape \[1, 4, 4\].*\[N, C, H, W\]/,
    ],
  ];
  test.each(mistakes)('names the mistake: %s', (_, shape, options, message) => {
    expect(() => interpolate(floats(shape), options)).toThrow(ShapeError);
    expect(() => interpolate(floats(shape), options)).toThrow(message);
  });
});
