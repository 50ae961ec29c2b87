// Which tensor of a file is which of a model: by equal names first, then by ever looser readings of them, each only where it
// leaves no doubt.

/** What the last part of a name says about the axes. */
export type KernelKind = 'kernel' | 'depthwise' | 'other';

export interface ReadName {
  /** In PyTorch's manner: parts joined by dots, `weight`, `bias`, `running_mean`, `running_var` at the end. */
  readonly name: string;
  readonly kind: KernelKind;
}

const kerasLeaves: ReadonlyMap<string, readonly [leaf: string, kind: KernelKind]> = new Map([
  ['kernel', ['weight', 'kernel']],
  ['depthwise_kernel', ['weight', 'depthwise']],
  ['pointwise_kernel', ['weight', 'kernel']],
  ['depthwise_weights', ['weight', 'depthwise']],
  ['weights', ['weight', 'kernel']],
  ['biases', ['bias', 'other']],
  ['gamma', ['weight', 'other']],
  ['beta', ['bias', 'other']],
  ['moving_mean', ['running_mean', 'other']],
  ['moving_variance', ['running_var', 'other']],
]);
/** Leaves that no PyTorch layer has. */
const kerasOnly =
  /(^|[./])(depthwise_kernel|pointwise_kernel|kernel|gamma|beta|moving_mean|moving_variance)(:0)?$/;

/** Wrappers that put their name before those of all tensors: DataParallel, torch.compile, Lightning, and habits. */
const wrappers = /^(module|model|_orig_mod|net|network|backbone|base_model|encoder)\./;

/** Parts that stand for each other. */
const aliases: ReadonlyMap<string, string> = new Map([
  ['linear', 'fc'],
  ['classifier', 'fc'],
  ['head', 'fc'],
  ['logits', 'fc'],
  ['predictions', 'fc'],
  ['dense', 'fc'],
  ['norm', 'bn'],
  ['batchnorm', 'bn'],
  ['shortcut', 'downsample'],
]);

export function looksLikeKeras(names: Iterable<string>): boolean {
  for (const name of names) if (kerasOnly.test(name)) return true;
  return false;
}

/** Splits off the last part: `layer1.0.conv1` and `weight`. */
export function splitName(name: string): { readonly prefix: string; readonly leaf: string } {
  const at = name.lastIndexOf('.');
  return { prefix: name.slice(0, Math.max(at, 0)), leaf: name.slice(at + 1) };
}

export function joinName(prefix: string, leaf: string): string {
  return prefix === '' ? leaf : `${prefix}.${leaf}`;
}

export function readName(fileName: string, keras: boolean): ReadName {
  if (!keras) return { name: fileName, kind: 'other' };
  const parts = fileName.replace(/:\d+$/, '').split(/[./]/);
  // Keras' files repeat a layer's name: conv1/conv1/kernel.
  const once = parts.filter((part, i) => part !== parts[i - 1]);
  const last = once.pop() ?? '';
  const [leaf, kind] = kerasLeaves.get(last) ?? [last, 'other'];
  // A separable convolution is two in PyTorch.
  if (last === 'depthwise_kernel' && fileName.includes('separable')) once.push('depthwise');
  if (last === 'pointwise_kernel') once.push('pointwise');
  return { name: [...once, leaf].join('.'), kind };
}

function unwrapped(name: string): string {
  let inner = name;
  while (wrappers.test(inner)) inner = inner.replace(wrappers, '');
  return inner;
}

const spelled = (name: string): string => unwrapped(name).replaceAll(/[/_]/g, '.').toLowerCase();

function aliased(name: string): string {
  return spelled(name)
    .split('.')
    .map((part) => aliases.get(part) ?? part)
    .join('.');
}

/** Readings of a name, the strictest first. From `loose` on shapes must agree too. */
const readings: readonly ((name: string) => string)[] = [
  (name) => name,
  unwrapped,
  spelled,
  aliased,
];
const LOOSE = 2;

export interface Named {
  readonly name: string;
}

/**
 * Pairs of `found` and `wanted` by name. Each level pairs what has a reading that nothing else left over has; `fits` tells
 * whether the shapes allow a pair.
 */
export function matchNames<F extends Named, W extends Named>(
  found: readonly F[],
  wanted: readonly W[],
  fits: (found: F, wanted: W) => boolean,
): Map<W, F> {
  const pairs = new Map<W, F>();
  const used = new Set<F>();
  for (const [level, reading] of readings.entries()) {
    const left = groupBy(
      found.filter((item) => !used.has(item)),
      reading,
    );
    const open = groupBy(
      wanted.filter((item) => !pairs.has(item)),
      reading,
    );
    for (const [key, items] of open) {
      const [one, another] = left.get(key) ?? [];
      if (items.length > 1 || !one || another) continue;
      const target = items[0]!;
      if (level >= LOOSE && !fits(one, target)) continue;
      pairs.set(target, one);
      used.add(one);
    }
  }
  return pairs;
}

function groupBy<T extends Named>(
  items: readonly T[],
  key: (name: string) => string,
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const name = key(item.name);
    const group = groups.get(name);
    if (group) group.push(item);
    else groups.set(name, [item]);
  }
  return groups;
}
