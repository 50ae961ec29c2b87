// Normalisation over batch or channels, softmax and the loss that is fused with it. Channels are axis 1.

import type { OpDefinition } from '../builder.ts';
import { ShapeError } from '../errors.ts';
import { formatShape, type Shape, type Spec } from '../spec.ts';
import type { AxisAttributes, OpAttributes } from './attributes.ts';
import {
  expectAxis,
  expectDtype,
  expectInputs,
  expectRank,
  expectShape,
  float32,
} from './checks.ts';
import { compose, type Composer } from './composing.ts';

type NormalizationName =
  | 'batchNormTrain'
  | 'batchNormTrainGradient'
  | 'batchNormEval'
  | 'localResponseNorm'
  | 'softmax'
  | 'logSoftmax'
  | 'softmaxCrossEntropy'
  | 'softmaxCrossEntropyGradient';

/** [C] shaped to broadcast over [N, C, ...]. */
function perChannel<V>(c: Composer<V>, values: V, like: Shape): V {
  return c.reshape(values, [1, like[1]!, ...like.slice(2).map(() => 1)]);
}

/** All axes but the channels'. */
function statisticAxes(shape: Shape): number[] {
  return shape.map((_, axis) => axis).filter((axis) => axis !== 1);
}

function expectChannels(op: string, x: Spec, vectors: Readonly<Record<string, Spec>>): void {
  expectDtype(op, 'the input', x, 'float32');
  if (x.shape.length < 2) {
    throw new ShapeError(
      `${op}: the input has shape ${formatShape(x.shape)}; expected [N, C, ...]`,
    );
  }
  for (const [what, spec] of Object.entries(vectors)) {
    expectDtype(op, what, spec, 'float32');
    expectShape(op, what, spec, [x.shape[1]!]);
  }
}

/** (x - mean) / sqrt(variance + epsilon) with the statistics of x itself. */
function standardized<V>(
  c: Composer<V>,
  x: V,
  epsilon: number,
): { xHat: V; inverse: V; mean: V; variance: V } {
  const axes = statisticAxes(c.shape(x));
  const mean = c.mean(x, axes, true);
  const centred = c.sub(x, mean);
  const variance = c.mean(c.mul(centred, centred), axes, true);
  const inverse = c.op('rsqrt', c.add(variance, epsilon));
  return { xHat: c.mul(centred, inverse), inverse, mean, variance };
}

function inferAlongAxis(op: string, inputs: readonly Spec[], { axis }: AxisAttributes): Spec[] {
  expectInputs(op, inputs, 1);
  expectDtype(op, 'the input', inputs[0]!, 'float32');
  expectAxis(op, axis, inputs[0]!.shape.length);
  return [inputs[0]!];
}

/** x less its largest element along the axis, so that exp cannot overflow. */
function shifted<V>(c: Composer<V>, x: V, axis: number): V {
  return c.sub(x, c.run('reduceMax', { axes: [axis], keepDims: true }, x));
}

