// Keras' HDF5 files: save_weights and model.save of Keras 2, whose attributes name layers and weights, and the .weights.h5 of
// Keras 3 (experimental: its layout is Keras' own business), whose groups do.

import { failing, WeightsError } from '../errors.ts';
import type { ByteSource } from '../sources/source.ts';
import { bytesOf } from '../tensors.ts';
import { listed, WeightsFile, type LoadableEntry, type SkippedEntry } from '../weights-file.ts';
import { openHdf5Root, type AttributeValue, type Hdf5Object } from './file.ts';
import { variableNames, type LayerConfig } from './keras-names.ts';

const MAX_DEPTH = 32;
const MAX_OBJECTS = 100_000;
/** Beyond twice the file: data sets that are not packed cannot hold more, unless they share bytes. */
const MAX_REPEATED = 1 << 20;

/** What is found on the way. */
class Contents {
  readonly entries = new Map<string, LoadableEntry>();
  readonly skipped: SkippedEntry[] = [];
  readonly source: ByteSource;
  #plain = 0;

  constructor(source: ByteSource) {
    this.source = source;
  }

  /** Tells whether the name was free. */
  add(name: string, object: Hdf5Object): boolean {
    if (this.entries.has(name)) return false;
    try {
      const { dtype, shape, filters } = object.describe();
      if (filters.length === 0) this.#plain += bytesOf(dtype, shape);
      if (this.#plain > 2 * this.source.size + MAX_REPEATED) {
        failing(`${this.source.name}: '${name}'`)(
          'it and those before it are larger than the file; it is damaged',
        );
      }
      const load = async () => (await object.read()).data;
      this.entries.set(name, { dtype, shape, load });
    } catch (error) {
      if (!(error instanceof WeightsError) || error.code !== 'refused') throw error;
      this.skipped.push({ name, reason: error.message });
    }
    return true;
  }
}

/** `layers` are those of the configuration by the names of their groups, where it is at hand. */
export async function openKerasSource(
  source: ByteSource,
  layers: ReadonlyMap<string, LayerConfig> = new Map(),
): Promise<WeightsFile> {
  const root = await openHdf5Root(source);
  const contents = new Contents(source);
  const attributes = await root.attributes();
  const children = await root.children();
  const model = children.get('model_weights');
  let version = '';
  if (textsOf(attributes, 'layer_names')) await readKeras2(root, contents);
  else if (model) {
    await readKeras2(model, contents);
    for (const name of children.keys()) {
      if (name !== 'model_weights')
        contents.skipped.push({ name, reason: 'not part of the weights' });
    }
  } else {
    const modern = ['layers', '_layer_checkpoint_dependencies', 'vars'].some((name) =>
      children.has(name),
    );
    version = modern ? '3' : '';
    await walk(root, contents, modern ? layers : null, [], 0);
  }
  if (contents.entries.size === 0) {
    failing(source.name)(`it holds no weights; its root has ${listed([...children.keys()])}`);
  }
  const backend = attributes.get('backend');
  return new WeightsFile({
    format: 'keras',
    file: source.name,
    layout: 'keras',
    metadata: {
      ...(version === '' ? {} : { keras: version }),
      ...(Array.isArray(backend) ? { backend: String(backend[0]) } : {}),
    },
    entries: contents.entries,
    skipped: contents.skipped,
    prefetch: source.prefetch?.bind(source),
    close: () => source.close(),
  });
}

function isTexts(value: AttributeValue | undefined): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

/** A list of texts, which Keras splits over name0, name1, ... where it is too long for one attribute. */
function textsOf(
  attributes: ReadonlyMap<string, AttributeValue>,
  name: string,
): readonly string[] | null {
  const whole = attributes.get(name);
  if (isTexts(whole)) return whole;
  // An empty list has numbers' type.
  if (whole !== undefined && whole.length === 0) return [];
  const parts: string[] = [];
  for (let i = 0; ; i++) {
    const part = attributes.get(`${name}${i}`);
    if (!isTexts(part)) return i === 0 ? null : parts;
    parts.push(...part);
  }
}

