// Published weights into a network: fetched, checked, mapped, and made to fit other numbers of channels and classes.

import {
  createMeta,
  currentBackend,
  DataError,
  type Backend,
  type Data,
  type Generator,
  type Spec,
} from '@convoke/core';
import type { Module } from '@convoke/nn';
import {
  mapWeights,
  openWeights,
  WeightsError,
  type HostTensor,
  type MapReport,
  type WeightsFile,
} from '@convoke/weights';
import { fetchWeights, type FetchedWeights, type FetchOptions } from '@convoke/weights/hub';

import { adaptInputChannels, resetHead } from '../adapt.ts';
import { createModel, modelInfo, type CreateOptions, type ModelInfo } from '../create.ts';
import { findPretrained } from './catalogue.ts';
import { needsAcceptance, type PretrainedWeights } from './weights.ts';

/** What the hub is told comes along: `cache`, `mirrors`, `offline`, `onProgress`, `signal`, ... */
export interface LoadPretrainedOptions extends Omit<
  FetchOptions,
  'sha256' | 'size' | 'hashFromName'
> {
  /** Which of the network's weights. May be left out where there is one choice. */
  readonly tag?: string | undefined;
  /** Where the network lives. Default: the current backend. */
  readonly backend?: Backend | undefined;
  /** That the licence was read, where it is not stated or not for commercial use. Default false. */
  readonly acceptLicense?: boolean | undefined;
  /** Other than the weights': classifiers, auxiliary ones included, are new layers with initial values. */
  readonly numClasses?: number | undefined;
  /** Other than the weights': those of the first convolution are adapted, see `adaptInputChannels`. */
  readonly inChannels?: number | undefined;
  /** Of the initial values of new classifiers. Default: nn's `defaultGenerator()`. */
  readonly generator?: Generator | undefined;
}

export interface LoadedWeights {
  /** In evaluation mode. */
  readonly model: Module;
  readonly weights: PretrainedWeights;
  /** What the bytes were compared with and where they are; null for weights that were not fetched. */
  readonly file: FetchedWeights | null;
  readonly report: MapReport;
}

function notAccepted({ model, tag, licence }: PretrainedWeights): WeightsError {
  const stated =
    licence.weights === null
      ? `come without a stated licence (code: ${licence.code ?? 'not stated'})`
      : `are under ${licence.weights}, which is not for commercial use`;
  return new WeightsError(
    'licence',
    `the weights '${tag}' of ${model} ${stated}; if you may use them, say so by acceptLicense: true`,
  );
}

/** Without values: what names and shapes are asked of. */
const withoutData = (name: string, options: CreateOptions): Promise<Module> =>
  createModel(name, { ...options, backend: createMeta() });

/** The file's tensor as the model's slot of that name wants it. Halved checkpoints have counts of batches as floats too. */
function fitted(
  name: string,
  tensor: HostTensor,
  { shape, dtype }: Spec,
  { name: model, stem }: ModelInfo,
): Data {
  if (tensor.dtype !== dtype)
    return dtype === 'int32' ? Int32Array.from(tensor.data) : Float32Array.from(tensor.data);
  if (String(tensor.shape) === String(shape)) return tensor.data;
  if (name === `${stem}.weight`) return adaptInputChannels(tensor, shape[1]!).data;
  throw new DataError(
    `loadPretrained: '${name}' of ${model} depends on the number of channels too; only the first convolution's weights can be adapted`,
  );
}

/** Paths of the modules whose parameters depend on the number of classes. */
async function classifiersOf(
  model: Module,
  name: string,
  options: CreateOptions,
): Promise<string[]> {
  const other = (await withoutData(name, options)).stateDict();
  const changed = [...model.stateDict()].filter(
    ([key, { shape }]) => String(shape) !== String(other.get(key)?.shape),
  );
  return [...new Set(changed.map(([key]) => key.slice(0, key.lastIndexOf('.'))))];
}

/** The weights' file, fetched first where it is on the web. */
async function open(
  { model, tag, origin }: PretrainedWeights,
  hub: FetchOptions,
): Promise<{ readonly file: FetchedWeights | null; readonly opened: WeightsFile }> {
  const { signal } = hub;
  if (origin.kind === 'file') return { file: null, opened: await origin.open() };
  if (origin.kind === 'embedded') {
    const name = `the weights '${tag}' of ${model}`;
    return { file: null, opened: await openWeights(await origin.load(), { file: name, signal }) };
  }
  const file = await fetchWeights(origin.reference, {
    ...hub,
    sha256: origin.sha256 ?? undefined,
    size: origin.size ?? undefined,
  });
  const opened = await openWeights(await file.blob(), { file: file.source, signal });
  return { file, opened };
}

/**
 * A network with published weights, in evaluation mode: of `name` those with the option `tag`, or an entry of `listPretrained`.
 * Throws a DataError where there are none or several to choose from, and a WeightsError: `licence` where `acceptLicense` is
 * missing, `names` where the file does not fit, and those of `fetchWeights`.
 */
export async function loadPretrained(
  name: string | PretrainedWeights,
  options: LoadPretrainedOptions = {},
): Promise<LoadedWeights> {
  const { tag, acceptLicense = false, generator, ...hub } = options;
  const { backend = currentBackend() } = options;
  const weights =
    typeof name === 'string' ? findPretrained((await modelInfo(name)).name, tag) : name;
  if (needsAcceptance(weights) && !acceptLicense) throw notAccepted(weights);
  const info = await modelInfo(weights.model);
  const { numClasses = weights.numClasses, inChannels = weights.inChannels } = options;
  const published = { ...weights.options, numClasses: weights.numClasses };
  const reference = await withoutData(weights.model, {
    ...published,
    inChannels: weights.inChannels,
  });
  const model = await withoutData(weights.model, { ...published, inChannels });
  const classifiers =
    numClasses === weights.numClasses
      ? []
      : await classifiersOf(model, weights.model, { ...published, inChannels, numClasses });

  const { file, opened } = await open(weights, hub);
  try {
    const { tensors, report } = await mapWeights(
      opened,
      [...reference.stateDict()].map(([key, { shape }]) => [key, shape] as const),
      weights.mapping,
    );
    for (const [key, slot] of model.stateDict()) {
      const data = fitted(key, tensors.get(key)!, slot.spec, info);
      slot.moveTo(backend, backend.upload(slot.spec, data));
      tensors.delete(key);
    }
    for (const path of classifiers) await resetHead(model, path, { numClasses, generator });
    return { model: model.eval(), weights, file, report };
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    await opened.close();
  }
}
