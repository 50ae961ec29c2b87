// Batch normalisation with its gradient, softmax and the loss that is fused with it.

import { sizeOf, type Shape } from '@convoke/backend-api';

import type { Buffer } from '../device.ts';
import { roundAxis, split, sumOf } from '../indexing.ts';
import { literal, type Kit, type OpKernels, type Value } from '../kernel.ts';
import { hasImages } from './channel-sums.ts';
import { packedMoments, packedNormalize, packedNormalizeGradient } from './packed-normalization.ts';
import { fold, maxFold, sumFold } from './reductions.ts';

/** [N, C, rest]: images with their planes laid out. */
function planes(shape: Shape): [number, number, number] {
  return [shape[0]!, shape[1]!, sizeOf(shape.slice(2))];
}

/** An element of [N, C, rest]: `i` is its number, `c` its channel. */
function each(shape: Shape): string {
  const [n, channels, rest] = planes(shape);
  const { code, names } = split('i', [n, channels, rest], 'c');
  return `const i = this.thread.x;\n${code}const c = ${names[1]} + 0;\n`;
}

/** Sums an expression of `x0[at]`, … and of the channel `c` over all but the channels. */
function perChannel(
  kit: Kit,
  inputs: readonly Buffer[],
  shape: Shape,
  element: string,
  finish = 's',
): Buffer {
  const [n, channels, rest] = planes(shape);
  const channel = channels === 1 ? '0' : 'c0';
  const code = element.replaceAll('[c]', `[${channel}]`);
  return fold(kit, sumFold, inputs, [n, channels, rest], [0, 2], code, finish);
}

/** log-softmax or softmax of a flat tensor along an axis, in three kernels. */
function softmaxOf(kit: Kit, x: Buffer, shape: Shape, axis: number, logarithm: boolean): Buffer {
  const lines = roundAxis(shape, axis);
  const [outer, length, inner] = lines;
  const top = kit.passing(fold(kit, maxFold, [x], lines, [1]));
  const line = (): { code: string; at: string } => {
    const { code, names } = split('i', lines, 'c');
    const at = sumOf(0, [
      [names[0]!, inner],
      [names[2]!, 1],
    ]);
    return { code: `const i = this.thread.x;\n${code}const line = ${at};\n`, at: 'line' };
  };
  const sums = kit.passing(
    kit.compute(`sums ${axis}`, [outer, inner], [x, top], ['x', 'top'], () => {
      const { code, names } = split('i', [outer, inner], 'c');
      const base = sumOf(0, [
        [names[0]!, length * inner],
        [names[1]!, 1],
      ]);
      return `const i = this.thread.x;\n${code}const base = ${base};\nconst m = top[i];\nlet s = 0.0;
for (let k = 0; k < ${length}; k++) { s = s + Math.exp(x[base + k * ${inner}] - m); }
return s;`;
    }),
  );
  const result = logarithm
    ? 'x[i] - top[line] - Math.log(sums[line])'
    : 'Math.exp(x[i] - top[line]) / sums[line]';
  return kit.compute(
    `softmax ${axis} ${logarithm}`,
    shape,
    [x, top, sums],
    ['x', 'top', 'sums'],
    () => {
      return `${line().code}return ${result};`;
    },
  );
}

type FourValues = [Value, Value, Value, Value];

const flats = <T extends readonly Value[]>(kit: Kit, values: T): { [K in keyof T]: Buffer } =>
  values.map((value) => kit.flat(value)) as { [K in keyof T]: Buffer };

