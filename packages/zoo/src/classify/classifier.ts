// From pictures to labels: weights by name, pictures prepared as those weights want them, batches, probabilities. How a picture
// is decoded is the platform's: `../node.ts` and `../browser.ts` bring it.

import { DataError, noGrad, scope, softmax, tensor, type Backend } from '@convoke/core';
import { applyPreprocess, Image, type Preprocess } from '@convoke/image';
import type { Module } from '@convoke/nn';

import { modelInfo } from '../create.ts';
import { findPretrained } from '../pretrained/catalogue.ts';
import { classNames } from '../pretrained/class-names.ts';
import {
  loadPretrained,
  type LoadedWeights,
  type LoadPretrainedOptions,
} from '../pretrained/load.ts';
import type { PretrainedWeights } from '../pretrained/weights.ts';

export interface Prediction {
  readonly index: number;
  readonly label: string;
  readonly probability: number;
}

export interface ClassifierOptions extends Omit<
  LoadPretrainedOptions,
  'numClasses' | 'inChannels' | 'generator'
> {
  /** What pictures go through. Default: what the weights want. */
  readonly preprocess?: Preprocess | undefined;
  /** One a class. Default: the names of the weights' classes, `class 17` where there are none. */
  readonly labels?: readonly string[] | undefined;
}

export interface ClassifyOptions {
  /** How many predictions a picture gets, the likeliest first. Default 5. */
  readonly top?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ClassifyAllOptions extends ClassifyOptions {
  /** Pictures that go through the network together. Default 8. */
  readonly batchSize?: number | undefined;
  readonly onProgress?:
    | ((progress: { readonly done: number; readonly total: number }) => void)
    | undefined;
}

type Decode<Source> = (
  source: Source,
  options: { readonly signal?: AbortSignal | undefined },
) => Promise<Image>;

function expectCount(what: string, value: number): void {
  if (Number.isInteger(value) && value >= 1) return;
  throw new DataError(`${what} must be a whole number of at least 1, got ${value}`);
}

function likeliest(
  probabilities: ArrayLike<number>,
  labels: readonly string[],
  top: number,
): Prediction[] {
  return Array.from(probabilities, (probability, index) => ({ index, probability }))
    .toSorted((a, b) => b.probability - a.probability)
    .slice(0, top)
    .map(({ index, probability }) => ({ index, label: labels[index]!, probability }));
}

/** A network with weights, and all that is between a picture and a label. `Source` is what the platform decodes. */
export class Classifier<Source> {
  /** In evaluation mode. */
  readonly model: Module;
  readonly weights: PretrainedWeights;
  readonly backend: Backend;
  readonly preprocess: Preprocess;
  readonly labels: readonly string[];
  /** What was fetched, and what its bytes were compared with; null where nothing was. */
  readonly file: LoadedWeights['file'];
  readonly #decode: Decode<Source>;

  constructor(
    parts: Pick<
      Classifier<Source>,
      'model' | 'weights' | 'backend' | 'preprocess' | 'labels' | 'file'
    >,
    decode: Decode<Source>,
  ) {
    this.model = parts.model;
    this.weights = parts.weights;
    this.backend = parts.backend;
    this.preprocess = parts.preprocess;
    this.labels = parts.labels;
    this.file = parts.file;
    this.#decode = decode;
  }

  /** What is on a picture. Throws an ImageError where it cannot be read. */
  async classify(source: Source | Image, options: ClassifyOptions = {}): Promise<Prediction[]> {
    const [predictions] = await this.classifyAll([source], options);
    return predictions!;
  }

  /** What is on each picture, in their order. Throws an ImageError that names the first one that cannot be read. */
  async classifyAll(
    sources: readonly (Source | Image)[],
    options: ClassifyAllOptions = {},
  ): Promise<Prediction[][]> {
    const { top = 5, batchSize = 8, signal, onProgress } = options;
    expectCount('top', top);
    expectCount('batchSize', batchSize);
    const results: Prediction[][] = [];
    for (let first = 0; first < sources.length; first += batchSize) {
      signal?.throwIfAborted();
      const batch = sources.slice(first, first + batchSize);
      const images = await Promise.all(
        batch.map((source) =>
          source instanceof Image ? source : this.#decode(source, { signal }),
        ),
      );
      const probabilities = await this.#probabilitiesOf(images);
      const classes = probabilities.length / images.length;
      for (let i = 0; i < images.length; i++) {
        const own = probabilities.subarray(i * classes, (i + 1) * classes);
        results.push(likeliest(own, this.labels, top));
      }
      onProgress?.({ done: results.length, total: sources.length });
    }
    return results;
  }

  /** `[N, classes]`. */
  async #probabilitiesOf(images: readonly Image[]): Promise<Float32Array> {
    const { data, shape } = applyPreprocess(images, this.preprocess);
    const output = scope(() =>
      noGrad(() =>
        softmax(this.model.forward(tensor(data, { shape, backend: this.backend })), { axis: 1 }),
      ),
    );
    try {
      return (await output.data()) as Float32Array;
    } finally {
      output.dispose();
    }
  }

  /** Frees the network. */
  dispose(): void {
    this.model.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * A classifier of the network `name` with its weights of the option `tag`, or with an entry of `listPretrained`. Throws as
 * `loadPretrained`, and a DataError where the weights' preprocessing is not known and none is given.
 */
export async function createClassifierWith<Source>(
  decode: Decode<Source>,
  name: string | PretrainedWeights,
  options: ClassifierOptions = {},
): Promise<Classifier<Source>> {
  const { tag } = options;
  const weights =
    typeof name === 'string' ? findPretrained((await modelInfo(name)).name, tag) : name;
  const { model: network, numClasses } = weights;
  const preprocess = options.preprocess ?? weights.preprocess;
  if (!preprocess) {
    throw new DataError(
      `createClassifier: who published the weights '${weights.tag}' of ${network} does not say how pictures are prepared; give the option preprocess`,
    );
  }
  const names = options.labels ?? (weights.classes && (await classNames(weights.classes)));
  const labels = names ?? Array.from({ length: numClasses }, (_, i) => `class ${i}`);
  if (labels.length !== numClasses) {
    throw new DataError(
      `createClassifier: ${labels.length} labels for the ${numClasses} classes of ${network}`,
    );
  }
  const { model, file } = await loadPretrained(weights, options);
  const { backend } = model.parameters()[0]!;
  return new Classifier({ model, weights, backend, preprocess, labels, file }, decode);
}
