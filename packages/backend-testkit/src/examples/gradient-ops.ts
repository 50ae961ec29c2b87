// Examples of the gradient ops that take what their forward op computed: these inputs are derived, not drawn.

import { runNaive, type NaiveValue } from '../naive/index.ts';
import { examplesOf, type Example } from './example.ts';

const epsilon = 1e-3;

/** An output of batchNormTrain for the drawn (gradient, x, weight). */
function statistic(output: 1 | 2): (drawn: readonly NaiveValue[]) => NaiveValue {
  return ([, x, weight]) =>
    runNaive('batchNormTrain', [x!, weight!, weight!], { epsilon })[output]!;
}

const batchNorms: Example[] = [
  { name: 'vectors', shape: [6, 3] },
  { name: 'images', shape: [2, 3, 2, 2] },
  { name: 'large', shape: [4, 7, 9, 11] },
].flatMap(({ name, shape }) => {
  const vector = { shape: [shape[1]!] };
  return examplesOf('batchNormTrainGradient', {
    name,
    attributes: { epsilon },
    inputs: [
      { shape },
      { shape },
      { ...vector, range: [0.5, 1.5] },
      { ...vector, derived: statistic(1), gradient: false },
      { ...vector, derived: statistic(2), gradient: false },
    ],
    differentiate: name !== 'large',
  });
});

const losses: Example[] = [3, 100].flatMap((classCount) => {
  const logits = [4, classCount];
  return examplesOf('softmaxCrossEntropyGradient', {
    name: `${classCount} classes`,
    attributes: {},
    inputs: [
      { shape: [4] },
      { shape: logits, range: [-3, 3] },
      {
        shape: logits,
        derived: ([, x]) => runNaive('logSoftmax', [x!], { axis: 1 })[0]!,
        gradient: false,
      },
      { shape: [4], dtype: 'int32', range: [0, classCount] },
    ],
    differentiate: classCount === 3,
  });
});

export const gradientOps: readonly Example[] = [...batchNorms, ...losses];
