// Softmax, its logarithm and the loss fused with it. Classes are checked when the op runs.

import { DataError } from '@convoke/backend-api';

import {
  planSoftmax,
  planSoftmaxCrossEntropy,
  planSoftmaxCrossEntropyGradient,
} from '../kernels/softmax.ts';
import type { Planning } from '../planning.ts';
import type { Planner, Planners } from './planner.ts';
import { arranged, commonOrder, memoryAxes } from './views.ts';

function along(op: 'softmax' | 'logSoftmax'): Planner<'softmax' | 'logSoftmax'> {
  return (p, { axis }) => {
    const { shape } = p.inputs[0]!.spec;
    const orderOf = commonOrder(p);
    const order = orderOf(shape);
    const axes = memoryAxes(orderOf, shape.length);
    const [x, y] = [p.at(0, order), p.output(order, 0)];
    planSoftmax(p.encoder, {
      op,
      shape: arranged(shape, axes),
      axis: axes.indexOf(axis),
      x,
      y,
    });
  };
}

function tellsClass(p: Planning, count: number): void {
  const { op } = p;
  p.late = ({ value }) =>
    new DataError(
      `${op}: class ${value} is out of range for logits of ${count} classes; expected 0 to ${count - 1}`,
    );
}

export const softmax: Planners = {
  softmax: along('softmax'),
  logSoftmax: along('logSoftmax'),

  softmaxCrossEntropy(p) {
    const [n, count] = p.inputs[0]!.spec.shape as [number, number];
    const [logits, classes] = [p.at(0), p.at(1)];
    const [losses, logProbabilities] = [p.output(), p.output(undefined, 0)];
    tellsClass(p, count);
    planSoftmaxCrossEntropy(p.encoder, { n, count, logits, classes, losses, logProbabilities });
  },

  softmaxCrossEntropyGradient(p) {
    const [n, count] = p.inputs[1]!.spec.shape as [number, number];
    const [gradient, logProbabilities, classes] = [p.at(0), p.at(2), p.at(3)];
    const y = p.output(undefined, 2);
    tellsClass(p, count);
    const plan = { n, count, gradient, logProbabilities, classes, y };
    planSoftmaxCrossEntropyGradient(p.encoder, plan);
  },
};
