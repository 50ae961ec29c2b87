// Weights of Keras' applications that a network of the zoo computes with alike.

import { signedPreprocess } from '@convoke/image';

import { mobilenetV1KerasNames } from '../architectures/mobilenet-v1.ts';
import type { PretrainedWeights } from './weights.ts';

export const keras: readonly PretrainedWeights[] = [
  {
    model: 'mobilenet_v1_0.75_224',
    tag: 'keras',
    origin: {
      kind: 'hub',
      reference:
        'https://storage.googleapis.com/tensorflow/keras-applications/mobilenet/mobilenet_7_5_224_tf.h5',
      sha256: null,
      size: null,
    },
    licence: { code: null, weights: null, data: null },
    preprocess: signedPreprocess({ width: 224, height: 224 }),
    classes: 'imagenet-1k',
    numClasses: 1000,
    inChannels: 3,
    top1: 68.412,
    top5: 88.242,
    verified: true,
    mapping: { rename: mobilenetV1KerasNames(), batchNormEpsilon: 1e-3 },
  },
];
