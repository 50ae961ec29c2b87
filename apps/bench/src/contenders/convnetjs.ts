// ConvNetJS as a contender: training only. It takes images one by one and updates after each batch; its volumes are
// height, width, depth.

import { NO_ZOO, type Case, type Contender, type Task } from '../contender.ts';
import { lenet5 } from '../networks/lenet5.ts';
import { elements, gradientOfStep } from '../networks/network.ts';
import { load, versionOf } from '../peers.ts';

interface Volume {
  w: Float64Array | Float32Array | number[];
}
interface Layer {
  readonly layer_type: string;
  readonly filters?: Volume[];
  readonly biases?: Volume;
}
interface ConvNetJs {
  Net: new () => { readonly layers: Layer[]; makeLayers(definitions: readonly object[]): void };
  Trainer: new (net: object, options: object) => { train(x: Volume, label: number): void };
  Vol: new (width: number, height: number, depth: number, value: number) => Volume;
}

const { classes: CLASSES, imageSize: IMAGE } = lenet5;

const definitions = [
  { type: 'input', out_sx: IMAGE, out_sy: IMAGE, out_depth: 1 },
  { type: 'conv', sx: 5, filters: 6, stride: 1, pad: 2, activation: 'relu' },
  { type: 'pool', sx: 2, stride: 2 },
  { type: 'conv', sx: 5, filters: 16, stride: 1, pad: 0, activation: 'relu' },
  { type: 'pool', sx: 2, stride: 2 },
  { type: 'fc', num_neurons: 120, activation: 'relu' },
  { type: 'fc', num_neurons: 84, activation: 'relu' },
  { type: 'softmax', num_classes: CLASSES },
];

/** Index of element `i` of a filter of a layer, in PyTorch's order, within ConvNetJS's volume. */
function volumeIndex(name: string, i: number): number {
  const [depth, size] =
    name === 'conv1' ? [1, 5] : name === 'conv2' ? [6, 5] : name === 'fc1' ? [16, 5] : [1, 0];
  if (size === 0) return i;
  const plane = size * size;
  return (i % plane) * depth + Math.floor(i / plane);
}

function trainingTask(library: ConvNetJs, { inputs }: Case, batch: number): Task {
  const net = new library.Net();
  net.makeLayers(definitions);
  const trainer = new library.Trainer(net, {
    method: 'sgd',
    learning_rate: lenet5.learningRate,
    momentum: 0,
    l2_decay: 0,
    batch_size: batch,
  });
  const trained = net.layers.filter(({ filters }) => filters);
  const names = ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'];
  names.forEach((name, layer) => {
    const { filters, biases } = trained[layer]!;
    const weight = inputs.get(`${name}.weight`)!;
    const taps = weight.length / filters!.length;
    filters!.forEach(({ w }, o) => {
      for (let i = 0; i < taps; i++) w[volumeIndex(name, i)] = weight[o * taps + i]!;
    });
    inputs.get(`${name}.bias`)!.forEach((value, o) => (biases!.w[o] = value));
  });

  const images = Array.from({ length: batch }, (_, i) => {
    const volume = new library.Vol(IMAGE, IMAGE, 1, 0);
    inputs
      .get('images')!
      .subarray(i * IMAGE ** 2, (i + 1) * IMAGE ** 2)
      .forEach((value, at) => (volume.w[at] = value));
    return volume;
  });
  const labels = inputs.get('labels')!;
  const step = (): void => images.forEach((image, i) => trainer.train(image, labels[i]!));
  const valuesOf = (parameterName: string): ArrayLike<number> => {
    const [name, kind] = parameterName.split('.') as [string, string];
    const { filters, biases } = trained[names.indexOf(name)]!;
    if (kind === 'bias') return biases!.w;
    const length = elements(lenet5.parameters[parameterName]!);
    const taps = length / filters!.length;
    return Array.from(
      { length },
      (_, i) => filters![Math.floor(i / taps)]!.w[volumeIndex(name, i % taps)]!,
    );
  };
  return {
    run: step,
    result() {
      step();
      return Promise.resolve(gradientOfStep(lenet5, inputs, valuesOf));
    },
  };
}

export function convnetjs(): Contender {
  const library = load<ConvNetJs>('convnetjs');
  return {
    name: 'convnetjs',
    version: versionOf('convnetjs'),
    threads: 1,
    prepare: (benchCase) => {
      const { work } = benchCase;
      if (work.kind === 'inference') return Promise.resolve({ unsupported: NO_ZOO });
      if (work.kind !== 'training') {
        return Promise.resolve({ unsupported: 'it has no single ops to time' });
      }
      if (work.network !== lenet5) {
        return Promise.resolve({ unsupported: 'it has no batch normalisation and no shortcuts' });
      }
      return Promise.resolve(trainingTask(library, benchCase, work.batch));
    },
  };
}
