// LeNet-5 in its modern form for 28 x 28 grey images, 61,706 parameters.

import type { Network } from './network.ts';

export const lenet5: Network = {
  name: 'lenet5',
  channels: 1,
  imageSize: 28,
  classes: 10,
  learningRate: 0.05,
  parameters: {
    'conv1.weight': [6, 1, 5, 5],
    'conv1.bias': [6],
    'conv2.weight': [16, 6, 5, 5],
    'conv2.bias': [16],
    'fc1.weight': [120, 400],
    'fc1.bias': [120],
    'fc2.weight': [84, 120],
    'fc2.bias': [84],
    'fc3.weight': [10, 84],
    'fc3.bias': [10],
  },
};
