// Windows along an axis, of tensors as they lie: channels last or plain.

import { sizeOf } from '@convoke/backend-api';

import { planResample } from '../kernels/resample.ts';
import type { Planners } from './planner.ts';
import { commonOrder, memoryAxes, placed } from './views.ts';

export const resampling: Planners = {
  resample(p, { axis }) {
    const orderOf = commonOrder(p);
    const { shape } = p.outputs[0]!;
    const axes = memoryAxes(orderOf, shape.length);
    const { address, shape: lying } = placed(p, 0, orderOf, axes);
    const along = axes.indexOf(axis);
    const [output, taps] = p.inputs[1]!.spec.shape as [number, number];
    planResample(p.encoder, {
      x: address,
      weights: p.at(1),
      starts: p.at(2),
      y: p.output(orderOf(shape)),
      outer: sizeOf(lying.slice(0, along)),
      length: lying[along]!,
      output,
      taps,
      inner: sizeOf(lying.slice(along + 1)),
    });
  },
};
