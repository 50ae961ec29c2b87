// Examples of matrix products and convolutions: named geometries small enough for gradients, larger ones that fill the
// blocks of a tuned kernel, and a seeded sweep over odd combinations.

import {
  conv2dOutputSize,
  type Conv2dAttributes,
  type FusedActivation,
  type Shape,
} from '@convoke/backend-api';

import { Source } from '../source.ts';
import { examplesOf, type Example } from './example.ts';

const transposes = [
  { transposeA: false, transposeB: false },
  { transposeA: true, transposeB: false },
  { transposeA: false, transposeB: true },
  { transposeA: true, transposeB: true },
];

function stored(batch: Shape, rows: number, columns: number, transposed: boolean): Shape {
  return [...batch, ...(transposed ? [columns, rows] : [rows, columns])];
}

const products: Example[] = transposes.flatMap((attributes) => {
  const form = `${attributes.transposeA ? 'At' : 'A'} ${attributes.transposeB ? 'Bt' : 'B'}`;
  const operands = (batchA: Shape, batchB: Shape, m: number, k: number, n: number) => [
    { shape: stored(batchA, m, k, attributes.transposeA) },
    { shape: stored(batchB, k, n, attributes.transposeB) },
  ];
  return examplesOf(
    'matmul',
    { name: form, attributes, inputs: operands([], [], 3, 4, 5) },
    { name: `${form} batched`, attributes, inputs: operands([2], [2], 2, 3, 2) },
    { name: `${form} broadcast`, attributes, inputs: operands([2, 1], [3], 2, 3, 2) },
    { name: `${form} vector`, attributes, inputs: operands([], [], 1, 7, 1) },
    {
      name: `${form} blocks`,
      attributes,
      inputs: operands([], [], 67, 131, 73),
      differentiate: false,
    },
    {
      name: `${form} one row`,
      attributes,
      inputs: operands([], [], 1, 300, 65),
      differentiate: false,
    },
  );
});

interface ConvGeometry extends Conv2dAttributes {
  readonly name: string;
  readonly x: readonly [number, number, number, number];
  readonly filter: readonly [number, number, number, number];
  /** Too large for finite differences. */
  readonly large?: boolean;
}

const plain: Conv2dAttributes = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
};

const named: readonly ConvGeometry[] = [
  { ...plain, name: 'one pixel kernel', x: [2, 3, 3, 4], filter: [4, 3, 1, 1] },
  { ...plain, name: 'valid', x: [1, 2, 5, 4], filter: [3, 2, 3, 2] },
  { ...plain, name: 'same', x: [2, 2, 4, 5], filter: [2, 2, 3, 3], padding: [1, 1, 1, 1] },
  {
    ...plain,
    name: 'uneven padding',
    x: [1, 2, 4, 4],
    filter: [2, 2, 2, 3],
    padding: [0, 1, 2, 1],
  },
  {
    ...plain,
    name: 'stride',
    x: [1, 2, 6, 5],
    filter: [2, 2, 3, 2],
    stride: [2, 3],
    padding: [1, 0, 0, 1],
  },
  {
    ...plain,
    name: 'stride beyond the kernel',
    x: [1, 1, 7, 7],
    filter: [1, 1, 2, 2],
    stride: [3, 4],
  },
  {
    ...plain,
    name: 'dilation',
    x: [1, 1, 7, 6],
    filter: [2, 1, 3, 2],
    rhsDilation: [2, 3],
    padding: [1, 1, 0, 1],
  },
  { ...plain, name: 'groups', x: [2, 4, 4, 3], filter: [6, 2, 2, 2], groups: 2 },
  {
    ...plain,
    name: 'depthwise',
    x: [1, 3, 5, 5],
    filter: [3, 1, 3, 3],
    groups: 3,
    padding: [1, 1, 1, 1],
  },
  {
    ...plain,
    name: 'depthwise with multiplier',
    x: [1, 2, 4, 4],
    filter: [4, 1, 2, 3],
    groups: 2,
    stride: [2, 1],
  },
  {
    ...plain,
    name: 'transposed',
    x: [1, 2, 3, 3],
    filter: [2, 2, 3, 3],
    lhsDilation: [2, 2],
    padding: [2, 1, 1, 2],
  },
  { ...plain, name: 'cropping', x: [1, 1, 6, 6], filter: [2, 1, 2, 2], padding: [-1, 0, 1, -2] },
  {
    ...plain,
    name: 'everything',
    x: [2, 4, 5, 4],
    filter: [2, 2, 2, 3],
    groups: 2,
    stride: [2, 1],
    lhsDilation: [2, 1],
    rhsDilation: [1, 2],
    padding: [1, 0, 2, 1],
  },
  {
    ...plain,
    name: 'blocks 3x3',
    large: true,
    x: [2, 17, 13, 19],
    filter: [35, 17, 3, 3],
    padding: [1, 1, 1, 1],
  },
  { ...plain, name: 'blocks 1x1', large: true, x: [1, 70, 9, 11], filter: [33, 70, 1, 1] },
  {
    ...plain,
    name: 'blocks 5x5 stride 2',
    large: true,
    x: [2, 5, 17, 15],
    filter: [9, 5, 5, 5],
    stride: [2, 2],
    padding: [2, 2, 2, 2],
  },
  {
    ...plain,
    name: 'blocks depthwise',
    large: true,
    x: [2, 19, 14, 15],
    filter: [19, 1, 3, 3],
    groups: 19,
    padding: [1, 1, 1, 1],
  },
  {
    ...plain,
    name: 'blocks depthwise stride 2',
    large: true,
    x: [1, 9, 15, 16],
    filter: [9, 1, 5, 5],
    groups: 9,
    stride: [2, 2],
    padding: [2, 2, 2, 2],
  },
];

