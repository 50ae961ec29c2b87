/**
 * LeNet and the small networks of Andrew Ng's course. `lenet1`: LeCun et al. 1990, "Handwritten digit recognition with a
 * back-propagation network". `lenet5_classic`: LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to
 * document recognition", with trainable subsampling, a sparse third layer (table I), the scaled tanh, and distances to fixed
 * codes as outputs (the smallest is the answer). `lenet5_modern` (also `lenet5`): ReLU and max-pooling. `lenet5_course`: the
 * table of 62,958 parameters. `convnet_course`: the 39x39x3 example with one logistic output.
 */

import {
  buffer,
  conv2d,
  avgPool2d,
  add,
  mul,
  ones,
  parameter,
  reshape,
  scope,
  square,
  sub,
  sum,
  tensor,
  zeros,
  type Generator,
  type Slot,
  type Tensor,
} from '@convoke/core';
import {
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  Module,
  ReLU,
  ScaledTanh,
  Sequential,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';

/** The sum of each 2x2 window times a factor, plus a term, one of each a channel. */
class Subsample extends Module {
  readonly weight: Slot;
  readonly bias: Slot;

  constructor(channels: number) {
    super();
    this.weight = parameter(ones([channels]));
    this.bias = parameter(zeros([channels]));
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const sums = mul(avgPool2d(x, { kernelSize: 2 }), 4);
      const shape = [1, -1, 1, 1];
      return add(mul(sums, reshape(this.weight, shape)), reshape(this.bias, shape));
    });
  }
}

/** A 5x5 convolution in which an output map sees the input maps marked X in its column of the table only. */
class SparseConv2d extends Conv2d {
  readonly #table: readonly string[];

  constructor(table: readonly string[], generator: Generator | undefined) {
    super({ inChannels: table.length, outChannels: table[0]!.length, kernelSize: 5, generator });
    this.#table = table;
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const [outputs, inputs] = this.weight.shape as [number, number];
      const marks = Float32Array.from({ length: outputs * inputs }, (_, i) =>
        this.#table[i % inputs]![Math.floor(i / inputs)] === 'X' ? 1 : 0,
      );
      const mask = tensor(marks, { shape: [outputs, inputs, 1, 1], backend: x.backend });
      return conv2d(x, mul(this.weight, mask), { bias: this.bias! });
    });
  }
}

/** Squared distances to fixed codes of +-1: [N, features] to [N, classes]. */
class Distances extends Module {
  readonly centers: Slot;

  constructor(features: number, classes: number) {
    super();
    this.centers = buffer(ones([classes, features]));
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const apart = sub(reshape(x, [x.shape[0]!, 1, -1]), this.centers);
      return sum(square(apart), { axis: 2 });
    });
  }
}

// Rows are input maps, columns output maps.
const LENET1_H3 = ['XXX.XX......', '.XXXXX......', '......XXX.XX', '.......XXXXX'];
const LENET5_C3 = [
  'X...XXX..XXXX.XX',
  'XX...XXX..XXXX.X',
  'XXX...XXX..X.XXX',
  '.XXX..XXXX..X.XX',
  '..XXX..XXXX.XX.X',
  '...XXX..XXXX.XXX',
];

type Build = (numClasses: number, inChannels: number, generator?: Generator) => Module;

type Name = 'lenet1' | 'lenet5_classic' | 'lenet5_modern' | 'lenet5_course' | 'convnet_course';

