// Convolutions of any stride, padding, dilation and groups, and their gradients, one element a thread. Taps and channels are
// loops with literal bounds; a tap outside the image is skipped.

import {
  sizeOf,
  type Conv2dAttributes,
  type FusedConv2dAttributes,
  type Shape,
} from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { split } from '../indexing.ts';
import type { Kit, OpKernels } from '../kernel.ts';
import { packedConvolution, packedFilterGradientOf, packedInputGradient } from './packed-conv.ts';
import { fold, sumFold } from './reductions.ts';

interface Sizes {
  readonly n: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outputs: number;
  /** Channels and outputs of a group. */
  readonly perGroup: number;
  readonly outputsPerGroup: number;
  readonly rows: number;
  readonly columns: number;
  readonly kernel: readonly [number, number];
}

function sizesOf(x: Shape, y: Shape, kernel: Shape, groups: number): Sizes {
  return {
    n: x[0]!,
    channels: x[1]!,
    height: x[2]!,
    width: x[3]!,
    outputs: y[1]!,
    perGroup: x[1]! / groups,
    outputsPerGroup: y[1]! / groups,
    rows: y[2]!,
    columns: y[3]!,
    kernel: [kernel[0]!, kernel[1]!],
  };
}

/**
 * `body` where the whole number `position / step` lies in 0..length-1, as `name`. `position` may be negative and is computed
 * once.
 */
function within(
  name: string,
  position: string,
  step: number,
  length: number,
  body: string,
): string {
  if (step === 1) {
    return `const ${name} = ${position};\nif (${name} >= 0 && ${name} < ${length}) {\n${body}\n}`;
  }
  return `const ${name}p = ${position};
if (${name}p >= 0 && ${name}p < ${(length - 1) * step + 1}) {
if (imod(${name}p, ${step}) === 0) {
const ${name} = idiv(${name}p, ${step});
${body}
}
}`;
}

const minus = (value: number): string => (value < 0 ? `+ ${-value}` : `- ${value}`);

/** sum += x at a tap times `factor`, for output row and column `oy`, `ox`. `channel` is x's plane: n * channels + c. */
function tap(
  { stride, padding, lhsDilation, rhsDilation }: Conv2dAttributes,
  { height, width }: Sizes,
  channel: string,
  factor: string,
): string {
  const inner = `s = s + x[(${channel} * ${height} + iy) * ${width} + ix] * ${factor};`;
  return within(
    'iy',
    `oy * ${stride[0]} + ky * ${rhsDilation[0]} ${minus(padding[0])}`,
    lhsDilation[0],
    height,
    within(
      'ix',
      `ox * ${stride[1]} + kx * ${rhsDilation[1]} ${minus(padding[2])}`,
      lhsDilation[1],
      width,
      inner,
    ),
  );
}

const loop = (name: string, count: number, body: string): string =>
  count === 1
    ? `for (let ${name} = 0; ${name} < 1; ${name}++) {\n${body}\n}`
    : `for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body}\n}`;

function forward(attributes: Conv2dAttributes, sizes: Sizes, finish: string): string {
  const { n, channels, outputs, perGroup, outputsPerGroup, rows, columns, kernel } = sizes;
  const { code, names } = split('i', [n, outputs, rows, columns], 'c');
  const [sample, output, row, column] = names as [string, string, string, string];
  const group = attributes.groups === 1 ? '0' : `idiv(${output}, ${outputsPerGroup}) * ${perGroup}`;
  const body = tap(
    attributes,
    sizes,
    '(first + c)',
    `filter[((o * ${perGroup} + c) * ${kernel[0]} + ky) * ${kernel[1]} + kx]`,
  );
  return `const i = this.thread.x;
${code}const o = ${output} + 0;
const oy = ${row} + 0;
const ox = ${column} + 0;
const first = ${sample} * ${channels} + ${group};
let s = 0.0;
${loop('c', perGroup, loop('ky', kernel[0], loop('kx', kernel[1], body)))}
${finish}`;
}

const activations: Readonly<Record<FusedConv2dAttributes['activation'], string>> = {
  none: 's',
  relu: 'Math.max(s, 0.0)',
  relu6: 'Math.min(Math.max(s, 0.0), 6.0)',
};

const plus = (value: number): string => (value < 0 ? `- ${-value}` : `+ ${value}`);