async function readKeras2(group: Hdf5Object, contents: Contents): Promise<void> {
  const fail = failing(contents.source.name);
  const layers = textsOf(await group.attributes(), 'layer_names');
  if (!layers)
    return fail(
      "its weights have no attribute 'layer_names'; it is damaged, or Keras did not write it",
    );
  const groups = await group.children();
  for (const layerName of layers) {
    const layer = groups.get(layerName) ?? (await descend(group, layerName));
    if (!layer) return fail(`it names a layer '${layerName}' that is not there`);
    const weights = textsOf(await layer.attributes(), 'weight_names') ?? [];
    for (const weightName of weights) {
      const object = await descend(layer, weightName);
      if (!object?.isDataset)
        return fail(`it names a weight '${weightName}' of '${layerName}' that is not there`);
      const name = weightName.replace(/:\d+$/, '');
      if (!contents.add(name, object) && !contents.add(`${layerName}/${name}`, object)) {
        return fail(`two weights are called '${name}'`);
      }
    }
  }
  return undefined;
}

async function descend(from: Hdf5Object, path: string): Promise<Hdf5Object | undefined> {
  let object: Hdf5Object | undefined = from;
  for (const part of path.split('/')) object = (await object?.children())?.get(part);
  return object;
}

/** Every data set below a group. `layers` null: not Keras 3, paths are names. */
async function walk(
  group: Hdf5Object,
  contents: Contents,
  layers: ReadonlyMap<string, LayerConfig> | null,
  path: readonly string[],
  depth: number,
  layer?: LayerConfig,
): Promise<void> {
  const fail = failing(contents.source.name);
  if (depth > MAX_DEPTH) fail('its groups are too deep, or go round in a circle; it is damaged');
  if (contents.entries.size + contents.skipped.length > MAX_OBJECTS)
    fail('it holds too many objects; it is damaged');
  for (const [name, child] of await group.children()) {
    if (child.isDataset) {
      const own = [...path, name].join('/').replace(/:\d+$/, '');
      if (!contents.add(own, child)) fail(`two weights are called '${own}'`);
    } else if (layers !== null && name === 'vars') {
      await readVariables(child, contents, path, layer);
    } else if (layers !== null && (name === 'optimizer' || name === 'seed_generator')) {
      contents.skipped.push({
        name: [...path, name].join('/'),
        reason: 'state of training, no weights',
      });
    } else if (
      layers !== null &&
      (name === 'layers' || name === '_layer_checkpoint_dependencies')
    ) {
      await walk(child, contents, layer?.layers ?? layers, path, depth + 1);
    } else {
      const found = layers?.get(name);
      const named = layers === null ? name : (found?.name ?? name);
      // Names within a layer are its own affair.
      const within =
        layers === null
          ? null
          : group.path === '' || /(^|\/)layers$/.test(group.path)
            ? layers
            : new Map();
      await walk(child, contents, within, [...path, named], depth + 1, found);
    }
  }
}

async function readVariables(
  vars: Hdf5Object,
  contents: Contents,
  path: readonly string[],
  layer: LayerConfig | undefined,
): Promise<void> {
  const members = [...(await vars.children())].filter(([, object]) => object.isDataset);
  const ordered = members.toSorted(([a], [b]) => Number(a) - Number(b));
  if (ordered.length === 0) return;
  const told = (await vars.attributes()).get('name');
  const group = vars.path.split('/').at(-2) ?? '';
  // Newer Keras notes the layer's own name beside its variables.
  const own =
    layer === undefined && Array.isArray(told) && typeof told[0] === 'string' ? told[0] : null;
  const layerPath = own === null ? path : [...path.slice(0, -1), own];
  const ranks = ordered.map(([, object]) => rankOf(object));
  for (const [i, leaf] of variableNames(group, layer, ranks).entries()) {
    const name = [...layerPath, leaf].join('/');
    if (!contents.add(name, ordered[i]![1])) {
      failing(contents.source.name)(`two weights are called '${name}'`);
    }
  }
}

function rankOf(object: Hdf5Object): number {
  try {
    return object.describe().shape.length;
  } catch (error) {
    if (error instanceof WeightsError && error.code === 'refused') return 0;
    throw error;
  }
}