export const normalizationKernels: OpKernels = {
  batchNormEval: (kit, inputs, { epsilon }, [output]) => [
    hasImages(kit, [inputs[0]!])
      ? packedNormalize(kit, inputs[0]!, flats(kit, inputs.slice(1) as FourValues), epsilon)
      : kit.compute(
          'each',
          output!.shape,
          inputs.map((input) => kit.flat(input)),
          ['x', 'weight', 'bias', 'mean', 'variance'],
          () =>
            `${each(output!.shape)}return (x[i] - mean[c]) / Math.sqrt(variance[c] + ${literal(epsilon)}) * weight[c] + bias[c];`,
        ),
  ],
  batchNormTrain: (kit, [x, weight, bias], { epsilon }, [output]) => {
    const { shape } = output!;
    if (hasImages(kit, [x!])) {
      const [mean, variance] = packedMoments(kit, x!);
      const tensors = [kit.flat(weight!), kit.flat(bias!), mean, variance] as const;
      return [packedNormalize(kit, x!, tensors, epsilon), mean, variance];
    }
    const [n, , rest] = planes(shape);
    const count = literal(n * rest);
    const from = kit.flat(x!);
    const mean = perChannel(kit, [from], shape, 'x0[at]', `s / ${count}`);
    const variance = perChannel(
      kit,
      [from, mean],
      shape,
      '(x0[at] - x1[c]) * (x0[at] - x1[c])',
      `s / ${count}`,
    );
    const y = kit.compute(
      'each',
      shape,
      [from, kit.flat(weight!), kit.flat(bias!), mean, variance],
      ['x', 'weight', 'bias', 'mean', 'variance'],
      () =>
        `${each(shape)}return (x[i] - mean[c]) / Math.sqrt(variance[c] + ${literal(epsilon)}) * weight[c] + bias[c];`,
    );
    return [y, mean, variance];
  },
  batchNormTrainGradient: (kit, [gradient, x, weight, mean, variance], { epsilon }, [output]) => {
    const { shape } = output!;
    if (hasImages(kit, [gradient!, x!])) {
      const tensors = flats(kit, [weight!, mean!, variance!] as const);
      return packedNormalizeGradient(kit, gradient!, x!, tensors, epsilon);
    }
    const [n, , rest] = planes(shape);
    const count = literal(n * rest);
    const [g, from, m, v] = [gradient, x, mean, variance].map((value) => kit.flat(value!)) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    const dBias = perChannel(kit, [g], shape, 'x0[at]');
    const dWeight = perChannel(
      kit,
      [g, from, m, v],
      shape,
      `x0[at] * (x1[at] - x2[c]) / Math.sqrt(x3[c] + ${literal(epsilon)})`,
    );
    const dx = kit.compute(
      'input',
      shape,
      [g, from, kit.flat(weight!), m, v, dBias, dWeight],
      ['gradient', 'x', 'weight', 'mean', 'variance', 'sums', 'products'],
      () => `${each(shape)}const inverse = 1.0 / Math.sqrt(variance[c] + ${literal(epsilon)});
const standard = (x[i] - mean[c]) * inverse;
return weight[c] * inverse * (gradient[i] - (sums[c] + standard * products[c]) / ${count});`,
    );
    return [dx, dWeight, dBias];
  },
  softmax: (kit, [x], { axis }) => [softmaxOf(kit, kit.flat(x!), x!.spec.shape, axis, false)],
  logSoftmax: (kit, [x], { axis }) => [softmaxOf(kit, kit.flat(x!), x!.spec.shape, axis, true)],
  // A class out of range gives the loss 0.
  softmaxCrossEntropy: (kit, [logits, classes]) => {
    const { shape } = logits!.spec;
    const logs = softmaxOf(kit, kit.flat(logits!), shape, 1, true);
    const losses = kit.compute(
      'losses',
      [shape[0]!],
      [logs, kit.flat(classes!)],
      ['logs', 'classes'],
      () => `const i = this.thread.x;
const k = whole(classes[i]);
let y = 0.0;
if (k >= 0 && k < ${shape[1]}) { y = 0.0 - logs[i * ${shape[1]} + k]; }
return y;`,
    );
    return [losses, logs];
  },
  softmaxCrossEntropyGradient: (kit, [gradient, , logs, classes], _, [output]) => [
    kit.compute(
      'each',
      output!.shape,
      [gradient, logs, classes].map((value) => kit.flat(value!)),
      ['gradient', 'logs', 'classes'],
      () => {
        const { code, names } = split('i', output!.shape, 'c');
        return `const i = this.thread.x;
${code}let p = Math.exp(logs[i]);
if (whole(classes[${names[0]}]) === ${names[1]}) { p = p - 1.0; }
return p * gradient[${names[0]}];`;
      },
    ),
  ],
};
