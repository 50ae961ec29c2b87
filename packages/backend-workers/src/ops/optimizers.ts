// Optimiser steps over whole lists of parameters. New parameters and states take over the memory of donated ones. All is done
// element by element, so a parameter's tensors need only lie in one order: that of the parameter.

import { sizeOf } from '@convoke/backend-api';

import {
  planAdamStep,
  planSgdStep,
  type AdamParameter,
  type SgdParameter,
} from '../kernels/optimizers.ts';
import type { Planners } from './planner.ts';

export const optimizers: Planners = {
  sgdStep(p, { velocity, dampening, nesterov, weightDecay }) {
    const parameters: SgdParameter[] = [];
    const size = velocity ? 3 : 2;
    for (let i = velocity ? 2 : 1; i < p.inputs.length; i += size) {
      const order = p.orderOf(i);
      const count = sizeOf(p.inputs[i]!.spec.shape);
      const [parameter, gradient] = [p.at(i, order), p.at(i + 1, order)];
      if (!velocity) {
        parameters.push({ parameter, gradient, count, parameterOut: p.output(order, i) });
        continue;
      }
      parameters.push({
        parameter,
        gradient,
        velocity: p.at(i + 2, order),
        count,
        parameterOut: p.output(order, i),
        velocityOut: p.output(order, i + 2),
      });
    }
    planSgdStep(p.encoder, {
      lr: p.at(0),
      momentum: velocity ? p.at(1) : 0,
      dampening,
      nesterov,
      weightDecay,
      parameters,
    });
  },

  adamStep(p, { beta2, epsilon, weightDecay, decoupled }) {
    const parameters: AdamParameter[] = [];
    for (let i = 4; i < p.inputs.length; i += 4) {
      const order = p.orderOf(i);
      parameters.push({
        parameter: p.at(i, order),
        gradient: p.at(i + 1, order),
        m: p.at(i + 2, order),
        v: p.at(i + 3, order),
        count: sizeOf(p.inputs[i]!.spec.shape),
        parameterOut: p.output(order, i),
        mOut: p.output(order, i + 2),
        vOut: p.output(order, i + 3),
      });
    }
    planAdamStep(p.encoder, {
      lr: p.at(0),
      stepSize: p.at(1),
      root: p.at(2),
      beta1: p.at(3),
      beta2,
      epsilon,
      weightDecay,
      decoupled,
      parameters,
    });
  },
};