/** Geometries that nobody would write down, drawn until the catalogue accepts them. */
function sweep(count: number): ConvGeometry[] {
  const source = new Source('convolution sweep');
  const found: ConvGeometry[] = [];
  while (found.length < count) {
    const groups = source.pick([1, 1, 2, 3]);
    const [perGroup, outputs] = [source.whole(1, 4), source.whole(1, 4)];
    const kernel = [source.whole(1, 5), source.whole(1, 5)] as const;
    const size = [source.whole(2, 10), source.whole(2, 10)] as const;
    const side = (): number => source.whole(-1, 4);
    const geometry: ConvGeometry = {
      name: `sweep ${found.length + 1}`,
      large: true,
      x: [source.whole(1, 4), perGroup * groups, ...size],
      filter: [outputs * groups, perGroup, ...kernel],
      stride: [source.whole(1, 4), source.whole(1, 4)],
      padding: [side(), side(), side(), side()],
      lhsDilation: [source.pick([1, 1, 1, 2]), source.pick([1, 1, 1, 3])],
      rhsDilation: [source.pick([1, 1, 2]), source.pick([1, 1, 3])],
      groups,
    };
    try {
      conv2dOutputSize('conv2d', size, kernel, geometry);
      found.push(geometry);
    } catch {
      // The kernel reaches beyond this input; draw another.
    }
  }
  return found;
}

const convGeometries: readonly ConvGeometry[] = [...named, ...sweep(24)];

const convolutions: Example[] = convGeometries.flatMap(
  ({ name, x, filter, large = false, ...attributes }) => {
    const [height, width] = conv2dOutputSize('conv2d', x.slice(2), filter.slice(2), attributes);
    const y = [x[0], filter[0], height, width];
    const differentiate = !large;
    return [
      examplesOf('conv2d', {
        name,
        attributes,
        inputs: [{ shape: x }, { shape: filter }],
        differentiate,
      }),
      examplesOf('conv2dInputGradient', {
        name,
        attributes: { ...attributes, inputSize: [x[2], x[3]] },
        inputs: [{ shape: y }, { shape: filter }],
        differentiate,
      }),
      examplesOf('conv2dFilterGradient', {
        name,
        attributes: { ...attributes, kernelSize: [filter[2], filter[3]] },
        inputs: [{ shape: x }, { shape: y }],
        differentiate,
      }),
    ].flat();
  },
);

const fused: Example[] = (['none', 'relu', 'relu6'] as const).flatMap(
  (activation: FusedActivation) =>
    [false, true].flatMap((residual) => {
      const attributes = { ...plain, padding: [1, 1, 1, 1] as const, activation, residual };
      const suffix = residual ? `${activation} with residual` : activation;
      const operands = (channels: number, outputs: number, size: number, groups: number) => [
        // Distinct steps keep the sums off the kinks of the activation.
        { shape: [2, channels, size, size] },
        { shape: [outputs, channels / groups, 3, 3] },
        { shape: [outputs], range: [1, 3] as const },
        ...(residual ? [{ shape: [2, outputs, size, size] }] : []),
      ];
      return examplesOf(
        'fusedConv2d',
        { name: suffix, attributes, inputs: operands(2, 3, 3, 1) },
        {
          name: `${suffix}, blocks`,
          attributes,
          inputs: operands(16, 20, 11, 1),
          differentiate: false,
        },
        {
          name: `${suffix}, depthwise`,
          attributes: { ...attributes, groups: 6 },
          inputs: operands(6, 6, 7, 6),
          differentiate: false,
        },
      );
    }),
);

export const linear: readonly Example[] = [...products, ...convolutions, ...fused];
