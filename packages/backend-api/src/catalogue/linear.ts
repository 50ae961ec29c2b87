// Matrix products and convolutions, with the geometry that kernels, gradients and summaries share.

import type { OpDefinition } from '../builder.ts';
import { ShapeError } from '../errors.ts';
import { broadcastShapes, formatShape, sizeOf, type Shape, type Spec } from '../spec.ts';
import type {
  Conv2dAttributes,
  FusedConv2dAttributes,
  OpAttributes,
  Padding2d,
  Pair,
} from './attributes.ts';
import {
  expectDtype,
  expectInputs,
  expectRank,
  expectShape,
  expectWhole,
  float32,
} from './checks.ts';
import { compose, type Composer } from './composing.ts';

type LinearName =
  | 'matmul'
  | 'conv2d'
  | 'fusedConv2d'
  | 'conv2dInputGradient'
  | 'conv2dFilterGradient';

export interface MatmulGeometry {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** The broadcast leading axes. */
  readonly batch: number[];
}

function formatFactor(shape: Shape, transposed: boolean): string {
  return formatShape(shape) + (transposed ? ' transposed' : '');
}

export function matmulGeometry(
  a: Shape,
  b: Shape,
  { transposeA, transposeB }: OpAttributes['matmul'],
): MatmulGeometry {
  const [rowsA, columnsA] = a.slice(-2) as [number, number];
  const [rowsB, columnsB] = b.slice(-2) as [number, number];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [k2, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  const batch = broadcastShapes(a.slice(0, -2), b.slice(0, -2));
  if (k !== k2 || !batch) {
    const why = batch ? `inner lengths ${k} and ${k2} differ` : 'leading axes do not broadcast';
    throw new ShapeError(
      `matmul: ${formatFactor(a, transposeA)} times ${formatFactor(b, transposeB)}: ${why}; expected [..., M, K] times [..., K, N]`,
    );
  }
  return { m, n, k, batch };
}

/** Elements along an axis once zeros are put between them. */
function dilated(length: number, dilation: number): number {
  return length === 0 ? 0 : (length - 1) * dilation + 1;
}

/** Output [height, width] of a convolution; throws a ShapeError where there is none. */
export function conv2dOutputSize(
  op: string,
  input: readonly number[],
  kernel: readonly number[],
  {
    stride,
    padding,
    lhsDilation,
    rhsDilation,
  }: Pick<Conv2dAttributes, 'stride' | 'padding' | 'lhsDilation' | 'rhsDilation'>,
): [number, number] {
  const size = [0, 1].map((axis) => {
    const [low, high] = [padding[axis * 2]!, padding[axis * 2 + 1]!];
    const padded = dilated(input[axis]!, lhsDilation[axis]!) + low + high;
    const reach = dilated(kernel[axis]!, rhsDilation[axis]!);
    if (padded < reach) {
      const name = axis === 0 ? 'height' : 'width';
      throw new ShapeError(
        `${op}: the kernel reaches over ${reach} elements, more than the padded input's ${name} of ${padded} (input ${input[axis]}, padding ${low} and ${high})`,
      );
    }
    return Math.floor((padded - reach) / stride[axis]!) + 1;
  });
  return size as [number, number];
}

function expectConv2d(op: string, attributes: Conv2dAttributes): void {
  const { stride, padding, lhsDilation, rhsDilation, groups } = attributes;
  expectWhole(op, 'stride', stride, 1);
  expectWhole(op, 'lhsDilation', lhsDilation, 1);
  expectWhole(op, 'dilation', rhsDilation, 1);
  expectWhole(op, 'groups', [groups], 1);
  if (padding.length !== 4 || !padding.every(Number.isSafeInteger)) {
    throw new ShapeError(
      `${op}: padding must be 4 whole numbers [top, bottom, left, right], got ${formatShape(padding)}`,
    );
  }
}

function inferConv2d(op: string, x: Spec, filter: Spec, attributes: Conv2dAttributes): Spec {
  expectConv2d(op, attributes);
  expectDtype(op, 'the input', x, 'float32');
  expectDtype(op, 'the filter', filter, 'float32');
  expectRank(op, 'the input', x, 4, '[N, C, H, W]');
  expectRank(op, 'the filter', filter, 4, '[O, C/groups, kH, kW]');
  const { groups } = attributes;
  const [n, channels, height, width] = x.shape as [number, number, number, number];
  const [outputs, perGroup, kernelHeight, kernelWidth] = filter.shape as [
    number,
    number,
    number,
    number,
  ];
  if (perGroup * groups !== channels) {
    throw new ShapeError(
      `${op}: the input ${formatShape(x.shape)} has ${channels} channels, but the filter ${formatShape(filter.shape)} takes ${perGroup} in ${groups === 1 ? '1 group' : `each of ${groups} groups`}; expected ${perGroup * groups}`,
    );
  }
  if (outputs % groups !== 0) {
    throw new ShapeError(`${op}: ${outputs} output channels do not divide into ${groups} groups`);
  }
  if (kernelHeight === 0 || kernelWidth === 0) {
    throw new ShapeError(`${op}: the filter ${formatShape(filter.shape)} has an empty kernel`);
  }
  const size = conv2dOutputSize(op, [height, width], [kernelHeight, kernelWidth], attributes);
  return float32([n, outputs, ...size]);
}

function convMacs(filter: Spec, output: Spec): number {
  return sizeOf(output.shape) * sizeOf(filter.shape.slice(1));
}

/** Exchanges input and output channels of a grouped filter and turns each kernel by 180 degrees. */
function transposeFilter<V>(c: Composer<V>, filter: V, groups: number): V {
  const [outputs, perGroup, height, width] = c.shape(filter) as [number, number, number, number];
  const split = c.reshape(filter, [groups, outputs / groups, perGroup, height, width]);
  const swapped = c.run('permute', { permutation: [0, 2, 1, 3, 4] }, split);
  const joined = c.reshape(swapped, [groups * perGroup, outputs / groups, height, width]);
  return c.run('flip', { axes: [2, 3] }, joined);
}

/** Padding of the convolution that carries a gradient of size `output` back to an input of size `input`. */
function inputGradientPadding(
  input: Pair,
  output: Pair,
  kernel: Pair,
  { stride, padding, lhsDilation, rhsDilation }: Conv2dAttributes,
): Padding2d {
  return [0, 1].flatMap((axis) => {
    const reach = rhsDilation[axis]! * (kernel[axis]! - 1);
    const low = reach - padding[axis * 2]!;
    const high =
      dilated(input[axis]!, lhsDilation[axis]!) -
      dilated(output[axis]!, stride[axis]!) -
      low +
      reach;
    return [low, high];
  }) as unknown as Padding2d;
}

/** Padding of the convolution of input and gradient that gives exactly `kernel` taps. */
function filterGradientPadding(
  input: Pair,
  output: Pair,
  kernel: Pair,
  { stride, padding, lhsDilation, rhsDilation }: Conv2dAttributes,
): Padding2d {
  return [0, 1].flatMap((axis) => {
    const low = padding[axis * 2]!;
    const needed = rhsDilation[axis]! * (kernel[axis]! - 1) + dilated(output[axis]!, stride[axis]!);
    return [low, needed - dilated(input[axis]!, lhsDilation[axis]!) - low];
  }) as unknown as Padding2d;
}

function spatial(shape: Shape): Pair {
  return [shape[2]!, shape[3]!];
}

/** The convolution that a fused one contains. */
export function conv2dPart({
  stride,
  padding,
  lhsDilation,
  rhsDilation,
  groups,
}: Conv2dAttributes): Conv2dAttributes {
  return { stride, padding, lhsDilation, rhsDilation, groups };
}

export const linear: { readonly [K in LinearName]: OpDefinition<OpAttributes[K]> } = {
  matmul: {
    summary: 'matrix product, batched over leading axes',
    infer(inputs, attributes) {
      expectInputs('matmul', inputs, 2);
      const [a, b] = inputs as [Spec, Spec];
      for (const [i, spec] of inputs.entries()) {
        expectDtype('matmul', `input ${i}`, spec, 'float32');
        if (spec.shape.length < 2) {
          throw new ShapeError(
            `matmul: input ${i} has shape ${formatShape(spec.shape)}; expected at least 2 axes`,
          );
        }
      }
      const { m, n, batch } = matmulGeometry(a.shape, b.shape, attributes);
      return [float32([...batch, m, n])];
    },
    macs([a, b], _, attributes) {
      const { m, n, k, batch } = matmulGeometry(a!.shape, b!.shape, attributes);
      return sizeOf(batch) * m * n * k;
    },
  },
  conv2d: {
    summary: 'cross-correlation of images with filters',
    infer(inputs, attributes) {
      expectInputs('conv2d', inputs, 2);
      return [inferConv2d('conv2d', inputs[0]!, inputs[1]!, attributes)];
    },
    macs: ([, filter], [output]) => convMacs(filter!, output!),
  },
  fusedConv2d: {
    summary: 'convolution with bias, residual and activation in one pass',
    infer(inputs, attributes: FusedConv2dAttributes) {
      expectInputs('fusedConv2d', inputs, attributes.residual ? 4 : 3);
      const [x, filter, bias, residual] = inputs as [Spec, Spec, Spec, Spec?];
      const output = inferConv2d('conv2d', x, filter, attributes);
      expectDtype('conv2d', 'the bias', bias, 'float32');
      expectShape('conv2d', 'the bias', bias, [filter.shape[0]!]);
      if (residual) expectShape('conv2d', 'the residual', residual, output.shape);
      return [output];
    },
    decompose(builder, [x, filter, bias, residual], attributes) {
      const c = compose(builder);
      let y = c.run('conv2d', conv2dPart(attributes), x!, filter!);
      y = c.add(y, c.reshape(bias!, [c.shape(bias!)[0]!, 1, 1]));
      if (residual !== undefined) y = c.add(y, residual);
      if (attributes.activation === 'relu') y = c.op('relu', y);
      if (attributes.activation === 'relu6') y = c.run('clamp', { min: 0, max: 6 }, y);
      return [y];
    },
    macs: ([, filter], [output]) => convMacs(filter!, output!),
  },
  conv2dInputGradient: {
    summary: 'gradient of conv2d with respect to its input',
    infer(inputs, attributes) {
      const op = 'conv2dInputGradient';
      expectInputs(op, inputs, 2);
      const [gradient, filter] = inputs as [Spec, Spec];
      expectRank(op, 'the gradient', gradient, 4, '[N, O, H, W]');
      expectRank(op, 'the filter', filter, 4, '[O, C/groups, kH, kW]');
      const x = float32([
        gradient.shape[0]!,
        filter.shape[1]! * attributes.groups,
        ...attributes.inputSize,
      ]);
      const expected = inferConv2d(op, x, filter, attributes);
      expectDtype(op, 'the gradient', gradient, 'float32');
      expectShape(op, 'the gradient', gradient, expected.shape);
      return [x];
    },
    decompose(builder, [gradient, filter], attributes) {
      const c = compose(builder);
      const { stride, lhsDilation, rhsDilation, groups, inputSize } = attributes;
      const padding = inputGradientPadding(
        inputSize,
        spatial(c.shape(gradient!)),
        spatial(c.shape(filter!)),
        attributes,
      );
      const turned = transposeFilter(c, filter!, groups);
      return [
        c.run(
          'conv2d',
          { stride: lhsDilation, padding, lhsDilation: stride, rhsDilation, groups },
          gradient!,
          turned,
        ),
      ];
    },
  },
  conv2dFilterGradient: {
    summary: 'gradient of conv2d with respect to its filter',
    infer(inputs, attributes) {
      const op = 'conv2dFilterGradient';
      expectInputs(op, inputs, 2);
      const [x, gradient] = inputs as [Spec, Spec];
      expectRank(op, 'the input', x, 4, '[N, C, H, W]');
      expectRank(op, 'the gradient', gradient, 4, '[N, O, H, W]');
      const filter = float32([
        gradient.shape[1]!,
        x.shape[1]! / attributes.groups,
        ...attributes.kernelSize,
      ]);
      const expected = inferConv2d(op, x, filter, attributes);
      expectDtype(op, 'the gradient', gradient, 'float32');
      expectShape(op, 'the gradient', gradient, expected.shape);
      return [filter];
    },
    decompose(builder, [x, gradient], attributes) {
      const c = compose(builder);
      const { stride, lhsDilation, rhsDilation, groups, kernelSize } = attributes;
      const [n, channels, height, width] = c.shape(x!) as [number, number, number, number];
      const padding = filterGradientPadding(
        [height, width],
        spatial(c.shape(gradient!)),
        kernelSize,
        attributes,
      );
      // Batch and channels change places: each input channel is an image, each sample a channel.
      const split = c.reshape(x!, [n, groups, channels / groups, height, width]);
      const images = c.reshape(c.run('permute', { permutation: [2, 1, 0, 3, 4] }, split), [
        channels / groups,
        groups * n,
        height,
        width,
      ]);
      const filters = c.run('permute', { permutation: [1, 0, 2, 3] }, gradient!);
      const result = c.run(
        'conv2d',
        { stride: rhsDilation, padding, lhsDilation, rhsDilation: stride, groups },
        images,
        filters,
      );
      return [c.run('permute', { permutation: [1, 0, 2, 3] }, result)];
    },
  },
};
