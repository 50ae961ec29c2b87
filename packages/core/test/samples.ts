// A call of every op of the families below with small inputs away from kinks and ties: what the tests of ownership, of the
// devices without data and of second derivatives go through one by one.

import * as ops from '../src/index.ts';
import type { Tensor } from '../src/index.ts';
import { floats, ints } from './lab.ts';

export interface Sample {
  readonly name: string;
  /** float32 arguments, for which gradients are checked where `apply` passes them. */
  readonly inputs: () => Tensor[];
  readonly apply: (...inputs: Tensor[]) => Tensor | Tensor[];
  /** Whether gradients pass. */
  readonly smooth: boolean;
}

const x = (): Tensor => floats([2, 3], [0.5, -1.25, 2, -0.4, 1.5, -0.75]);
const y = (): Tensor => floats([2, 3], [1.1, 0.3, -0.8, 0.9, -1.4, 0.6]);
const row = (): Tensor => floats([3], [0.7, -0.3, 1.2]);
const positive = (): Tensor => floats([2, 3], [0.5, 1.25, 2, 0.4, 1.5, 0.75]);

const one = (name: string, apply: (a: Tensor) => Tensor | Tensor[], smooth = true): Sample => ({
  name,
  inputs: () => [x()],
  apply,
  smooth,
});
const two = (name: string, apply: (a: Tensor, b: Tensor) => Tensor, smooth = true): Sample => ({
  name,
  inputs: () => [x(), row()],
  apply: apply as Sample['apply'],
  smooth,
});
const above = (name: string, apply: (a: Tensor) => Tensor): Sample => ({
  name,
  inputs: () => [positive()],
  apply,
  smooth: true,
});

/** Runs `f` with an int32 tensor that is disposed after. */
function withInts<T>(
  shape: number[],
  values: number[],
  like: Tensor,
  f: (indices: Tensor) => T,
): T {
  const indices = ops.onBackend(like.backend, () => ints(shape, values));
  try {
    return f(indices);
  } finally {
    indices.dispose();
  }
}

