/**
 * MobileNet: depthwise 3x3 and pointwise 1x1 convolutions in turn, with a factor for the width of all layers. Howard et al.
 * 2017, arXiv:1704.04861, table 1. `mobilenet_v1_0.75_224` is the network of Keras' and TensorFlow.js' weights.
 */

import type { PairOption } from '@convoke/core';
import {
  AdaptiveAvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  Linear,
  ReLU,
  ReLU6,
  Sequential,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';
import { positive } from '../options.ts';

/** Channels and stride of each depthwise separable layer. */
// prettier-ignore
const table = [
  [64, 1],
  [128, 2], [128, 1],
  [256, 2], [256, 1],
  [512, 2], [512, 1], [512, 1], [512, 1], [512, 1], [512, 1],
  [1024, 2], [1024, 1],
] as const;

const widths = {
  mobilenet_v1: 1,
  'mobilenet_v1_0.25': 0.25,
  'mobilenet_v1_0.5': 0.5,
  'mobilenet_v1_0.75': 0.75,
  'mobilenet_v1_0.75_224': 0.75,
} as const;

export interface MobileNetV1Options {
  /** By which all numbers of channels are multiplied; at least 8 stay. Default: the variant's. */
  readonly width: number;
}

export const mobilenetV1: Architecture<keyof typeof widths, MobileNetV1Options> =
  defineArchitecture({
    family: 'mobilenet_v1',
    paper: 'Howard et al. 2017, arXiv:1704.04861',
    variants: {
      mobilenet_v1: { params: 4_231_976, macs: 568_740_352 },
      'mobilenet_v1_0.25': { params: 470_072, macs: 41_030_272 },
      'mobilenet_v1_0.5': { params: 1_331_592, macs: 149_497_088 },
      'mobilenet_v1_0.75': { params: 2_585_560, macs: 325_400_448 },
      'mobilenet_v1_0.75_224': { params: 2_585_560, macs: 325_400_448 },
    },
    input: { channels: 3, size: 224, minSize: 1 },
    head: 'classifier',
    stem: 'features.0.conv',
    options: { width: positive },
    build(variant, { numClasses, inChannels, generator, width = widths[variant] }) {
      const fromKeras = variant === 'mobilenet_v1_0.75_224';
      const scaled = (channels: number): number => Math.max(8, Math.floor(channels * width));
      const norm = (channels: number): Module =>
        new BatchNorm2d({ channels, epsilon: fromKeras ? 1e-3 : 1e-5 });
      const activation = (): Module => (fromKeras ? new ReLU6() : new ReLU());
      const conv = (
        inputs: number,
        outputs: number,
        kernelSize: PairOption,
        { stride = 1, groups = 1 }: { stride?: number; groups?: number } = {},
      ): Module =>
        new Conv2d({
          inChannels: inputs,
          outChannels: outputs,
          kernelSize,
          stride,
          groups,
          padding: fromKeras ? 'same-tensorflow' : kernelSize === 3 ? 1 : 0,
          bias: false,
          generator,
        });
      const separable = (inputs: number, outputs: number, stride: number): Module =>
        new Sequential({
          dw: conv(inputs, inputs, 3, { stride, groups: inputs }),
          dw_bn: norm(inputs),
          dw_relu: activation(),
          pw: conv(inputs, outputs, 1),
          pw_bn: norm(outputs),
          pw_relu: activation(),
        });

      let channels = scaled(32);
      const features: Module[] = [
        new Sequential({
          conv: conv(inChannels, channels, 3, { stride: 2 }),
          bn: norm(channels),
          relu: activation(),
        }),
      ];
      for (const [full, stride] of table) {
        features.push(separable(channels, scaled(full), stride));
        channels = scaled(full);
      }
      return new Sequential({
        features: new Sequential(features),
        avgpool: new AdaptiveAvgPool2d({ outputSize: 1 }),
        flatten: new Flatten(),
        classifier: new Linear({ inFeatures: channels, outFeatures: numClasses, generator }),
      });
    },
  });

/**
 * What Keras calls the parameters to what they are called here: for `rename` of `mapWeights`. Its
 * kernels are [H, W, in, out], depthwise ones [H, W, channels, 1], the classifier's a 1x1 convolution.
 */
export function mobilenetV1KerasNames(): Record<string, string> {
  const norm = {
    gamma: 'weight',
    beta: 'bias',
    moving_mean: 'running_mean',
    moving_variance: 'running_var',
  };
  const names: Record<string, string> = {};
  const layer = (keras: string, ours: string, kernel: string, normalized: string): void => {
    names[`${keras}/${kernel}`] = `${ours}.weight`;
    for (const [from, to] of Object.entries(norm))
      names[`${keras}_bn/${from}`] = `${normalized}.${to}`;
  };
  layer('conv1', 'features.0.conv', 'kernel', 'features.0.bn');
  for (const i of table.keys()) {
    const block = `features.${i + 1}`;
    layer(`conv_dw_${i + 1}`, `${block}.dw`, 'depthwise_kernel', `${block}.dw_bn`);
    layer(`conv_pw_${i + 1}`, `${block}.pw`, 'kernel', `${block}.pw_bn`);
  }
  names['conv_preds/kernel'] = 'classifier.weight';
  names['conv_preds/bias'] = 'classifier.bias';
  return names;
}
