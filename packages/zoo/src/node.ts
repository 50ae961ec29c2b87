// Classifying pictures in Node: from paths, URLs, bytes and Blobs, decoded by `@convoke/image/node` (which takes sharp for all but
// BMP and PNM).

import { decode, type ImageSource } from '@convoke/image/node';

import {
  createClassifierWith,
  type Classifier,
  type ClassifierOptions,
} from './classify/classifier.ts';
import type { PretrainedWeights } from './pretrained/weights.ts';

export type {
  Classifier,
  ClassifierOptions,
  ClassifyAllOptions,
  ClassifyOptions,
  Prediction,
} from './classify/classifier.ts';
export type { ImageSource } from '@convoke/image/node';

/**
 * A classifier of the network `name` with its weights of the option `tag`, or with an entry of `listPretrained`. Throws as
 * `loadPretrained`, and a DataError where the weights' preprocessing is not known and none is given.
 */
export function createClassifier(
  name: string | PretrainedWeights,
  options?: ClassifierOptions,
): Promise<Classifier<ImageSource>> {
  return createClassifierWith<ImageSource>(decode, name, options);
}
