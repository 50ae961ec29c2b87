/**
 * Network in network: every convolution is followed by two of 1x1, a small network at each pixel, and global average
 * pooling stands in the place of dense layers. Lin, Chen and Yan 2013, arXiv:1312.4400; tables of Caffe's model zoo.
 */

import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  MaxPool2d,
  ReLU,
  Sequential,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture } from '../architecture.ts';

/** A convolution: name, channels, kernel, stride, padding. */
type Conv = readonly [string, number, number, number?, number?];
type Row = Conv | readonly ['max' | 'average' | 'drop', string];

const tables: Readonly<Record<'nin_imagenet' | 'nin_cifar', readonly Row[]>> = {
  nin_imagenet: [
    ['conv1', 96, 11, 4],
    ['cccp1', 96, 1],
    ['cccp2', 96, 1],
    ['max', 'pool1'],
    ['conv2', 256, 5, 1, 2],
    ['cccp3', 256, 1],
    ['cccp4', 256, 1],
    ['max', 'pool2'],
    ['conv3', 384, 3, 1, 1],
    ['cccp5', 384, 1],
    ['cccp6', 384, 1],
    ['max', 'pool3'],
    ['drop', 'drop'],
    ['conv4', 1024, 3, 1, 1],
    ['cccp7', 1024, 1],
  ],
  nin_cifar: [
    ['conv1', 192, 5, 1, 2],
    ['cccp1', 160, 1],
    ['cccp2', 96, 1],
    ['max', 'pool1'],
    ['drop', 'drop1'],
    ['conv2', 192, 5, 1, 2],
    ['cccp3', 192, 1],
    ['cccp4', 192, 1],
    ['average', 'pool2'],
    ['drop', 'drop2'],
    ['conv3', 192, 3, 1, 1],
    ['cccp5', 192, 1],
  ],
};
const heads = { nin_imagenet: 'cccp8', nin_cifar: 'cccp6' } as const;

const isConv = (row: Row): row is Conv => typeof row[1] === 'number';
const pooling = { kernelSize: 3, stride: 2, ceilMode: true };

export const nin: Architecture<keyof typeof heads> = defineArchitecture({
  family: 'nin',
  paper: 'Lin, Chen and Yan 2013, arXiv:1312.4400',
  variants: {
    nin_imagenet: { params: 7_595_176, macs: 1_100_188_800 },
    nin_cifar: {
      params: 966_986,
      macs: 222_486_528,
      input: { channels: 3, size: 32, minSize: 4 },
      numClasses: 10,
      head: 'cccp6',
    },
  },
  input: { channels: 3, size: 224, minSize: 39 },
  head: 'cccp8',
  stem: 'conv1',
  build(variant, { numClasses, inChannels, generator }) {
    const modules: Record<string, Module> = {};
    let channels = inChannels;
    const last: Conv = [heads[variant], numClasses, 1];
    for (const row of [...tables[variant], last]) {
      if (isConv(row)) {
        const [name, outChannels, kernelSize, stride = 1, padding = 0] = row;
        modules[name] = new Conv2d({
          inChannels: channels,
          outChannels,
          kernelSize,
          stride,
          padding,
          generator,
        });
        modules[`relu_${name}`] = new ReLU();
        channels = outChannels;
      } else {
        const [kind, name] = row;
        modules[name] =
          kind === 'drop'
            ? new Dropout()
            : kind === 'max'
              ? new MaxPool2d(pooling)
              : new AvgPool2d(pooling);
      }
    }
    modules['gap'] = new AdaptiveAvgPool2d({ outputSize: 1 });
    modules['flatten'] = new Flatten();
    return new Sequential(modules);
  },
});
