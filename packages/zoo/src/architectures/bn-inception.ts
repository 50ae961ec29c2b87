/**
 * BN-Inception (Inception v2): GoogLeNet with batch normalisation and pairs of 3x3 convolutions in place of 5x5. Ioffe &
 * Szegedy 2015, arXiv:1502.03167, appendix. The flat names are those of the Caffe network, which PyTorch's weights kept;
 * convolutions have biases, as there.
 */

import { pad, type PairOption, type Tensor } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  MaxPool2d,
  ReLU,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { Mixed, type Path, type Stage } from '../mixed.ts';

interface Row {
  /** Absent in blocks that halve height and width. */
  readonly one?: number;
  /** Reduced, then 3x3. */
  readonly three: readonly [number, number];
  /** Reduced, then 3x3 twice. */
  readonly double: readonly [number, number];
  readonly pool: 'average' | 'max';
  /** After the pool. Absent: the pool's own channels pass. */
  readonly pooled?: number;
}

// prettier-ignore
const table: Readonly<Record<string, Row>> = {
  '3a': { one: 64,  three: [64, 64],   double: [64, 96],   pool: 'average', pooled: 32 },
  '3b': { one: 64,  three: [64, 96],   double: [64, 96],   pool: 'average', pooled: 64 },
  '3c': {           three: [128, 160], double: [64, 96],   pool: 'max' },
  '4a': { one: 224, three: [64, 96],   double: [96, 128],  pool: 'average', pooled: 128 },
  '4b': { one: 192, three: [96, 128],  double: [96, 128],  pool: 'average', pooled: 128 },
  '4c': { one: 160, three: [128, 160], double: [128, 160], pool: 'average', pooled: 128 },
  '4d': { one: 96,  three: [128, 192], double: [160, 192], pool: 'average', pooled: 128 },
  '4e': {           three: [128, 192], double: [192, 256], pool: 'max' },
  '5a': { one: 352, three: [192, 320], double: [160, 224], pool: 'average', pooled: 128 },
  '5b': { one: 352, three: [192, 320], double: [192, 224], pool: 'max',     pooled: 128 },
};

/**
 * A row or column of zeros where the height or width is odd, so that the pool gives as many as the strided convolutions
 * beside it. After a ReLU no zero is ever larger.
 */
const even = (x: Tensor): Tensor => {
  const [height, width] = [x.shape[2]!, x.shape[3]!];
  if (height % 2 === 0 && width % 2 === 0) return x;
  return pad(x, { padding: [[0, height % 2], [0, width % 2]] }); // prettier-ignore
};

const halvingPool = (): Module => new MaxPool2d({ kernelSize: 3, stride: 2, ceilMode: true });

export const bnInception: Architecture<'bn_inception'> = defineArchitecture({
  family: 'bn_inception',
  paper: 'Ioffe & Szegedy 2015, arXiv:1502.03167',
  variants: { bn_inception: { params: 11_295_240, macs: 2_032_600_064 } },
  aliases: { inception_v2: 'bn_inception' },
  input: { channels: 3, size: 224, minSize: 7 },
  head: 'last_linear',
  stem: 'conv1_7x7_s2',
  build(_, { numClasses, inChannels, generator }) {
    const modules: Record<string, Module> = {};
    const add = (name: string, module: Module): Path<string> => {
      modules[name] = module;
      return [name];
    };
    /** A convolution `prefix_kind`, its normalisation and its ReLU. */
    const unit = (
      prefix: string,
      kind: string,
      inputs: number,
      outputs: number,
      kernelSize: PairOption,
      { stride = 1, relu = kind }: { stride?: number; relu?: string } = {},
    ): Path<string> => {
      const padding = (Number(kernelSize) - 1) / 2;
      const conv = new Conv2d({
        inChannels: inputs,
        outChannels: outputs,
        kernelSize,
        stride,
        padding,
        generator,
      });
      return [
        ...add(`${prefix}_${kind}`, conv),
        ...add(`${prefix}_${kind}_bn`, new BatchNorm2d({ channels: outputs })),
        ...add(`${prefix}_relu_${relu}`, new ReLU()),
      ];
    };
    const block = (prefix: string, inputs: number, row: Row): Stage<string> => {
      const { one, three, double, pooled } = row;
      const stride = one === undefined ? 2 : 1;
      const first = one === undefined ? [] : [unit(prefix, '1x1', inputs, one, 1)];
      const second = [
        ...unit(prefix, '3x3_reduce', inputs, three[0], 1),
        ...unit(prefix, '3x3', three[0], three[1], 3, { stride }),
      ];
      const third = [
        ...unit(prefix, 'double_3x3_reduce', inputs, double[0], 1),
        ...unit(prefix, 'double_3x3_1', double[0], double[1], 3),
        ...unit(prefix, 'double_3x3_2', double[1], double[1], 3, { stride }),
      ];
      if (pooled === undefined) {
        return [...first, second, third, [even, ...add(`${prefix}_pool`, halvingPool())]];
      }
      const window = { kernelSize: 3, stride: 1, padding: 1 };
      const pool = row.pool === 'max' ? new MaxPool2d(window) : new AvgPool2d(window);
      const fourth = [
        ...add(`${prefix}_pool`, pool),
        ...unit(prefix, 'pool_proj', inputs, pooled, 1),
      ];
      return [...first, second, third, fourth];
    };

    const stages: Stage<string>[] = [
      [unit('conv1', '7x7_s2', inChannels, 64, 7, { stride: 2, relu: '7x7' })],
      [add('pool1_3x3_s2', halvingPool())],
      [unit('conv2', '3x3_reduce', 64, 64, 1)],
      [unit('conv2', '3x3', 64, 192, 3)],
      [add('pool2_3x3_s2', halvingPool())],
    ];
    let channels = 192;
    for (const [name, row] of Object.entries(table)) {
      stages.push(block(`inception_${name}`, channels, row));
      channels = (row.one ?? 0) + row.three[1] + row.double[1] + (row.pooled ?? channels);
    }
    stages.push(
      [add('global_pool', new AdaptiveAvgPool2d({ outputSize: 1 }))],
      [add('flatten', new Flatten())],
      [
        add(
          'last_linear',
          new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
        ),
      ],
    );
    return new Mixed(modules, ...stages);
  },
});