export const normalization: { readonly [K in NormalizationName]: OpDefinition<OpAttributes[K]> } = {
  batchNormTrain: {
    summary: 'normalised by the statistics of the batch; outputs 1 and 2 carry no gradient',
    infer(inputs) {
      expectInputs('batchNorm', inputs, 3);
      const [x, weight, bias] = inputs as [Spec, Spec, Spec];
      expectChannels('batchNorm', x, { weight, bias });
      const statistics = float32([x.shape[1]!]);
      return [x, statistics, statistics];
    },
    decompose(builder, [x, weight, bias], { epsilon }) {
      const c = compose(builder);
      const shape = c.shape(x!);
      const { xHat, mean, variance } = standardized(c, x!, epsilon);
      const y = c.add(c.mul(xHat, perChannel(c, weight!, shape)), perChannel(c, bias!, shape));
      return [y, c.reshape(mean, [shape[1]!]), c.reshape(variance, [shape[1]!])];
    },
  },
  batchNormTrainGradient: {
    summary: 'gradients of batchNormTrain; mean and variance only spare computing them again',
    infer(inputs) {
      const op = 'batchNormTrainGradient';
      expectInputs(op, inputs, 5);
      const [gradient, x, weight, mean, variance] = inputs as [Spec, Spec, Spec, Spec, Spec];
      expectChannels(op, x, { weight, mean, variance });
      expectShape(op, 'the gradient', gradient, x.shape);
      return [x, weight, weight];
    },
    decompose(builder, [gradient, x, weight], { epsilon }) {
      // The statistics are functions of x: computed from it here, so that second derivatives see them.
      const c = compose(builder);
      const shape = c.shape(x!);
      const axes = statisticAxes(shape);
      const { xHat, inverse } = standardized(c, x!, epsilon);
      const projected = c.sub(
        c.sub(gradient!, c.mean(gradient!, axes, true)),
        c.mul(xHat, c.mean(c.mul(gradient!, xHat), axes, true)),
      );
      return [
        c.mul(c.mul(projected, inverse), perChannel(c, weight!, shape)),
        c.sum(c.mul(gradient!, xHat), axes),
        c.sum(gradient!, axes),
      ];
    },
  },
  batchNormEval: {
    summary: 'normalised by given statistics',
    infer(inputs) {
      expectInputs('batchNorm', inputs, 5);
      const [x, weight, bias, mean, variance] = inputs as [Spec, Spec, Spec, Spec, Spec];
      expectChannels('batchNorm', x, {
        weight,
        bias,
        'running mean': mean,
        'running variance': variance,
      });
      return [x];
    },
    decompose(builder, [x, weight, bias, mean, variance], { epsilon }) {
      const c = compose(builder);
      const shape = c.shape(x!);
      const scale = c.mul(weight!, c.op('rsqrt', c.add(variance!, epsilon)));
      const centred = c.sub(x!, perChannel(c, mean!, shape));
      return [c.add(c.mul(centred, perChannel(c, scale, shape)), perChannel(c, bias!, shape))];
    },
  },
  localResponseNorm: {
    summary:
      'divided by the energy of neighbouring channels (Krizhevsky et al. 2012, section 3.3; alpha divided by size as in PyTorch and Caffe)',
    infer(inputs, { size }) {
      const op = 'localResponseNorm';
      expectInputs(op, inputs, 1);
      expectDtype(op, 'the input', inputs[0]!, 'float32');
      if (inputs[0]!.shape.length < 2) {
        throw new ShapeError(
          `${op}: the input has shape ${formatShape(inputs[0]!.shape)}; expected [N, C, ...]`,
        );
      }
      if (!Number.isInteger(size) || size < 1) {
        throw new ShapeError(`${op}: size must be a whole number >= 1, got ${size}`);
      }
      return [inputs[0]!];
    },
    decompose(builder, [x], { size, alpha, beta, k }) {
      // Channels become the height of a plane, over which windows of `size` sum.
      const c = compose(builder);
      const shape = c.shape(x!);
      const [n, channels] = shape as [number, number];
      const rest = shape.slice(2).reduce((a, b) => a * b, 1);
      const squares = c.reshape(c.mul(x!, x!), [n, 1, channels, rest]);
      const before = Math.floor(size / 2);
      const sums = c.run(
        'sumPool2d',
        {
          kernelSize: [size, 1],
          stride: [1, 1],
          padding: [before, size - 1 - before, 0, 0],
          dilation: [1, 1],
        },
        squares,
      );
      const energy = c.add(c.mul(c.reshape(sums, shape), alpha / size), k);
      return [c.op('div', x!, c.op('pow', energy, c.number(beta)))];
    },
  },
  softmax: {
    summary: 'e^x over its sum along an axis',
    infer: (inputs, attributes) => inferAlongAxis('softmax', inputs, attributes),
    decompose(builder, [x], { axis }) {
      const c = compose(builder);
      if (c.shape(x!)[axis] === 0) return [c.reshape(x!, c.shape(x!))];
      const powers = c.op('exp', shifted(c, x!, axis));
      return [c.op('div', powers, c.sum(powers, [axis], true))];
    },
  },
  logSoftmax: {
    summary: 'logarithm of softmax',
    infer: (inputs, attributes) => inferAlongAxis('logSoftmax', inputs, attributes),
    decompose(builder, [x], { axis }) {
      const c = compose(builder);
      if (c.shape(x!)[axis] === 0) return [c.reshape(x!, c.shape(x!))];
      const below = shifted(c, x!, axis);
      return [c.sub(below, c.op('log', c.sum(c.op('exp', below), [axis], true)))];
    },
  },
  softmaxCrossEntropy: {
    summary:
      'cross-entropy of logits and class indices, a loss a row; output 1 carries no gradient',
    infer(inputs) {
      const op = 'softmaxCrossEntropy';
      expectInputs(op, inputs, 2);
      const [logits, classes] = inputs as [Spec, Spec];
      expectDtype(op, 'logits', logits, 'float32');
      expectRank(op, 'logits', logits, 2, '[N, C]');
      expectDtype(op, 'classes', classes, 'int32');
      expectShape(op, 'classes', classes, [logits.shape[0]!]);
      return [float32([logits.shape[0]!]), logits];
    },
    decompose(builder, [logits, classes]) {
      const c = compose(builder);
      const n = c.shape(logits!)[0]!;
      const logProbabilities = c.run('logSoftmax', { axis: 1 }, logits!);
      const picked = c.run('gather', { axis: 1 }, logProbabilities, c.reshape(classes!, [n, 1]));
      return [c.mul(c.reshape(picked, [n]), -1), logProbabilities];
    },
  },
  softmaxCrossEntropyGradient: {
    summary:
      'gradient of softmaxCrossEntropy; the log-probabilities only spare computing them again',
    infer(inputs) {
      const op = 'softmaxCrossEntropyGradient';
      expectInputs(op, inputs, 4);
      const [gradient, logits, logProbabilities, classes] = inputs as [Spec, Spec, Spec, Spec];
      expectRank(op, 'logits', logits, 2, '[N, C]');
      expectShape(op, 'the gradient', gradient, [logits.shape[0]!]);
      expectShape(op, 'log-probabilities', logProbabilities, logits.shape);
      expectDtype(op, 'classes', classes, 'int32');
      expectShape(op, 'classes', classes, [logits.shape[0]!]);
      return [logits];
    },
    decompose(builder, [gradient, logits, , classes]) {
      const c = compose(builder);
      const [n, count] = c.shape(logits!) as [number, number];
      const columns = c.run('iota', { shape: [n, count], dtype: 'int32', axis: 1 });
      const oneHot = c.run(
        'cast',
        { dtype: 'float32' },
        c.op('equal', columns, c.reshape(classes!, [n, 1])),
      );
      const probabilities = c.run('softmax', { axis: 1 }, logits!);
      return [c.mul(c.sub(probabilities, oneHot), c.reshape(gradient!, [n, 1]))];
    },
  },
};
