// Pooling of images, channels last throughout.

import type { OpAttributes, Shape } from '@convoke/backend-api';

import { planMaxPool2d, planMaxPool2dGradient } from '../kernels/max-pool.ts';
import type { PoolShape } from '../kernels/pool-geometry.ts';
import { planSumPool2d, planSumPool2dGradient, type SumPool2d } from '../kernels/sum-pool.ts';
import { channelsLast } from '../order.ts';
import type { Planning } from '../planning.ts';
import type { Planners } from './planner.ts';

function poolShape(images: Shape, pooled: Shape): PoolShape {
  const [n, c, height, width] = images as [number, number, number, number];
  const [outHeight, outWidth] = pooled.slice(2) as [number, number];
  return { n, c, height, width, outHeight, outWidth };
}

type Windows = OpAttributes['sumPool2d'] & Pick<SumPool2d, 'divisor' | 'countedPadding'>;

function forward(p: Planning, window: Windows): void {
  const [from, to] = [p.inputs[0]!.spec.shape, p.outputs[0]!.shape];
  const [x, y] = [p.at(0, channelsLast(from)), p.output(channelsLast(to))];
  if (to.includes(0)) return;
  planSumPool2d(p.encoder, { ...poolShape(from, to), ...window, x, y });
}

function backward(p: Planning, window: Windows): void {
  const [from, to] = [p.inputs[0]!.spec.shape, p.outputs[0]!.shape];
  const [x, y] = [p.at(0, channelsLast(from)), p.output(channelsLast(to))];
  planSumPool2dGradient(p.encoder, { ...poolShape(to, from), ...window, x, y });
}

export const pooling: Planners = {
  maxPool2d(p, window) {
    const [from, to] = [p.inputs[0]!.spec.shape, p.outputs[0]!.shape];
    const order = channelsLast(to);
    const x = p.at(0, channelsLast(from));
    const [y, indices] = [p.output(order), p.output(order)];
    if (to.includes(0)) return;
    planMaxPool2d(p.encoder, { ...poolShape(from, to), ...window, x, y, indices });
  },

  maxPool2dGradient(p) {
    const [from, to] = [p.inputs[0]!.spec.shape, p.outputs[0]!.shape];
    const [gradient, indices] = [p.at(0, channelsLast(from)), p.at(1, channelsLast(from))];
    const y = p.output(channelsLast(to));
    planMaxPool2dGradient(p.encoder, { ...poolShape(to, from), gradient, indices, y });
  },

  sumPool2d: (p, window) => forward(p, { ...window, divisor: 1 }),
  sumPool2dGradient: (p, window) => backward(p, { ...window, divisor: 1 }),
  averagePool2d: (p, window) => forward(p, window),
  averagePool2dGradient: (p, window) => backward(p, window),
};
