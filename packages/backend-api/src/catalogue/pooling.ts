// Windows over the height and width of [N, C, H, W]: maxima, sums, averages and their gradients.

import type { OpDefinition } from '../builder.ts';
import { ShapeError } from '../errors.ts';
import { formatShape, type Shape, type Spec } from '../spec.ts';
import type {
  AveragePool2dAttributes,
  OpAttributes,
  Padding2d,
  Pair,
  Window2dAttributes,
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
import { conv2dOutputSize } from './linear.ts';

type PoolingName =
  | 'maxPool2d'
  | 'maxPool2dGradient'
  | 'sumPool2d'
  | 'sumPool2dGradient'
  | 'averagePool2d'
  | 'averagePool2dGradient';

const undilated: Pair = [1, 1];

function pooledShape(op: string, shape: Shape, attributes: Window2dAttributes): number[] {
  const { kernelSize, stride, padding, dilation } = attributes;
  expectWhole(op, 'kernelSize', kernelSize, 1);
  expectWhole(op, 'stride', stride, 1);
  expectWhole(op, 'padding', padding, 0);
  expectWhole(op, 'dilation', dilation, 1);
  const size = conv2dOutputSize(op, shape.slice(2), kernelSize, {
    stride,
    padding,
    lhsDilation: undilated,
    rhsDilation: dilation,
  });
  return [shape[0]!, shape[1]!, ...size];
}

function inferPool(op: string, inputs: readonly Spec[], attributes: Window2dAttributes): Spec {
  expectInputs(op, inputs, 1);
  expectDtype(op, 'the input', inputs[0]!, 'float32');
  expectRank(op, 'the input', inputs[0]!, 4, '[N, C, H, W]');
  return float32(pooledShape(op, inputs[0]!.shape, attributes));
}

function inferPoolGradient(
  op: string,
  gradient: Spec,
  attributes: Window2dAttributes & { inputSize: Pair },
): Spec {
  expectDtype(op, 'the gradient', gradient, 'float32');
  expectRank(op, 'the gradient', gradient, 4, '[N, C, H, W]');
  const x = [gradient.shape[0]!, gradient.shape[1]!, ...attributes.inputSize];
  expectShape(op, 'the gradient', gradient, pooledShape(op, x, attributes));
  return float32(x);
}

export function window2dPart({
  kernelSize,
  stride,
  padding,
  dilation,
}: Window2dAttributes): Window2dAttributes {
  return { kernelSize, stride, padding, dilation };
}

function expectDivisor(
  op: string,
  { divisor, padding, countedPadding }: AveragePool2dAttributes,
): void {
  if (typeof divisor === 'number' && (!Number.isFinite(divisor) || divisor === 0)) {
    throw new ShapeError(`${op}: divisor must be a finite number other than 0, got ${divisor}`);
  }
  if (
    divisor === 'padded' &&
    countedPadding.some((length, side) => length < 0 || length > padding[side]!)
  ) {
    throw new ShapeError(
      `${op}: countedPadding ${formatShape(countedPadding)} must lie between 0 and padding ${formatShape(padding)}`,
    );
  }
}

/** What each window's sum is divided by: a rank-0 number, or counts of shape [1, 1, H', W']. */
function divisors<V>(c: Composer<V>, inputSize: Pair, attributes: AveragePool2dAttributes): V {
  const { divisor, kernelSize, padding, countedPadding } = attributes;
  if (typeof divisor === 'number') return c.number(divisor);
  if (divisor === 'kernel') return c.number(kernelSize[0] * kernelSize[1]);
  const counted: Padding2d = divisor === 'padded' ? countedPadding : [0, 0, 0, 0];
  const ones = c.run('fill', {
    shape: [1, 1, inputSize[0] + counted[0] + counted[1], inputSize[1] + counted[2] + counted[3]],
    dtype: 'float32',
    value: 1,
  });
  const beyond = padding.map((length, side) => length - counted[side]!) as unknown as Padding2d;
  return c.run('sumPool2d', { ...window2dPart(attributes), padding: beyond }, ones);
}

export const pooling: { readonly [K in PoolingName]: OpDefinition<OpAttributes[K]> } = {
  maxPool2d: {
    summary:
      'the largest element of each window, and where it is; a window outside the input gives -infinity and index -1',
    infer(inputs, attributes) {
      const output = inferPool('maxPool2d', inputs, attributes);
      return [output, { shape: output.shape, dtype: 'int32' }];
    },
  },
  maxPool2dGradient: {
    summary: 'each gradient element added at its index; index -1 takes none',
    infer(inputs, { inputSize }) {
      const op = 'maxPool2dGradient';
      expectInputs(op, inputs, 2);
      const [gradient, indices] = inputs as [Spec, Spec];
      expectDtype(op, 'the gradient', gradient, 'float32');
      expectRank(op, 'the gradient', gradient, 4, '[N, C, H, W]');
      expectDtype(op, 'the index tensor', indices, 'int32');
      expectShape(op, 'the index tensor', indices, gradient.shape);
      expectWhole(op, 'inputSize', inputSize, 0);
      return [float32([gradient.shape[0]!, gradient.shape[1]!, ...inputSize])];
    },
    decompose(builder, [gradient, indices], { inputSize }) {
      const c = compose(builder);
      const [n, channels, height, width] = c.shape(gradient!) as [number, number, number, number];
      const plane = inputSize[0] * inputSize[1];
      if (plane === 0) return [c.zeros(float32([n, channels, ...inputSize]))];
      const zero = c.run('fill', { shape: [], dtype: 'int32', value: 0 });
      const found = c.op('lessEqual', zero, indices!);
      const flat = [n, channels, height * width];
      const targets = c.reshape(c.op('maximum', indices!, zero), flat);
      const updates = c.reshape(c.op('select', found, gradient!, c.number(0)), flat);
      const sums = c.run(
        'scatterAdd',
        { axis: 2 },
        c.zeros(float32([n, channels, plane])),
        targets,
        updates,
      );
      return [c.reshape(sums, [n, channels, ...inputSize])];
    },
  },
  sumPool2d: {
    summary: 'the sum of each window',
    infer: (inputs, attributes) => [inferPool('sumPool2d', inputs, attributes)],
  },
  sumPool2dGradient: {
    summary: 'each gradient element added to all of its window',
    infer(inputs, attributes) {
      expectInputs('sumPool2dGradient', inputs, 1);
      return [inferPoolGradient('sumPool2dGradient', inputs[0]!, attributes)];
    },
    decompose(builder, [gradient], attributes) {
      const c = compose(builder);
      const { kernelSize, stride, padding, dilation, inputSize } = attributes;
      const [n, channels, height, width] = c.shape(gradient!) as [number, number, number, number];
      const ones = c.run('fill', { shape: [1, 1, ...kernelSize], dtype: 'float32', value: 1 });
      const result = c.run(
        'conv2dInputGradient',
        { stride, padding, lhsDilation: undilated, rhsDilation: dilation, groups: 1, inputSize },
        c.reshape(gradient!, [n * channels, 1, height, width]),
        ones,
      );
      return [c.reshape(result, [n, channels, ...inputSize])];
    },
  },
  averagePool2d: {
    summary: 'the mean of each window',
    infer(inputs, attributes) {
      expectDivisor('averagePool2d', attributes);
      return [inferPool('averagePool2d', inputs, attributes)];
    },
    decompose(builder, [x], attributes) {
      const c = compose(builder);
      const [, , height, width] = c.shape(x!) as [number, number, number, number];
      const sums = c.run('sumPool2d', window2dPart(attributes), x!);
      return [c.op('div', sums, divisors(c, [height, width], attributes))];
    },
  },
  averagePool2dGradient: {
    summary: 'gradient of averagePool2d',
    infer(inputs, attributes) {
      expectInputs('averagePool2dGradient', inputs, 1);
      expectDivisor('averagePool2dGradient', attributes);
      return [inferPoolGradient('averagePool2dGradient', inputs[0]!, attributes)];
    },
    decompose(builder, [gradient], attributes) {
      const c = compose(builder);
      const shares = c.op('div', gradient!, divisors(c, attributes.inputSize, attributes));
      return [
        c.run(
          'sumPool2dGradient',
          { ...window2dPart(attributes), inputSize: attributes.inputSize },
          shares,
        ),
      ];
    },
  },
};
