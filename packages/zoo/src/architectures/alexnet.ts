/**
 * AlexNet: the network that won ImageNet in 2012. `alexnet` is torchvision's (Krizhevsky 2014, "One weird trick",
 * arXiv:1404.5997): no local response normalisation, no groups. `alexnet_original` is the one of 2012 on one device: its two
 * halves are groups of the second, fourth and fifth convolution; `_ungrouped` joins them, as the course draws it; `_lrn1` has
 * alpha 1 instead of 1e-4, so that normalisation matters. Alpha is divided by the size of the window, as in Caffe.
 */

import {
  AdaptiveAvgPool2d,
  Conv2d,
  Dropout,
  Flatten,
  Linear,
  LocalResponseNorm,
  MaxPool2d,
  ReLU,
  Sequential,
  type Module,
} from '@convoke/nn';

import { defineArchitecture, type Architecture, type BuildOptions } from '../architecture.ts';

const pool = (): Module => new MaxPool2d({ kernelSize: 3, stride: 2 });

function torchvision({ numClasses, inChannels, generator }: BuildOptions): Module {
  const conv = (
    inputs: number,
    outChannels: number,
    kernelSize: number,
    padding: number,
    stride = 1,
  ): Module =>
    new Conv2d({ inChannels: inputs, outChannels, kernelSize, padding, stride, generator });
  const linear = (inFeatures: number, outFeatures: number): Module =>
    new Linear({ inFeatures, outFeatures, generator });
  return new Sequential({
    features: new Sequential([
      conv(inChannels, 64, 11, 2, 4), // [64, 55, 55]
      new ReLU(),
      pool(),
      conv(64, 192, 5, 2), // [192, 27, 27]
      new ReLU(),
      pool(),
      conv(192, 384, 3, 1), // [384, 13, 13]
      new ReLU(),
      conv(384, 256, 3, 1),
      new ReLU(),
      conv(256, 256, 3, 1),
      new ReLU(),
      pool(), // [256, 6, 6]
    ]),
    avgpool: new AdaptiveAvgPool2d({ outputSize: 6 }),
    flatten: new Flatten(),
    classifier: new Sequential([
      new Dropout(),
      linear(256 * 6 * 6, 4096),
      new ReLU(),
      new Dropout(),
      linear(4096, 4096),
      new ReLU(),
      linear(4096, numClasses),
    ]),
  });
}

function original(
  { numClasses, inChannels, generator }: BuildOptions,
  groups: number,
  alpha: number,
): Module {
  const norm = (): Module => new LocalResponseNorm({ size: 5, alpha, beta: 0.75, k: 2 });
  const conv = (inputs: number, outChannels: number, kernelSize: number, split = 1): Module =>
    new Conv2d({
      inChannels: inputs,
      outChannels,
      kernelSize,
      padding: (kernelSize - 1) / 2,
      groups: split,
      generator,
    });
  return new Sequential({
    conv1: new Conv2d({ inChannels, outChannels: 96, kernelSize: 11, stride: 4, generator }),
    relu1: new ReLU(),
    norm1: norm(),
    pool1: pool(), // [96, 27, 27]
    conv2: conv(96, 256, 5, groups),
    relu2: new ReLU(),
    norm2: norm(),
    pool2: pool(), // [256, 13, 13]
    conv3: conv(256, 384, 3),
    relu3: new ReLU(),
    conv4: conv(384, 384, 3, groups),
    relu4: new ReLU(),
    conv5: conv(384, 256, 3, groups),
    relu5: new ReLU(),
    pool5: pool(), // [256, 6, 6]
    flatten: new Flatten(),
    fc6: new Linear({ inFeatures: 256 * 6 * 6, outFeatures: 4096, generator }),
    relu6: new ReLU(),
    drop6: new Dropout(),
    fc7: new Linear({ inFeatures: 4096, outFeatures: 4096, generator }),
    relu7: new ReLU(),
    drop7: new Dropout(),
    fc8: new Linear({ inFeatures: 4096, outFeatures: numClasses, generator }),
  });
}

export const alexnet: Architecture<'alexnet'> = defineArchitecture({
  family: 'alexnet',
  paper: 'Krizhevsky 2014, arXiv:1404.5997',
  variants: { alexnet: { params: 61_100_840, macs: 714_188_480 } },
  input: { channels: 3, size: 224, minSize: 63 },
  head: 'classifier.6',
  stem: 'features.0',
  build: (_, options) => torchvision(options),
});

const originals = {
  alexnet_original: { groups: 2, alpha: 1e-4 },
  alexnet_original_lrn1: { groups: 2, alpha: 1 },
  alexnet_original_ungrouped: { groups: 1, alpha: 1e-4 },
} as const;

export const alexnetOriginal: Architecture<keyof typeof originals> = defineArchitecture({
  family: 'alexnet_original',
  paper:
    'Krizhevsky, Sutskever and Hinton 2012, "ImageNet classification with deep convolutional networks"',
  variants: {
    alexnet_original: { params: 60_965_224, macs: 724_406_816 },
    alexnet_original_lrn1: { params: 60_965_224, macs: 724_406_816 },
    alexnet_original_ungrouped: { params: 62_378_344, macs: 1_135_256_096 },
  },
  input: { channels: 3, size: 227 },
  head: 'fc8',
  stem: 'conv1',
  build(variant, options) {
    const { groups, alpha } = originals[variant];
    return original(options, groups, alpha);
  },
});