const builders: Readonly<Record<Name, Build>> = {
  lenet1: (numClasses, inChannels, generator) =>
    new Sequential({
      h1: new Conv2d({ inChannels, outChannels: 4, kernelSize: 5, generator }), // [4, 24, 24]
      a1: new ScaledTanh(),
      h2: new Subsample(4), // [4, 12, 12]
      a2: new ScaledTanh(),
      h3: new SparseConv2d(LENET1_H3, generator), // [12, 8, 8]
      a3: new ScaledTanh(),
      h4: new Subsample(12), // [12, 4, 4]
      a4: new ScaledTanh(),
      flatten: new Flatten(),
      output: new Linear({ inFeatures: 192, outFeatures: numClasses, generator }),
      a5: new ScaledTanh(),
    }),
  lenet5_classic: (numClasses, inChannels, generator) =>
    new Sequential({
      c1: new Conv2d({ inChannels, outChannels: 6, kernelSize: 5, generator }), // [6, 28, 28]
      a1: new ScaledTanh(),
      s2: new Subsample(6), // [6, 14, 14]
      a2: new ScaledTanh(),
      c3: new SparseConv2d(LENET5_C3, generator), // [16, 10, 10]
      a3: new ScaledTanh(),
      s4: new Subsample(16), // [16, 5, 5]
      a4: new ScaledTanh(),
      c5: new Conv2d({ inChannels: 16, outChannels: 120, kernelSize: 5, generator }),
      a5: new ScaledTanh(),
      flatten: new Flatten(),
      f6: new Linear({ inFeatures: 120, outFeatures: 84, generator }),
      a6: new ScaledTanh(),
      output: new Distances(84, numClasses),
    }),
  lenet5_modern: (numClasses, inChannels, generator) =>
    new Sequential({
      conv1: new Conv2d({ inChannels, outChannels: 6, kernelSize: 5, padding: 2, generator }),
      relu1: new ReLU(),
      pool1: new MaxPool2d({ kernelSize: 2 }), // [6, 14, 14]
      conv2: new Conv2d({ inChannels: 6, outChannels: 16, kernelSize: 5, generator }),
      relu2: new ReLU(),
      pool2: new MaxPool2d({ kernelSize: 2 }), // [16, 5, 5]
      flatten: new Flatten(),
      ...dense(numClasses, generator),
    }),
  lenet5_course: (numClasses, inChannels, generator) =>
    new Sequential({
      conv1: new Conv2d({ inChannels, outChannels: 8, kernelSize: 5, generator }), // [8, 28, 28]
      relu1: new ReLU(),
      pool1: new MaxPool2d({ kernelSize: 2 }),
      conv2: new Conv2d({ inChannels: 8, outChannels: 16, kernelSize: 5, generator }),
      relu2: new ReLU(),
      pool2: new MaxPool2d({ kernelSize: 2 }), // [16, 5, 5]
      flatten: new Flatten(),
      ...dense(numClasses, generator),
    }),
  convnet_course: (numClasses, inChannels, generator) =>
    new Sequential({
      conv1: new Conv2d({ inChannels, outChannels: 10, kernelSize: 3, generator }), // [10, 37, 37]
      relu1: new ReLU(),
      conv2: new Conv2d({ inChannels: 10, outChannels: 20, kernelSize: 5, stride: 2, generator }),
      relu2: new ReLU(),
      conv3: new Conv2d({ inChannels: 20, outChannels: 40, kernelSize: 5, stride: 2, generator }),
      relu3: new ReLU(),
      flatten: new Flatten(), // [1960]
      fc: new Linear({ inFeatures: 1960, outFeatures: numClasses, generator }),
    }),
};

function dense(numClasses: number, generator: Generator | undefined): Record<string, Module> {
  return {
    fc1: new Linear({ inFeatures: 400, outFeatures: 120, generator }),
    relu3: new ReLU(),
    fc2: new Linear({ inFeatures: 120, outFeatures: 84, generator }),
    relu4: new ReLU(),
    fc3: new Linear({ inFeatures: 84, outFeatures: numClasses, generator }),
  };
}

export const lenet: Architecture<Name> = defineArchitecture<Name>({
  family: 'lenet',
  paper:
    'LeCun, Bottou, Bengio and Haffner 1998, "Gradient-based learning applied to document recognition"',
  variants: {
    lenet1: {
      params: 3278,
      effectiveParams: 2578,
      macs: 136_320,
      input: { channels: 1, size: 28 },
      head: 'output',
      stem: 'h1',
    },
    lenet5_classic: {
      params: 60_900,
      effectiveParams: 60_000,
      macs: 415_680,
      input: { channels: 1, size: 32 },
      head: 'output',
      stem: 'c1',
    },
    lenet5_modern: { params: 61_706, macs: 416_520 },
    lenet5_course: { params: 62_958, macs: 849_320, input: { channels: 3, size: 32 } },
    convnet_course: {
      params: 27_301,
      macs: 2_796_590,
      input: { channels: 3, size: 39 },
      numClasses: 1,
      head: 'fc',
    },
  },
  aliases: { lenet5: 'lenet5_modern' },
  input: { channels: 1, size: 28 },
  numClasses: 10,
  head: 'fc3',
  stem: 'conv1',
  build: (variant, { numClasses, inChannels, generator }) =>
    builders[variant](numClasses, inChannels, generator),
});
