// Finds the state dict in whatever was given to torch.save: itself, or among epoch numbers, optimiser state and foreign
// objects.

import type { Fail } from '../errors.ts';
import { listed, type SkippedEntry } from '../weights-file.ts';
import { Foreign, PickleGlobal } from './pickle.ts';
import { TorchTensor } from './pytorch-tensors.ts';

/** Where training scripts keep it, the likeliest first. */
const USUAL_KEYS = [
  'state_dict',
  'model_state_dict',
  'model',
  'net',
  'network',
  'weights',
  'params',
  'model_state',
  'module',
  'state_dict_ema',
  'model_ema',
  'ema_state_dict',
  'ema',
  'params_ema',
];
const MAX_DEPTH = 32;
/** Of containers within containers: what a damaged pickle may make of a few bytes. */
const MAX_VISITS = 1_000_000;

export interface StateDict {
  readonly tensors: ReadonlyMap<string, TorchTensor>;
  readonly skipped: readonly SkippedEntry[];
}

/** What one search has seen so far. */
interface Search {
  readonly fail: Fail;
  readonly counts: Map<unknown, number>;
  visits: number;
}

type Pairs = readonly (readonly [name: string, value: unknown])[];

const nameOf = (key: unknown): string =>
  typeof key === 'string' ||
  typeof key === 'number' ||
  typeof key === 'bigint' ||
  typeof key === 'boolean'
    ? String(key)
    : '(object)';

function childrenOf(value: unknown): Pairs | null {
  if (value instanceof Map) return [...value].map(([key, item]) => [nameOf(key), item] as const);
  if (Array.isArray(value)) return value.map((item, i) => [String(i), item] as const);
  return null;
}

function describe(value: unknown): string {
  if (value instanceof Foreign && value.name.startsWith('tensor ')) {
    return `a ${value.name}, which has no counterpart here`;
  }
  if (value instanceof Foreign) return `a Python object (${value.name}), left alone`;
  if (value instanceof PickleGlobal) return `a Python name (${value.name}), left alone`;
  if (value === null) return 'None';
  if (value instanceof Uint8Array) return 'bytes';
  if (typeof value === 'string') return 'a text';
  if (typeof value === 'boolean') return 'a boolean';
  return 'a number';
}

const advice = 'save the tensors alone in Python: torch.save(model.state_dict(), "weights.pth")';

export function findStateDict(root: unknown, key: string | undefined, fail: Fail): StateDict {
  const search: Search = { fail, counts: new Map(), visits: 0 };
  if (root instanceof TorchTensor) return { tensors: new Map([['tensor', root]]), skipped: [] };
  if (root instanceof Foreign) return failForeign(root, fail);
  const top = childrenOf(root);
  if (!top) return fail(`it holds ${describe(root)}, no tensors`);

  if (key !== undefined) {
    return collect(follow(root, key, fail), key, without(top, key.split('.')[0]!), search);
  }
  const path: string[] = [];
  let chosen = root;
  for (let level = top; path.length < MAX_DEPTH;) {
    const name = chooseKey(chosen, level, search);
    if (name === null) break;
    path.push(name);
    chosen = valueAt(level, name);
    level = childrenOf(chosen) ?? [];
  }
  if (path.length > 0) return collect(chosen, path.join('.'), without(top, path[0]!), search);
  if (countTensors(root, search) > 0) return collect(root, '', [], search);
  const foreign = top.map(([, value]) => value).find((value) => value instanceof Foreign);
  if (foreign instanceof Foreign) return failForeign(foreign, fail);
  return fail(`it holds no tensors; its keys are ${listed(top.map(([name]) => name))}`);
}

/** The key in a dict under which the state dict is, or null where the dict, or list, is one itself. */
function chooseKey(container: unknown, pairs: Pairs, search: Search): string | null {
  if (!(container instanceof Map)) return null;
  const counts = pairs
    .filter(([, value]) => childrenOf(value) !== null)
    .map(([name, value]) => [name, countTensors(value, search)] as const)
    .filter(([, count]) => count > 0);
  // A plain state dict may have a module called `model`, but only with its name spelled out: `model.weight`.
  const usual = USUAL_KEYS.find((name) => counts.some(([other]) => other === name));
  if (usual !== undefined) return usual;
  if (pairs.some(([, value]) => value instanceof TorchTensor)) return null;
  if (counts.length <= 1) return counts[0]?.[0] ?? null;
  const choices = counts.map(([name, count]) => `${name} (${count} tensors)`);
  return search.fail(
    `it holds several sets of tensors: ${choices.join(', ')}; choose one by the option \`key\``,
  );
}