export const samples: readonly Sample[] = [
  one('zerosLike', ops.zerosLike, false),
  one('onesLike', ops.onesLike, false),
  one('fullLike', (a) => ops.fullLike(a, 3), false),
  one('cast to the same dtype', (a) => ops.cast(a, 'float32')),
  one('cast', (a) => ops.cast(a, 'int32'), false),
  one('clone', ops.clone),
  one('detach', ops.detach, false),

  one('neg', ops.neg),
  one('abs', ops.abs),
  one('sign', ops.sign, false),
  one('exp', ops.exp),
  above('log', ops.log),
  above('log1p', ops.log1p),
  above('sqrt', ops.sqrt),
  above('rsqrt', ops.rsqrt),
  one('square', ops.square),
  above('reciprocal', ops.reciprocal),
  one('floor', ops.floor, false),
  one('round', ops.round, false),
  one('sin', ops.sin),
  one('cos', ops.cos),
  one('erf', ops.erf),
  two('add', ops.add),
  two('sub', ops.sub),
  two('mul', ops.mul),
  two('div', (a, b) => ops.div(a, b)),
  {
    name: 'pow',
    inputs: () => [positive(), row()],
    apply: (a, b) => ops.pow(a!, b!),
    smooth: true,
  },
  one('add a number', (a) => ops.add(a, 2)),
  one('sub from a number', (a) => ops.sub(2, a)),
  above('pow of a number', (a) => ops.pow(2, a)),
  two('minimum', ops.minimum),
  two('maximum', ops.maximum),

  one('sigmoid', ops.sigmoid),
  one('logSigmoid', ops.logSigmoid),
  one('tanh', ops.tanh),
  one('scaledTanh', (a) => ops.scaledTanh(a)),
  one('relu', ops.relu),
  one('relu6', ops.relu6),
  one('clamp', (a) => ops.clamp(a, { min: -1, max: 1.75 })),
  one('hardtanh', (a) => ops.hardtanh(a)),
  one('leakyRelu', (a) => ops.leakyRelu(a, { negativeSlope: 0.2 })),
  two('prelu', ops.prelu),
  one('elu', (a) => ops.elu(a, { alpha: 0.7 })),
  one('selu', ops.selu),
  one('silu', ops.silu),
  one('mish', ops.mish),
  one('softplus', ops.softplus),
  one('softsign', ops.softsign),
  one('hardswish', ops.hardswish),
  one('hardsigmoid', ops.hardsigmoid),
  one('gelu', (a) => ops.gelu(a)),
  one('gelu by tanh', (a) => ops.gelu(a, { approximate: 'tanh' })),
  one('softmax', (a) => ops.softmax(a)),
  one('logSoftmax', (a) => ops.logSoftmax(a, { axis: 0 })),

  two('equal', ops.equal, false),
  two('notEqual', ops.notEqual, false),
  two('less', ops.less, false),
  two('lessEqual', ops.lessEqual, false),
  two('greater', ops.greater, false),
  two('greaterEqual', ops.greaterEqual, false),
  one('isNaN', ops.isNaN, false),
  one('isFinite', ops.isFinite, false),
  one('any', (a) => ops.any(a, { axis: 0 }), false),
  one('all', (a) => ops.all(a), false),
  two('logicalNot', (a, b) => ops.scope(() => ops.logicalNot(ops.less(a, b))), false),
  two(
    'logicalAnd',
    (a, b) => ops.scope(() => ops.logicalAnd(ops.less(a, b), ops.less(a, 0))),
    false,
  ),
  two('logicalOr', (a, b) => ops.scope(() => ops.logicalOr(ops.less(a, b), ops.less(a, 0))), false),
  two('where', (a, b) => ops.scope(() => ops.where(ops.less(a, b), a, b))),
  one('where of a number', (a) => ops.scope(() => ops.where(ops.less(a, 0), 0, a))),

  one('sum', (a) => ops.sum(a)),
  one('mean', (a) => ops.mean(a, { axis: 1, keepDims: true })),
  one('prod', (a) => ops.prod(a, { axis: -1 })),
  one('max', (a) => ops.max(a, { axis: 0 })),
  one('min', (a) => ops.min(a, { axis: [0, 1] })),
  one('variance', (a) => ops.variance(a, { axis: 1 })),
  one('std', (a) => ops.std(a, { correction: 0 })),
  one('norm', (a) => ops.norm(a)),
  one('norm of order 1', (a) => ops.norm(a, { p: 1, axis: 1 })),
  one('norm of order 3', (a) => ops.norm(a, { p: 3 })),
  one('norm of order infinity', (a) => ops.norm(a, { p: Infinity })),
  one('logSumExp', (a) => ops.logSumExp(a, { axis: 1 })),
  one('argmax', (a) => ops.argmax(a), false),
  one('argmin', (a) => ops.argmin(a, { axis: 0 }), false),
  one('cumsum', (a) => ops.cumsum(a)),
  one('sort', (a) => Object.values(ops.sort(a, { descending: true }))),
  one('topK', (a) => Object.values(ops.topK(a, { k: 2 }))),

  one('reshape', (a) => ops.reshape(a, [3, -1])),
  one('reshape to the same shape', (a) => ops.reshape(a, [2, 3])),
  one('flatten', (a) => ops.flatten(a, { startAxis: 0 })),
  one('squeeze', (a) => ops.squeeze(a)),
  one('unsqueeze', (a) => ops.unsqueeze(a, { axis: 1 })),
  one('permute', (a) => ops.permute(a, [1, 0])),
  one('transpose', (a) => ops.transpose(a)),
  one('slice', (a) => ops.slice(a, { starts: [0, 0], ends: [2, 3], steps: [1, 2] })),
  one('pad', (a) =>
    ops.pad(a, {
      padding: [
        [1, 2],
        [-1, 1],
      ],
      value: 4,
    }),
  ),
  one('pad by reflection', (a) => ops.pad(a, { padding: [[2, 1]], mode: 'reflect' })),
  one('pad by replication', (a) => ops.pad(a, { padding: [[3, 1]], mode: 'replicate' })),
  one('pad by going round', (a) => ops.pad(a, { padding: [[2, -1]], mode: 'circular' })),
  two('concat', (a, b) => ops.scope(() => ops.concat([a, ops.reshape(b, [1, 3]), a]))),
  one('stack', (a) => ops.stack([a, a], { axis: -1 })),
  one('split', (a) => ops.split(a, { sizes: [1, 2], axis: 1 })),
  one('gather', (a) =>
    withInts([2, 2], [2, 0, 1, 1], a, (indices) => ops.gather(a, indices, { axis: 1 })),
  ),
  one('take', (a) => withInts([3], [1, 0, 1], a, (indices) => ops.take(a, indices))),
  {
    name: 'scatterAdd',
    inputs: () => [x(), floats([2, 2], [1, 2, 3, 4])],
    apply: (a, updates) =>
      withInts([2, 2], [2, 0, 1, 1], a!, (indices) =>
        ops.scatterAdd(a!, indices, updates!, { axis: 1 }),
      ),
    smooth: true,
  },
  one('flip', (a) => ops.flip(a, { axes: [0, 1] })),
  one('roll', (a) => ops.roll(a, { shifts: [1, -2], axes: [0, 1] })),
  one('repeat', (a) => ops.repeat(a, [2, 3])),
  one('broadcastTo', (a) => ops.broadcastTo(a, [2, 2, 3])),
  one(
    'oneHot',
    (a) => withInts([2], [1, 0], a, (labels) => ops.oneHot(labels, { numClasses: 3 })),
    false,
  ),

  {
    name: 'matmul',
    inputs: () => [x(), y()],
    apply: (a, b) => ops.matmul(a!, b!, { transposeB: true }),
    smooth: true,
  },
  {
    name: 'linear',
    inputs: () => [x(), y(), floats([2], [0.5, -0.5])],
    apply: (a, weight, bias) => ops.linear(a!, weight!, bias),
    smooth: true,
  },
  {
    name: 'linear of three axes without bias',
    inputs: () => [floats([2, 2, 3], 3), y()],
    apply: (a, weight) => ops.linear(a!, weight!),
    smooth: true,
  },
];
