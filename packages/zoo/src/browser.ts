// Classifying pictures in browsers: from files, Blobs, addresses and bytes, and from what can be drawn (bitmaps, canvases, `ImageData`,
// image elements, videos and their frames), decoded by the browser.

import { decode, type ImageSource } from '@convoke/image/browser';

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
export type { ImageSource } from '@convoke/image/browser';

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
