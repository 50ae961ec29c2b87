// Keras 3 saves a layer's variables under numbers, and layers under their classes' names. What they are called follows from
// the model's configuration, else from classes and shapes.

/** What is known of a layer: from config.json, or its group. */
export interface LayerConfig {
  readonly name: string;
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
  /** Of a model within the model. */
  readonly layers: ReadonlyMap<string, LayerConfig>;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** As Keras names groups: BatchNormalization -> batch_normalization, Conv2D -> conv2d. */
function snakeCase(className: string): string {
  return className
    .replaceAll(/\W+/g, '')
    .replaceAll(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replaceAll(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
}

/** Layers of a model's configuration by the names of their groups. */
export function layersOf(model: unknown, depth = 0): Map<string, LayerConfig> {
  const layers = new Map<string, LayerConfig>();
  const config = isObject(model) && isObject(model['config']) ? model['config'] : {};
  const list: unknown = config['layers'];
  if (!Array.isArray(list) || depth > 8) return layers;
  const counts = new Map<string, number>();
  for (const layer of list as unknown[]) {
    if (!isObject(layer) || typeof layer['class_name'] !== 'string') continue;
    const className = layer['class_name'];
    const own = isObject(layer['config']) ? layer['config'] : {};
    const group = snakeCase(className);
    const count = counts.get(group) ?? 0;
    counts.set(group, count + 1);
    const name = typeof own['name'] === 'string' ? own['name'] : group;
    layers.set(count === 0 ? group : `${group}_${count}`, {
      name,
      className: group,
      config: own,
      layers: layersOf(layer, depth + 1),
    });
  }
  return layers;
}

/** The names of a layer's variables in their order. `ranks` are their numbers of axes. */
export function variableNames(
  group: string,
  layer: LayerConfig | undefined,
  ranks: readonly number[],
): string[] {
  const className = layer?.className ?? group.replace(/_\d+$/, '');
  const names = namesByClass(className, layer?.config ?? {}, ranks);
  return ranks.map((_, i) => names[i] ?? String(i));
}

function namesByClass(
  className: string,
  config: Readonly<Record<string, unknown>>,
  ranks: readonly number[],
): readonly string[] {
  if (className === 'batch_normalization') return batchNormNames(config, ranks.length);
  if (className.startsWith('depthwise_conv')) return ['depthwise_kernel', 'bias'];
  if (className.startsWith('separable_conv'))
    return ['depthwise_kernel', 'pointwise_kernel', 'bias'];
  if (className === 'embedding') return ['embeddings'];
  if (className === 'p_re_lu') return ['alpha'];
  if (className.endsWith('_normalization')) {
    return config['scale'] === false ? ['beta'] : ['gamma', 'beta'];
  }
  // A layer of somebody's own: told by the shapes.
  if (ranks.length === 4 && ranks.every((rank) => rank === 1)) return batchNormNames({}, 4);
  if (ranks.length === 2 && ranks[0] === 1 && ranks[1] === 1) return ['gamma', 'beta'];
  return ranks[0]! >= 2 && ranks.length <= 2 ? ['kernel', 'bias'] : [];
}

/** Those that are trained come first. */
function batchNormNames(config: Readonly<Record<string, unknown>>, count: number): string[] {
  const gamma = config['scale'] === undefined ? count === 4 : config['scale'] !== false;
  const beta = config['center'] === undefined ? count >= 3 : config['center'] !== false;
  return [...(gamma ? ['gamma'] : []), ...(beta ? ['beta'] : []), 'moving_mean', 'moving_variance'];
}
