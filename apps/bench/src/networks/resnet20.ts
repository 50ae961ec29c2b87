// ResNet-20 for 32 x 32 colour images, 269,722 parameters (He et al. 2015, arXiv:1512.03385, section 4.2): three stages of three
// blocks with 16, 32 and 64 channels. Shortcuts without parameters ("option A"): where a stage halves the map, every second
// pixel, and zero channels, half of them before and half after. Batch normalisation by the batch's own statistics.

import type { Network, Shapes } from './network.ts';

export interface Block {
  readonly name: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly stride: 1 | 2;
}

const WIDTH = 16;

export const blocks: readonly Block[] = [1, 2, 3].flatMap((stage) =>
  [0, 1, 2].map((index) => {
    const outChannels = WIDTH << (stage - 1);
    const narrows = stage > 1 && index === 0;
    return {
      name: `layer${stage}.${index}`,
      inChannels: narrows ? outChannels / 2 : outChannels,
      outChannels,
      stride: narrows ? 2 : 1,
    };
  }),
);

const conv = (name: string, out: number, input: number): Shapes => ({
  [`${name}.weight`]: [out, input, 3, 3],
});
const norm = (name: string, channels: number): Shapes => ({
  [`${name}.weight`]: [channels],
  [`${name}.bias`]: [channels],
});

function blockParameters({ name, inChannels, outChannels }: Block): Shapes {
  return {
    ...conv(`${name}.conv1`, outChannels, inChannels),
    ...norm(`${name}.bn1`, outChannels),
    ...conv(`${name}.conv2`, outChannels, outChannels),
    ...norm(`${name}.bn2`, outChannels),
  };
}

const CLASSES = 10;
const FEATURES = blocks.at(-1)!.outChannels;

export const resnet20: Network = {
  name: 'resnet20',
  channels: 3,
  imageSize: 32,
  classes: CLASSES,
  learningRate: 0.1,
  parameters: {
    ...conv('conv1', WIDTH, 3),
    ...norm('bn1', WIDTH),
    ...Object.assign({}, ...blocks.map(blockParameters)),
    'fc.weight': [CLASSES, FEATURES],
    'fc.bias': [CLASSES],
  },
};
