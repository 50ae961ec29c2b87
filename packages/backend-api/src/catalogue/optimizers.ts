// One step of an optimiser over a whole list of parameters, so that a backend can do it in one pass.

import type { Builder, OpDefinition } from '../builder.ts';
import { ShapeError } from '../errors.ts';
import type { Spec } from '../spec.ts';
import type { AdamStepAttributes, OpAttributes, SgdStepAttributes } from './attributes.ts';
import { expectDtype, expectShape } from './checks.ts';
import { compose } from './composing.ts';

type OptimizerName = 'sgdStep' | 'adamStep';

/** Checks `scalars` rank-0 inputs followed by groups of `size` tensors of equal shapes; returns the groups. */
function expectGroups(
  op: string,
  inputs: readonly Spec[],
  scalars: number,
  size: number,
): Spec[][] {
  if (inputs.length < scalars || (inputs.length - scalars) % size !== 0) {
    throw new ShapeError(
      `${op}: expected ${scalars} scalars and ${size} tensors for each parameter, got ${inputs.length} inputs`,
    );
  }
  for (const scalar of inputs.slice(0, scalars)) expectShape(op, 'a step size', scalar, []);
  const groups: Spec[][] = [];
  for (let at = scalars; at < inputs.length; at += size) groups.push(inputs.slice(at, at + size));
  for (const group of groups) {
    for (const spec of group) {
      expectDtype(op, 'a parameter, gradient or state', spec, 'float32');
      expectShape(op, 'a gradient or state', spec, group[0]!.shape);
    }
  }
  return groups;
}

export const optimizers: { readonly [K in OptimizerName]: OpDefinition<OpAttributes[K]> } = {
  sgdStep: {
    summary: 'stochastic gradient descent with momentum',
    gradient: 'none',
    infer(inputs, { velocity }) {
      const groups = velocity
        ? expectGroups('sgdStep', inputs, 2, 3)
        : expectGroups('sgdStep', inputs, 1, 2);
      return groups.flatMap(([parameter, , moved]) => (moved ? [parameter!, moved] : [parameter!]));
    },
    decompose<V>(
      builder: Builder<V>,
      inputs: readonly V[],
      { velocity, dampening, nesterov, weightDecay }: SgdStepAttributes,
    ) {
      const c = compose(builder);
      const [lr, momentum] = inputs;
      const size = velocity ? 3 : 2;
      const outputs: V[] = [];
      for (let at = velocity ? 2 : 1; at < inputs.length; at += size) {
        const [parameter, gradient, before] = inputs.slice(at, at + size);
        let direction: V = gradient!;
        if (weightDecay !== 0) direction = c.add(direction, c.mul(parameter!, weightDecay));
        if (before === undefined) {
          outputs.push(c.sub(parameter!, c.mul(direction, lr!)));
          continue;
        }
        const moved = c.add(c.mul(before, momentum!), c.mul(direction, 1 - dampening));
        direction = nesterov ? c.add(direction, c.mul(moved, momentum!)) : moved;
        outputs.push(c.sub(parameter!, c.mul(direction, lr!)), moved);
      }
      return outputs;
    },
  },
  adamStep: {
    summary:
      'Adam (Kingma & Ba 2014, arXiv:1412.6980) and AdamW (Loshchilov & Hutter 2017, arXiv:1711.05101)',
    gradient: 'none',
    infer(inputs) {
      return expectGroups('adamStep', inputs, 4, 4).flatMap(([parameter, , m, v]) => [
        parameter!,
        m!,
        v!,
      ]);
    },
    decompose<V>(
      builder: Builder<V>,
      inputs: readonly V[],
      { beta2, epsilon, weightDecay, decoupled }: AdamStepAttributes,
    ) {
      const c = compose(builder);
      const [lr, stepSize, root, beta1, ...rest] = inputs;
      const outputs: V[] = [];
      for (let at = 0; at < rest.length; at += 4) {
        let [parameter, gradient] = [rest[at] as V, rest[at + 1] as V];
        const [m, v] = [rest[at + 2]!, rest[at + 3]!];
        if (weightDecay !== 0) {
          if (decoupled) parameter = c.sub(parameter, c.mul(c.mul(parameter, lr!), weightDecay));
          else gradient = c.add(gradient, c.mul(parameter, weightDecay));
        }
        const first = c.add(c.mul(m, beta1!), c.mul(gradient, c.sub(1, beta1!)));
        const second = c.add(c.mul(v, beta2), c.mul(c.mul(gradient, gradient), 1 - beta2));
        const scale = c.add(c.op('div', c.op('sqrt', second), root!), epsilon);
        outputs.push(c.sub(parameter, c.mul(c.op('div', first, scale), stepSize!)), first, second);
      }
      return outputs;
    },
  },
};
