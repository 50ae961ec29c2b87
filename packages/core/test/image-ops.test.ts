// Every op on images, every normalisation and loss, one by one: who owns what, on the js backend, without data and recorded.

import { createMeta, createRecorder, replay, type Backend } from '@convoke/backend-api';
import { beforeAll, describe, expect, test } from 'vitest';

import * as ops from '../src/index.ts';
import { backward, current, memory, parameter, scope, square, sum, Tensor } from '../src/index.ts';
import { floats, ints, useJs } from './images.ts';

beforeAll(useJs);

interface Sample {
  readonly name: string;
  /** Shapes of the float32 arguments. */
  readonly shapes: readonly number[][];
  /** Shape and values of an int32 argument, which comes last. */
  readonly classes?: readonly [number[], number[]];
  readonly apply: (...inputs: Tensor[]) => Tensor | Record<string, Tensor>;
}

const image = [2, 4, 5, 6];
const plane = [2, 3, 2];
const classes = [
  [2, 2],
  [0, 2, 1, 0],
] as const;
const generator = (): ops.Generator => new ops.Generator(1);

const samples: readonly Sample[] = [
  { name: 'conv2d', shapes: [image, [2, 4, 3, 3]], apply: (x, w) => ops.conv2d(x!, w!) },
  {
    name: 'conv2d with all options',
    shapes: [image, [4, 2, 3, 3], [4]],
    apply: (x, w, bias) =>
      ops.conv2d(x!, w!, {
        bias,
        stride: 2,
        padding: 1,
        paddingMode: 'reflect',
        groups: 2,
        activation: 'relu6',
      }),
  },
  {
    name: 'conv2d with an activation alone',
    shapes: [image, [2, 4, 3, 3]],
    apply: (x, w) => ops.conv2d(x!, w!, { activation: 'relu', padding: 'same' }),
  },
  { name: 'convolve2d', shapes: [image, [2, 4, 3, 2]], apply: (x, w) => ops.convolve2d(x!, w!) },
  {
    name: 'convTranspose2d',
    shapes: [image, [4, 2, 3, 3], [2]],
    apply: (x, w, bias) => ops.convTranspose2d(x!, w!, { bias, stride: 2, outputPadding: 1 }),
  },
  {
    name: 'maxPool2d',
    shapes: [image],
    apply: (x) => ops.maxPool2d(x!, { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }),
  },
  {
    name: 'maxPool2dWithIndices',
    shapes: [image],
    apply: (x) => ({ ...ops.maxPool2dWithIndices(x!, { kernelSize: 2 }) }),
  },
  {
    name: 'avgPool2d',
    shapes: [image],
    apply: (x) => ops.avgPool2d(x!, { kernelSize: 3, stride: 2, padding: 1, ceilMode: true }),
  },
  {
    name: 'adaptiveAvgPool2d',
    shapes: [image],
    apply: (x) => ops.adaptiveAvgPool2d(x!, { outputSize: [3, 4] }),
  },
  {
    name: 'adaptiveMaxPool2d',
    shapes: [image],
    apply: (x) => ops.adaptiveMaxPool2d(x!, { outputSize: [3, 4] }),
  },
  { name: 'globalAvgPool2d', shapes: [image], apply: (x) => ops.globalAvgPool2d(x!) },
  {
    name: 'batchNorm',
    shapes: [image],
    apply: (x) =>
      scope(() => {
        const options = { shape: [4], backend: x!.backend };
        const mean = ops.tensor([0.1, 0.2, 0.3, 0.4], options);
        return ops.batchNorm(x!, { mean, variance: ops.tensor([1, 2, 3, 4], options) });
      }),
  },
  {
    name: 'batchNormTrain',
    shapes: [image, [4], [4]],
    apply: (x, weight, bias) => ({ ...ops.batchNormTrain(x!, { weight, bias }) }),
  },
  {
    name: 'layerNorm',
    shapes: [image, [5, 6]],
    apply: (x, weight) => ops.layerNorm(x!, { normalizedShape: [5, 6], weight }),
  },
  {
    name: 'groupNorm',
    shapes: [image, [4], [4]],
    apply: (x, weight, bias) => ops.groupNorm(x!, { groups: 2, weight, bias }),
  },
  {
    name: 'localResponseNorm',
    shapes: [image],
    apply: (x) => ops.localResponseNorm(x!, { size: 3, alpha: 1 }),
  },
  {
    name: 'crossEntropy, fused',
    shapes: [[4, 3]],
    classes: [[4], [0, 2, 1, 0]],
    apply: (x, target) => ops.crossEntropy(x!, target!),
  },
  {
    name: 'crossEntropy with all options',
    shapes: [plane, [3]],
    classes: [[...classes[0]], [...classes[1]]],
    apply: (x, classWeights, target) =>
      ops.crossEntropy(x!, target!, { classWeights, labelSmoothing: 0.1, ignoreIndex: 2 }),
  },
  {
    name: 'crossEntropy of probabilities',
    shapes: [plane, plane],
    apply: (x, target) => ops.crossEntropy(x!, target!, { labelSmoothing: 0.1 }),
  },
  {
    name: 'nllLoss',
    shapes: [plane],
    classes: [[...classes[0]], [...classes[1]]],
    apply: (x, target) => ops.nllLoss(x!, target!, { reduction: 'none' }),
  },
  { name: 'mseLoss', shapes: [plane, plane], apply: (x, t) => ops.mseLoss(x!, t!) },
  { name: 'l1Loss', shapes: [plane, plane], apply: (x, t) => ops.l1Loss(x!, t!) },
  { name: 'smoothL1Loss', shapes: [plane, plane], apply: (x, t) => ops.smoothL1Loss(x!, t!) },
  { name: 'huberLoss', shapes: [plane, plane], apply: (x, t) => ops.huberLoss(x!, t!) },
  { name: 'bceLoss', shapes: [plane, plane], apply: (x, t) => ops.bceLoss(x!, t!) },
  {
    name: 'bceWithLogitsLoss',
    shapes: [plane, plane],
    apply: (x, t) => ops.bceWithLogitsLoss(x!, t!, { posWeight: 2 }),
  },
  {
    name: 'klDivLoss',
    shapes: [plane, plane],
    apply: (x, t) => ops.klDivLoss(x!, t!, { reduction: 'batchmean' }),
  },
  {
    name: 'dropout',
    shapes: [image],
    apply: (x) => ops.dropout(x!, { generator: generator() }),
  },
  {
    name: 'interpolate by nearest',
    shapes: [image],
    apply: (x) => ops.interpolate(x!, { size: [3, 9] }),
  },
  {
    name: 'interpolate by bicubic',
    shapes: [image],
    apply: (x) => ops.interpolate(x!, { scaleFactor: 1.5, mode: 'bicubic', antialias: true }),
  },
  { name: 'pixelShuffle', shapes: [image], apply: (x) => ops.pixelShuffle(x!, { factor: 2 }) },
  {
    name: 'pixelUnshuffle',
    shapes: [[1, 2, 4, 6]],
    apply: (x) => ops.pixelUnshuffle(x!, { factor: 2 }),
  },
  { name: 'channelShuffle', shapes: [image], apply: (x) => ops.channelShuffle(x!, { groups: 2 }) },
];

