// ResNets for CIFAR. Two people's weights are about: akamaster's have zeros on both sides in their shortcuts, chenyaofo's have
// convolutions there.

import { IMAGENET_MEAN, IMAGENET_STD, type Preprocess } from '@convoke/image';

import type { PretrainedWeights } from './weights.ts';

/** ImageNet's statistics, not CIFAR's. Pictures of another size than the 32x32 of the training set are brought to it. */
const akamasterPreprocess: Preprocess = {
  channels: 'RGB',
  resize: { width: 32, height: 32 },
  mean: IMAGENET_MEAN,
  std: IMAGENET_STD,
};

interface AkamasterRow {
  readonly depth: number;
  /** In full where it is known, else the digits in the file's name. */
  readonly sha256: string;
  readonly size: number | null;
  readonly top1: number;
  readonly verified?: true;
}

// prettier-ignore
const akamasterRows: readonly AkamasterRow[] = [
  { depth: 20, sha256: '12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8', size: 1_099_231, top1: 91.73, verified: true },
  { depth: 32, sha256: 'd509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850', size: 1_890_043, top1: 92.63 },
  { depth: 44, sha256: '014dd6541728a1c700b1642ab640e211dc6eb8ed507d70697458dc8f8a0ae2e4', size: 2_680_855, top1: 93.1 },
  { depth: 56, sha256: '4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367', size: 3_471_733, top1: 93.39 },
  { depth: 110, sha256: '1d1ed7c2', size: null, top1: 93.68 },
];

const akamaster = akamasterRows.map(
  ({ depth, sha256, size, top1, verified = false }): PretrainedWeights => ({
    model: `resnet${depth}_cifar`,
    tag: 'akamaster_cifar10',
    origin: {
      kind: 'hub',
      reference: `https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/resnet${depth}-${sha256.slice(0, 8)}.th`,
      sha256,
      size,
    },
    licence: { code: 'BSD-2-Clause', weights: 'BSD-2-Clause', data: null },
    preprocess: akamasterPreprocess,
    classes: 'cifar-10',
    numClasses: 10,
    inChannels: 3,
    top1,
    top5: null,
    verified,
    options: { shortcut: 'A-centred' },
  }),
);

interface ChenyaofoRow {
  readonly depth: number;
  readonly classes: 10 | 100;
  readonly digits: string;
  readonly top1: number;
  readonly top5: number;
}

// prettier-ignore
const chenyaofoRows: readonly ChenyaofoRow[] = [
  { depth: 20, classes: 10, digits: '4118986f', top1: 92.6, top5: 99.81 },
  { depth: 32, classes: 10, digits: 'ef93fc4d', top1: 93.53, top5: 99.77 },
  { depth: 44, classes: 10, digits: '2a3cabcb', top1: 94.01, top5: 99.77 },
  { depth: 56, classes: 10, digits: '187c023a', top1: 94.37, top5: 99.83 },
  { depth: 20, classes: 100, digits: '23dac2f1', top1: 68.83, top5: 91.01 },
  { depth: 32, classes: 100, digits: '84213ce6', top1: 70.16, top5: 90.89 },
  { depth: 44, classes: 100, digits: 'ffe32858', top1: 71.63, top5: 91.58 },
  { depth: 56, classes: 100, digits: 'f2eff4c8', top1: 72.63, top5: 91.94 },
];

// The repository has a licence; whether it covers the files attached to its releases is not said.
const chenyaofo = chenyaofoRows.map(
  ({ depth, classes, digits, top1, top5 }): PretrainedWeights => ({
    model: `resnet${depth}_cifar`,
    tag: `chenyaofo_cifar${classes}`,
    origin: {
      kind: 'hub',
      reference: `https://github.com/chenyaofo/pytorch-cifar-models/releases/download/resnet/cifar${classes}_resnet${depth}-${digits}.pt`,
      sha256: digits,
      size: null,
    },
    licence: { code: 'BSD-3-Clause', weights: null, data: null },
    preprocess: null,
    classes: `cifar-${classes}`,
    numClasses: classes,
    inChannels: 3,
    top1,
    top5,
    verified: false,
    options: { shortcut: 'B' },
  }),
);

export const cifar: readonly PretrainedWeights[] = [...akamaster, ...chenyaofo];
