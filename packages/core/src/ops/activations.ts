// Activation functions. Where a function has a kink, the gradient there is PyTorch's.

import { formatShape, ShapeError } from '@convoke/backend-api';

import { run } from '../dispatch.ts';
import { scope } from '../scope.ts';
import type { Tensor } from '../tensor.ts';
import { axisOf } from './axes.ts';
import { greater, where } from './compare.ts';
import { mul } from './elementwise.ts';

/** 1 / (1 + e^-x). */
export function sigmoid(x: Tensor): Tensor {
  return run('sigmoid', [x], {});
}

/** log(sigmoid(x)) without overflow. */
export function logSigmoid(x: Tensor): Tensor {
  return run('logSigmoid', [x], {});
}

export function tanh(x: Tensor): Tensor {
  return run('tanh', [x], {});
}

/** amplitude * tanh(slope * x): the squashing of LeNet-5 (LeCun et al. 1998, appendix A). Default 1.7159 and 2/3. */
export function scaledTanh(
  x: Tensor,
  options: { amplitude?: number | undefined; slope?: number | undefined } = {},
): Tensor {
  const { amplitude = 1.7159, slope = 2 / 3 } = options;
  return run('scaledTanh', [x], { amplitude, slope });
}

/** max(x, 0). */
export function relu(x: Tensor): Tensor {
  return run('relu', [x], {});
}

/** x limited to [0, 6]. */
export function relu6(x: Tensor): Tensor {
  return run('clamp', [x], { min: 0, max: 6 });
}

/** x limited to [min, max]; no limit where one is left out. Gradient 0 at and beyond the limits. */
export function clamp(
  x: Tensor,
  options: { min?: number | undefined; max?: number | undefined } = {},
): Tensor {
  const { min = -Infinity, max = Infinity } = options;
  return run('clamp', [x], { min, max });
}

/** x limited to [min, max], default [-1, 1]. */
export function hardtanh(
  x: Tensor,
  options: { min?: number | undefined; max?: number | undefined } = {},
): Tensor {
  const { min = -1, max = 1 } = options;
  return run('clamp', [x], { min, max });
}

/** x above 0, negativeSlope * x below; default 0.01. */
export function leakyRelu(x: Tensor, options: { negativeSlope?: number | undefined } = {}): Tensor {
  return run('leakyRelu', [x], { negativeSlope: options.negativeSlope ?? 0.01 });
}

/**
 * x above 0, weight * x below (He et al. 2015, arXiv:1502.01852). `weight` is [1], or [C] with one slope a channel of
 * x [N, C, ...].
 */
export function prelu(x: Tensor, weight: Tensor): Tensor {
  const [count] = weight.shape;
  const perChannel = count !== 1;
  if (weight.shape.length !== 1 || (perChannel && x.shape[1] !== count)) {
    throw new ShapeError(
      `prelu: the weight has shape ${formatShape(weight.shape)} for an input of shape ${formatShape(x.shape)}; expected [1], or one slope for each of the channels on axis 1`,
    );
  }
  const shape = perChannel ? x.shape.slice(1).map((_, axis) => (axis === 0 ? count! : 1)) : [];
  return scope(() => {
    const slopes = run('reshape', [weight], { shape });
    return where(greater(x, 0), x, mul(x, slopes));
  });
}

/** x above 0, alpha (e^x - 1) below; default 1 (Clevert et al. 2015, arXiv:1511.07289). */
export function elu(x: Tensor, options: { alpha?: number | undefined } = {}): Tensor {
  return run('elu', [x], { alpha: options.alpha ?? 1 });
}

/** Scaled elu that keeps activations normalised (Klambauer et al. 2017, arXiv:1706.02515). */
export function selu(x: Tensor): Tensor {
  return run('selu', [x], {});
}

/** x sigmoid(x), also called swish (Ramachandran et al. 2017, arXiv:1710.05941). */
export function silu(x: Tensor): Tensor {
  return run('silu', [x], {});
}

/** x tanh(softplus(x)) (Misra 2019, arXiv:1908.08681). */
export function mish(x: Tensor): Tensor {
  return run('mish', [x], {});
}

/** log(1 + e^x) without overflow. */
export function softplus(x: Tensor): Tensor {
  return run('softplus', [x], {});
}

/** x / (1 + |x|). */
export function softsign(x: Tensor): Tensor {
  return run('softsign', [x], {});
}

/** x relu6(x + 3) / 6 (Howard et al. 2019, arXiv:1905.02244). */
export function hardswish(x: Tensor): Tensor {
  return run('hardswish', [x], {});
}

/** relu6(x + 3) / 6. */
export function hardsigmoid(x: Tensor): Tensor {
  return run('hardsigmoid', [x], {});
}

/**
 * x times the normal distribution function of x (Hendrycks & Gimpel 2016, arXiv:1606.08415): exact by default, or the
 * paper's approximation by tanh.
 */
export function gelu(
  x: Tensor,
  options: { approximate?: 'none' | 'tanh' | undefined } = {},
): Tensor {
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh') {
    throw new ShapeError(
      `gelu: approximate must be 'none' or 'tanh', got '${String(approximate)}'`,
    );
  }
  return run('gelu', [x], { approximate });
}

/** e^x over its sum along `axis`, default the last. */
export function softmax(x: Tensor, options: { axis?: number | undefined } = {}): Tensor {
  return run('softmax', [x], {
    axis: axisOf('softmax', options.axis ?? -1, x),
  });
}

/** Logarithm of softmax, accurate where softmax is near 0. */
export function logSoftmax(x: Tensor, options: { axis?: number | undefined } = {}): Tensor {
  return run('logSoftmax', [x], {
    axis: axisOf('logSoftmax', options.axis ?? -1, x),
  });
}