function failForeign({ name }: Foreign, fail: Fail): never {
  if (name.startsWith('tensor of ')) {
    return fail(
      `it holds a ${name}, a type that has no counterpart here; convert it in Python`,
      'refused',
    );
  }
  return fail(
    `it holds a pickled Python object (${name}), which only its own program could make again, and nothing is executed here; ${advice}`,
    'refused',
  );
}

const valueAt = (pairs: Pairs, name: string): unknown =>
  pairs.find(([other]) => other === name)?.[1];

function without(pairs: Pairs, name: string): Pairs {
  return pairs.filter(([other]) => other !== name);
}

/** Walks a dotted path; a key that has dots itself is found too. */
function follow(root: unknown, path: string, fail: Fail): unknown {
  let value = root;
  let rest = path;
  while (rest !== '') {
    const children = childrenOf(value) ?? [];
    const step = children.find(([name]) => rest === name || rest.startsWith(`${name}.`));
    if (!step) {
      return fail(
        `there is nothing under '${path}'; there are ${listed(children.map(([name]) => name))}`,
        'names',
      );
    }
    rest = rest.slice(step[0].length + 1);
    value = step[1];
  }
  return value;
}

/** How many tensors are in it, counted once for what is held twice; a damaged pickle may hold itself. */
function countTensors(value: unknown, search: Search, depth = 0): number {
  if (value instanceof TorchTensor) return 1;
  const { counts } = search;
  const known = counts.get(value);
  if (known !== undefined) return known;
  const children = childrenOf(value);
  if (!children || depth > MAX_DEPTH) return 0;
  counts.set(value, 0);
  const count = children.reduce(
    (sum, [, child]) => sum + countTensors(child, search, depth + 1),
    0,
  );
  counts.set(value, count);
  return count;
}

/** Every value that is no container, by its path. Containers that hold themselves end there. */
function walk(root: unknown, search: Search, visit: (path: string, value: unknown) => void): void {
  const open = new Set<unknown>();
  const step = (value: unknown, path: string): void => {
    if (++search.visits > MAX_VISITS) search.fail('it holds too many objects');
    const children = childrenOf(value);
    if (!children) return visit(path, value);
    if (open.has(value) || open.size >= MAX_DEPTH) return undefined;
    open.add(value);
    for (const [name, child] of children) step(child, path === '' ? name : `${path}.${name}`);
    open.delete(value);
    return undefined;
  };
  step(root, '');
}

function collect(chosen: unknown, key: string, others: Pairs, search: Search): StateDict {
  const { fail } = search;
  const tensors = new Map<string, TorchTensor>();
  const skipped: SkippedEntry[] = [];
  walk(chosen, search, (path, value) => {
    const name = path === '' ? 'tensor' : path;
    if (!(value instanceof TorchTensor)) skipped.push({ name, reason: describe(value) });
    else if (tensors.has(name)) fail(`two tensors are called '${name}'`);
    else tensors.set(name, value);
  });
  if (tensors.size === 0) {
    if (chosen instanceof Foreign) return failForeign(chosen, fail);
    return fail(`there are no tensors under '${key}'`, 'names');
  }
  for (const [name, value] of others) {
    const count = countTensors(value, search);
    const reason =
      childrenOf(value) === null
        ? describe(value)
        : `not part of '${key}', which was chosen${count > 0 ? `; has ${count} tensors` : ''}`;
    skipped.push({ name, reason });
    walk(value, search, (path, inner) => {
      if (inner instanceof Foreign && path !== '') {
        skipped.push({ name: `${name}.${path}`, reason: describe(inner) });
      }
    });
  }
  return { tensors, skipped };
}