/** Gradient for an input element: the outputs whose taps reach it. */
function inputGradient(attributes: Conv2dAttributes, sizes: Sizes): string {
  const { stride, padding, lhsDilation, rhsDilation, groups } = attributes;
  const { n, channels, height, width, outputs, perGroup, outputsPerGroup, rows, columns, kernel } =
    sizes;
  const { code, names } = split('i', [n, channels, height, width], 'c');
  const [sample, channel, row, column] = names as [string, string, string, string];
  const group = groups === 1 ? '0' : `idiv(${channel}, ${perGroup})`;
  const inner = `s = s + gradient[((${sample} * ${outputs} + first + o) * ${rows} + oy) * ${columns} + ox] * filter[(((first + o) * ${perGroup} + own) * ${kernel[0]} + ky) * ${kernel[1]} + kx];`;
  const body = within(
    'oy',
    `${row} * ${lhsDilation[0]} ${plus(padding[0])} - ky * ${rhsDilation[0]}`,
    stride[0],
    rows,
    within(
      'ox',
      `${column} * ${lhsDilation[1]} ${plus(padding[2])} - kx * ${rhsDilation[1]}`,
      stride[1],
      columns,
      inner,
    ),
  );
  return `const i = this.thread.x;
${code}const group = ${group} + 0;
const own = ${channel} - group * ${perGroup};
const first = group * ${outputsPerGroup};
let s = 0.0;
${loop('o', outputsPerGroup, loop('ky', kernel[0], loop('kx', kernel[1], body)))}
return s;`;
}

/** One sample's part of the gradient for a filter element. */
function filterGradient(attributes: Conv2dAttributes, sizes: Sizes): string {
  const { n, channels, outputs, perGroup, outputsPerGroup, rows, columns, kernel } = sizes;
  const { code, names } = split('i', [n, outputs, perGroup, ...kernel], 'c');
  const [sample, output, channel, ky, kx] = names as [string, string, string, string, string];
  const group = attributes.groups === 1 ? '0' : `idiv(${output}, ${outputsPerGroup}) * ${perGroup}`;
  const body = tap(
    attributes,
    sizes,
    'plane',
    `gradient[((${sample} * ${outputs} + ${output}) * ${rows} + oy) * ${columns} + ox]`,
  );
  return `const i = this.thread.x;
${code}const ky = ${ky} + 0;
const kx = ${kx} + 0;
const plane = ${sample} * ${channels} + ${group} + ${channel};
let s = 0.0;
${loop('oy', rows, loop('ox', columns, body))}
return s;`;
}

function filterGradientOf(
  kit: Kit,
  x: Buffer,
  gradient: Buffer,
  attributes: Conv2dAttributes,
  sizes: Sizes,
  shape: Shape,
): Buffer {
  const parts = [sizes.n, ...shape];
  const partial = kit.compute('samples', parts, [x, gradient], ['x', 'gradient'], () =>
    filterGradient(attributes, sizes),
  );
  if (sizes.n === 1) return partial;
  return fold(kit, sumFold, [kit.passing(partial)], [sizes.n, sizeOf(shape)], [0]);
}

export const convKernels: OpKernels = {
  conv2d: (kit, [x, filter], attributes, [output]) => [
    packedConvolution(kit, x!, filter!, attributes, output!.shape) ??
      kit.compute('each', output!.shape, [kit.flat(x!), kit.flat(filter!)], ['x', 'filter'], () => {
        const kernel = filter!.spec.shape.slice(2);
        const sizes = sizesOf(x!.spec.shape, output!.shape, kernel, attributes.groups);
        return forward(attributes, sizes, 'return s;');
      }),
  ],
  fusedConv2d: (kit, inputs, attributes, [output]) => {
    const [x, filter] = inputs;
    const names = ['x', 'filter', 'bias', ...(attributes.residual ? ['residual'] : [])];
    const finish = {
      bias: inputs[2]!,
      residual: attributes.residual ? inputs[3]! : null,
      activation: attributes.activation,
    };
    return [
      packedConvolution(kit, x!, filter!, attributes, output!.shape, finish) ??
        kit.compute(
          'each',
          output!.shape,
          inputs.map((input) => kit.flat(input)),
          names,
          () => {
            const kernel = filter!.spec.shape.slice(2);
            const sizes = sizesOf(x!.spec.shape, output!.shape, kernel, attributes.groups);
            const residual = attributes.residual ? ' + residual[i]' : '';
            return forward(
              attributes,
              sizes,
              `s = s + bias[o]${residual};\nreturn ${activations[attributes.activation]};`,
            );
          },
        ),
    ];
  },
  conv2dInputGradient: (kit, [gradient, filter], attributes, [output]) => [
    packedInputGradient(kit, gradient!, filter!, attributes, output!.shape) ??
      kit.compute(
        'each',
        output!.shape,
        [kit.flat(gradient!), kit.flat(filter!)],
        ['gradient', 'filter'],
        () => {
          const kernel = filter!.spec.shape.slice(2);
          const sizes = sizesOf(output!.shape, gradient!.spec.shape, kernel, attributes.groups);
          return inputGradient(attributes, sizes);
        },
      ),
  ],
  conv2dFilterGradient: (kit, [x, gradient], attributes, [output]) => {
    const sizes = sizesOf(
      x!.spec.shape,
      gradient!.spec.shape,
      attributes.kernelSize,
      attributes.groups,
    );
    return [
      packedFilterGradientOf(kit, x!, gradient!, attributes, output!.shape) ??
        filterGradientOf(kit, kit.flat(x!), kit.flat(gradient!), attributes, sizes, output!.shape),
    ];
  },
};