/** In (0, 1), where all of the ops above are defined. */
function argumentsOf({ shapes, classes: target }: Sample): Tensor[] {
  const inputs = shapes.map((shape, i) =>
    scope(() => ops.sigmoid(ops.mul(floats(shape, i + 3), 2))),
  );
  return target ? [...inputs, ints(...target)] : inputs;
}

function resultsOf(result: Tensor | Record<string, Tensor>): Tensor[] {
  return result instanceof Tensor ? [result] : Object.values(result);
}

function disposeAll(tensors: readonly Tensor[]): void {
  for (const tensor of tensors) tensor.dispose();
}

/** Arguments that gradients go to, but for class numbers. */
function parametersOf(sample: Sample): Tensor[] {
  return argumentsOf(sample).map((input) => (input.dtype === 'float32' ? parameter(input) : input));
}

describe.each(samples)('$name', (sample) => {
  test('returns new tensors that stand by themselves, and leaves nothing else', async () => {
    const before = memory().handles;
    const inputs = argumentsOf(sample);
    const results = resultsOf(sample.apply(...inputs));
    for (const result of results) expect(inputs).not.toContain(result);
    disposeAll(inputs);
    for (const result of results) expect(await result.data()).toHaveLength(result.size);
    disposeAll(results);
    expect(memory().handles).toBe(before);
  });

  test('leaves nothing behind after a backward pass, nor where there is none', () => {
    const before = memory().handles;
    const inputs = parametersOf(sample);
    disposeAll(resultsOf(sample.apply(...inputs)));
    const results = resultsOf(sample.apply(...inputs));
    scope(() => backward(sum(square(results[0]!))));
    disposeAll(results);
    const graded = inputs.filter((input) => input instanceof ops.Slot);
    expect(graded.every(({ grad }) => grad !== null)).toBe(true);
    disposeAll(inputs);
    expect(memory().handles).toBe(before);
  });

  test('frees what it made before an error', () => {
    const before = memory().handles;
    const inputs = argumentsOf(sample);
    disposeAll(inputs);
    expect(() => sample.apply(...inputs)).toThrow(/disposed/);
    expect(memory().handles).toBe(before);
  });

  test('has the same shapes without data', () => {
    const meta = createMeta();
    const inputs = argumentsOf(sample);
    const results = resultsOf(sample.apply(...inputs));
    const dataless = inputs.map(
      ({ spec }) => new Tensor(meta, meta.upload(spec, new Float32Array())),
    );
    const shapes = resultsOf(sample.apply(...dataless));
    expect(shapes.map(({ spec }) => spec)).toEqual(results.map(({ spec }) => spec));
    disposeAll([...dataless, ...shapes, ...inputs, ...results]);
    expect(meta.memory().handles).toBe(0);
  });

  test('gives the same bits recorded and replayed', async () => {
    const backend: Backend = current();
    const inputs = argumentsOf(sample);
    const recorder = createRecorder();
    const symbols = inputs.map(({ spec }) => new Tensor(recorder, recorder.input(spec)));
    const recorded = resultsOf(sample.apply(...symbols));
    const program = recorder.finish(recorded.map(({ handle }) => handle));
    const handles = inputs.map(({ handle }) => handle);
    const replayed = replay(program, backend, handles).map((handle) => new Tensor(backend, handle));
    const eager = resultsOf(sample.apply(...inputs));
    for (const [i, result] of eager.entries()) {
      expect(await replayed[i]!.data()).toEqual(await result.data());
    }
  });
});
