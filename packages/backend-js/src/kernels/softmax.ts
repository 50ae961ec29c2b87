// Softmax, its logarithm, and the loss that is fused with it. Exponentials and their sums are in float64.

import { type Data } from '@convoke/backend-api';

import type { Kernel, Kernels } from '../kernel.ts';
import { aroundAxis } from './axis.ts';
import { checkIndices } from './gather.ts';

function largest(x: Data, at: number, step: number, length: number): number {
  let most = -Infinity;
  for (let i = 0, from = at; i < length; i++, from += step) most = Math.max(most, x[from]!);
  return most;
}

function softmaxLine(x: Data, y: Data, start: number, step: number, length: number): void {
  const most = largest(x, start, step, length);
  let sum = 0;
  for (let i = 0, at = start; i < length; i++, at += step) {
    const power = Math.exp(x[at]! - most);
    sum += power;
    y[at] = power;
  }
  const scale = 1 / sum;
  for (let i = 0, at = start; i < length; i++, at += step) y[at]! *= scale;
}

function logSoftmaxLine(x: Data, y: Data, start: number, step: number, length: number): void {
  const most = largest(x, start, step, length);
  let sum = 0;
  for (let i = 0, at = start; i < length; i++, at += step) sum += Math.exp(x[at]! - most);
  const shift = Math.log(sum);
  // Subtracting twice keeps infinities as the catalogue has them: an infinite maximum gives NaN.
  for (let i = 0, at = start; i < length; i++, at += step) y[at] = x[at]! - most - shift;
}

function alongAxis(line: typeof softmaxLine): Kernel<'softmax' | 'logSoftmax'> {
  return ([x], { axis }, _, reuse, arrays) => {
    const { outer, length, inner } = aroundAxis(x!.spec.shape, axis);
    const y = reuse[0] ?? arrays.take('float32', x!.data.length);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) line(x!.data, y, o * length * inner + i, inner, length);
    }
    return [y];
  };
}

const softmaxCrossEntropy: Kernel<'softmaxCrossEntropy'> = (
  [logits, classes],
  _,
  [spec],
  reuse,
  arrays,
) => {
  const [n, count] = logits!.spec.shape as [number, number];
  checkIndices('softmaxCrossEntropy', classes!, count, 'a class');
  const losses = arrays.take('float32', spec!.shape[0]!);
  const logs = reuse[0] ?? arrays.take('float32', n * count);
  for (let row = 0; row < n; row++) {
    logSoftmaxLine(logits!.data, logs, row * count, 1, count);
    losses[row] = -logs[row * count + classes!.data[row]!]!;
  }
  return [losses, logs];
};

const softmaxCrossEntropyGradient: Kernel<'softmaxCrossEntropyGradient'> = (
  [gradient, , logs, classes],
  _,
  [spec],
  reuse,
  arrays,
) => {
  const [n, count] = spec!.shape as [number, number];
  const y = reuse[2] ?? reuse[1] ?? arrays.take('float32', n * count);
  for (let row = 0; row < n; row++) {
    const scale = gradient!.data[row]!;
    const target = classes!.data[row]!;
    const start = row * count;
    for (let i = 0; i < count; i++) {
      y[start + i] = (Math.exp(logs!.data[start + i]!) - (i === target ? 1 : 0)) * scale;
    }
  }
  return [y];
};

export const softmaxKernels: Kernels = {
  softmax: alongAxis(softmaxLine),
  logSoftmax: alongAxis(logSoftmaxLine),
  softmaxCrossEntropy,
  softmaxCrossEntropyGradient,
};
