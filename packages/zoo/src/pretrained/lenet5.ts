// LeNet-5 by our own recipe: weights that come with the package, each in a module of its own that is loaded when asked for.

import type { PretrainedWeights } from './weights.ts';

const lenet5 = (
  classes: 'mnist' | 'fashion-mnist',
  { mean, std, top1 }: { readonly mean: number; readonly std: number; readonly top1: number },
  load: () => Promise<Uint8Array>,
): PretrainedWeights => ({
  model: 'lenet5_modern',
  tag: `convoke_${classes.replace('-', '_')}`,
  origin: { kind: 'embedded', load },
  licence: { code: 'MIT', weights: 'MIT', data: classes === 'mnist' ? null : 'MIT' },
  // What is drawn is light on black, as in the data sets.
  preprocess: {
    channels: 'gray',
    resize: { width: 28, height: 28 },
    mean: [mean],
    std: [std],
  },
  classes,
  numClasses: 10,
  inChannels: 1,
  top1,
  top5: null,
  verified: true,
});

// Statistics and accuracy repeat those of the modules loaded, which would come along if they were imported here.
export const lenets: readonly PretrainedWeights[] = [
  lenet5('mnist', { mean: 0.1307, std: 0.3081, top1: 99.54 }, async () =>
    (await import('../weights/lenet5-mnist.ts')).lenet5Mnist.bytes(),
  ),
  lenet5('fashion-mnist', { mean: 0.286, std: 0.353, top1: 91.65 }, async () =>
    (await import('../weights/lenet5-fashion-mnist.ts')).lenet5FashionMnist.bytes(),
  ),
];
