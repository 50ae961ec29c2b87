// Normalisation by channel, of tensors as they lie: channels last or as planes.

import { sizeOf } from '@convoke/backend-api';

import {
  planBatchNormEval,
  planBatchNormTrain,
  planBatchNormTrainGradient,
  type ChannelView,
} from '../kernels/batch-norm.ts';
import { planLocalResponseNorm } from '../kernels/local-response-norm.ts';
import { channelsLast, fitsShape, plain, type Order } from '../order.ts';
import type { Planning } from '../planning.ts';
import type { Planners } from './planner.ts';

/** The order to go through input `i` in, and what its axes come to. */
function view(p: Planning, i: number): ChannelView & { readonly order: Order } {
  const { spec, storage } = p.inputs[i]!;
  const { shape } = spec;
  const [n, channels] = shape as [number, number];
  const plane = sizeOf(shape.slice(2));
  const last = storage.order.channels !== 1 && fitsShape(storage.order, shape);
  return last
    ? { order: channelsLast(shape), outer: n * plane, channels, inner: 1 }
    : { order: plain, outer: n, channels, inner: plane };
}

export const normalization: Planners = {
  batchNormTrain(p, { epsilon }) {
    const { order, ...channelView } = view(p, 0);
    planBatchNormTrain(p.encoder, {
      ...channelView,
      x: p.at(0, order),
      weight: p.at(1),
      bias: p.at(2),
      epsilon,
      y: p.output(order, 0),
      mean: p.output(),
      variance: p.output(),
    });
  },

  batchNormTrainGradient(p, { epsilon }) {
    const { order, ...channelView } = view(p, p.inputs[1]!.storage.uniform ? 0 : 1);
    planBatchNormTrainGradient(p.encoder, {
      ...channelView,
      gradient: p.at(0, order),
      x: p.at(1, order),
      weight: p.at(2),
      mean: p.at(3),
      variance: p.at(4),
      epsilon,
      xGradient: p.output(order, 0, 1),
      weightGradient: p.output(),
      biasGradient: p.output(),
    });
  },

  batchNormEval(p, { epsilon }) {
    const { order, ...channelView } = view(p, 0);
    planBatchNormEval(p.encoder, {
      ...channelView,
      x: p.at(0, order),
      weight: p.at(1),
      bias: p.at(2),
      mean: p.at(3),
      variance: p.at(4),
      y: p.output(order, 0),
      epsilon,
    });
  },

  localResponseNorm(p, attributes) {
    const { order, ...channelView } = view(p, 0);
    const [x, y] = [p.at(0, order), p.output(order)];
    planLocalResponseNorm(p.encoder, { ...channelView, ...attributes, x, y });
  },
};
