// Plans how a file's tensors become a model's, by names and shapes alone: nothing is read.

import type { HostTensor } from '../tensors.ts';
import type { WeightsLayout } from '../weights-file.ts';
import {
  foldBias,
  foldWeight,
  normAfter,
  normsOf,
  STATISTICS,
  type Normalization,
} from './batch-norm.ts';
import { applyMove, moveOf, type Move } from './layouts.ts';
import {
  joinName,
  looksLikeKeras,
  matchNames,
  readName,
  splitName,
  type KernelKind,
} from './names.ts';

export type NamedShape = readonly [name: string, shape: readonly number[]];

/** File's name to model's; null leaves the tensor out, undefined leaves it to the usual rules. */
export type Rename =
  | Readonly<Record<string, string | null>>
  | ((name: string) => string | null | undefined);

/** Names, beginnings of names (that end in a dot), or patterns. */
export type NamePatterns = readonly (string | RegExp)[];

export interface PlanOptions {
  /** How the file's kernels are laid out. `auto` (default): as the file says, else told by names such as kernel and gamma. */
  readonly layout?: 'auto' | WeightsLayout | undefined;
  /** A table (a key that ends in `.` or `/` renames beginnings) or a function. The usual rules apply to what it gives. */
  readonly rename?: Rename | undefined;
  /** Epsilon of a BatchNorm that is folded (the file's) or unfolded (the model's, by its path). Default 1e-5. */
  readonly batchNormEpsilon?: number | ((norm: string) => number) | undefined;
  /**
   * Keras files: what was flattened before the dense layer whose weight has this name in the model. The file has it in the
   * order [H, W, C], the model in [C, H, W].
   */
  readonly flattened?:
    | Readonly<Record<string, readonly [channels: number, height: number, width: number]>>
    | undefined;
}

export interface Mismatch {
  /** The model's. */
  readonly name: string;
  readonly expected: readonly number[];
  /** The file's. */
  readonly from: string;
  readonly found: readonly number[];
}

export interface MapReport {
  /** The model's names that get values, those filled in included. */
  readonly loaded: readonly string[];
  /** The model's names that the file has nothing for. */
  readonly missing: readonly string[];
  /** The file's names that the model has no place for. */
  readonly unexpected: readonly string[];
  /** Names that agree where shapes do not. */
  readonly mismatched: readonly Mismatch[];
  /** The model's names whose axes were permuted. */
  readonly transposed: readonly string[];
  /** The model's names that gained or lost axes of length 1. */
  readonly reshaped: readonly string[];
  /** Where names differ. */
  readonly renamed: readonly { readonly from: string; readonly to: string }[];
  /** The model's convolutions that took in a BatchNorm of the file. */
  readonly folded: readonly string[];
  /** The model's BatchNorms that became plain biases, since the file's convolutions hold them already. */
  readonly unfolded: readonly string[];
  /** Filled in: counts of batches (0), scale (1) and shift (0) of a Keras BatchNorm that has none. */
  readonly defaulted: readonly string[];
}

/** One tensor of the model and how it is made. */
export interface MappingStep {
  /** The model's. */
  readonly name: string;
  readonly shape: readonly number[];
  /** The file's, in the order that `make` takes them. */
  readonly from: readonly string[];
  make(tensors: readonly HostTensor[]): HostTensor;
}

export interface MappingPlan {
  readonly steps: readonly MappingStep[];
  readonly report: MapReport;
}

interface Found {
  readonly file: string;
  readonly name: string;
  readonly shape: readonly number[];
  readonly kind: KernelKind;
}

interface Wanted {
  readonly name: string;
  readonly shape: readonly number[];
  /** No tensor of the model, but the bias that its convolution would have if it had one. */
  readonly virtual: boolean;
}

function renamer(rename: Rename | undefined): (name: string) => string | null | undefined {
  if (rename === undefined) return () => undefined;
  if (typeof rename === 'function') return rename;
  const beginnings = Object.keys(rename).filter((key) => /[./]$/.test(key));
  return (name) => {
    if (Object.hasOwn(rename, name)) return rename[name];
    const key = beginnings.find((beginning) => name.startsWith(beginning));
    const replacement = key === undefined ? undefined : rename[key];
    return typeof replacement === 'string' ? replacement + name.slice(key!.length) : replacement;
  };
}

const filled = (shape: readonly number[], value: number): HostTensor => ({
  dtype: 'float32',
  shape,
  data: new Float32Array(shape.reduce((product, length) => product * length, 1)).fill(value),
});

/**
 * How the tensors of a file become those of a model, and what does not fit. Never throws: what is missing is in the report.
 * `fileLayout` is what the file itself says.
 */
export function planMapping(
  entries: Iterable<NamedShape>,
  model: Iterable<NamedShape>,
  options: PlanOptions & { readonly fileLayout?: WeightsLayout | undefined } = {},
): MappingPlan {
  const fileEntries = [...entries];
  const { layout = 'auto', flattened = {}, batchNormEpsilon = 1e-5, fileLayout } = options;
  const rename = renamer(options.rename);
  const keras =
    layout === 'auto'
      ? fileLayout === 'keras' || looksLikeKeras(fileEntries.map(([name]) => name))
      : layout === 'keras';
  const epsilonOf = (norm: string): number =>
    typeof batchNormEpsilon === 'number' ? batchNormEpsilon : batchNormEpsilon(norm);

  const found: Found[] = [];
  for (const [file, shape] of fileEntries) {
    const given = rename(file);
    if (given === null) continue;
    // What was renamed may have lost the word that tells its axes; the file's own name keeps it.
    const { kind } = readName(file, keras);
    const { name, kind: ownKind } = readName(given ?? file, keras);
    found.push({ file, name, shape, kind: kind === 'other' ? ownKind : kind });
  }
  const targets = [...model].map(([name, shape]): Wanted => ({ name, shape, virtual: false }));
  const names = new Set(targets.map(({ name }) => name));
  const wanted = [...targets, ...virtualBiases(targets, names)];

  const move = (from: Found, to: Wanted): Move | null =>
    moveOf(from.shape, to.shape, { keras, kind: from.kind, flattened: flattened[to.name] });
  const pairs = matchNames(found, wanted, (from, to) => move(from, to) !== null);

  const steps = new Map<string, MappingStep>();
  const used = new Set<Found>();
  const mismatched: Mismatch[] = [];
  const transposed: string[] = [];
  const reshaped: string[] = [];
  const renamed: { from: string; to: string }[] = [];
  const convolutions = new Map<string, { from: Found; move: Move }>();
  for (const target of targets) {
    const from = pairs.get(target);
    if (!from) continue;
    used.add(from);
    const how = move(from, target);
    const { name, shape } = target;
    if (!how) {
      mismatched.push({ name, expected: shape, from: from.file, found: from.shape });
      continue;
    }
    if (how.transposed) transposed.push(name);
    if (how.reshaped) reshaped.push(name);
    if (from.file !== name) renamed.push({ from: from.file, to: name });
    const { prefix, leaf } = splitName(name);
    if (leaf === 'weight' && shape.length >= 2) convolutions.set(prefix, { from, move: how });
    steps.set(name, {
      name,
      shape,
      from: [from.file],
      make: ([tensor]) => applyMove(tensor!, how, shape),
    });
  }

  const unfolded: string[] = [];
  const defaulted: string[] = [];
  const fill = (name: string, shape: readonly number[], value: number): void => {
    steps.set(name, { name, shape, from: [], make: () => filled(shape, value) });
  };
  const shapes = new Map(targets.map(({ name, shape }) => [name, shape]));
  const open = (name: string): boolean => shapes.has(name) && !steps.has(name);

  // The file's convolution has a bias and the model's a BatchNorm instead.
  const modelNorms = normsOf(targets);
  for (const [conv, { move: how }] of convolutions) {
    const virtual = wanted.find((item) => item.virtual && item.name === `${conv}.bias`);
    const bias = virtual && pairs.get(virtual);
    const channels = shapes.get(`${conv}.weight`)![0]!;
    const norm = normAfter(conv, channels, modelNorms, targets);
    if (!bias || norm === null || how === null || !open(`${norm}.running_mean`)) continue;
    const epsilon = epsilonOf(norm);
    const shape = [channels];
    fill(`${norm}.running_mean`, shape, 0);
    fill(`${norm}.running_var`, shape, 1);
    if (shapes.has(`${norm}.weight`)) fill(`${norm}.weight`, shape, Math.sqrt(1 + epsilon));
    if (shapes.has(`${norm}.bias`)) {
      used.add(bias);
      const name = `${norm}.bias`;
      steps.set(name, {
        name,
        shape,
        from: [bias.file],
        make: ([tensor]) => ({ ...tensor!, shape }),
      });
    }
    unfolded.push(norm);
  }

  // The file's convolution has a BatchNorm and the model's a bias instead.
  const folded: string[] = [];
  const unused = found.filter((item) => !used.has(item));
  const fileNorms = normsOf(unused);
  const byName = new Map(found.map((item) => [item.name, item]));
  for (const [conv, { from }] of convolutions) {
    const bias = `${conv}.bias`;
    if (!shapes.has(bias)) continue;
    const channels = shapes.get(bias)![0]!;
    const norm = normAfter(splitName(from.name).prefix, channels, fileNorms, found);
    const parts = norm === null ? [] : STATISTICS.map((leaf) => byName.get(joinName(norm, leaf)));
    const [gamma, beta, mean, variance] = parts;
    if (norm === null || !mean || !variance) continue;
    for (const part of parts) if (part) used.add(part);
    foldInto(steps, conv, { gamma, beta, mean, variance, epsilon: epsilonOf(norm), channels });
    folded.push(conv);
  }

  for (const { name, shape } of targets) {
    if (steps.has(name)) continue;
    const { prefix, leaf } = splitName(name);
    if (leaf === 'num_batches_tracked') {
      defaulted.push(name);
      const data = new Int32Array(1);
      steps.set(name, { name, shape, from: [], make: () => ({ dtype: 'int32', shape, data }) });
    } else if (keras && modelNorms.has(prefix) && steps.has(`${prefix}.running_mean`)) {
      // A Keras BatchNorm with scale or center false.
      if (mismatched.some((item) => item.name === name)) continue;
      if (leaf === 'weight' || leaf === 'bias') {
        defaulted.push(name);
        fill(name, shape, leaf === 'weight' ? 1 : 0);
      }
    }
  }

  const notFitting = new Set(mismatched.map(({ name }) => name));
  const report: MapReport = {
    loaded: targets.filter(({ name }) => steps.has(name)).map(({ name }) => name),
    missing: targets
      .filter(({ name }) => !steps.has(name) && !notFitting.has(name))
      .map(({ name }) => name),
    unexpected: found
      .filter((item) => !used.has(item) && !item.name.endsWith('num_batches_tracked'))
      .map(({ file }) => file),
    mismatched,
    transposed,
    reshaped,
    renamed,
    folded,
    unfolded,
    defaulted,
  };
  const ordered = targets.flatMap(({ name }) => steps.get(name) ?? []);
  return { steps: ordered, report };
}

function virtualBiases(targets: readonly Wanted[], names: ReadonlySet<string>): Wanted[] {
  return targets.flatMap(({ name, shape }) => {
    const { prefix, leaf } = splitName(name);
    const bias = `${prefix}.bias`;
    if (leaf !== 'weight' || shape.length < 2 || names.has(bias)) return [];
    return [{ name: bias, shape: [shape[0]!], virtual: true }];
  });
}

interface FileNorm {
  readonly gamma: Found | undefined;
  readonly beta: Found | undefined;
  readonly mean: Found;
  readonly variance: Found;
  readonly epsilon: number;
  readonly channels: number;
}

/** Puts a BatchNorm of the file into the steps of a convolution's weight and bias. */
function foldInto(
  steps: Map<string, MappingStep>,
  conv: string,
  { gamma, beta, mean, variance, epsilon, channels }: FileNorm,
): void {
  const weight = steps.get(`${conv}.weight`)!;
  const bias = steps.get(`${conv}.bias`);
  const parts = [mean, variance, ...(gamma ? [gamma] : []), ...(beta ? [beta] : [])];
  const normOf = (tensors: readonly HostTensor[]): Normalization => {
    const rest = [...tensors];
    const [first, second] = [rest.shift()!, rest.shift()!];
    const scale = gamma ? rest.shift() : undefined;
    return {
      mean: first,
      variance: second,
      weight: scale,
      bias: beta ? rest.shift() : undefined,
      epsilon,
    };
  };
  const from = parts.map(({ file }) => file);
  const split = (tensors: readonly HostTensor[], own: number): [HostTensor[], Normalization] => [
    tensors.slice(0, own),
    normOf(tensors.slice(own)),
  ];
  steps.set(weight.name, {
    ...weight,
    from: [...weight.from, ...from],
    make(tensors) {
      const [own, norm] = split(tensors, weight.from.length);
      return foldWeight(weight.make(own), norm);
    },
  });
  steps.set(`${conv}.bias`, {
    name: `${conv}.bias`,
    shape: [channels],
    from: [...(bias?.from ?? []), ...from],
    make(tensors) {
      const [own, norm] = split(tensors, bias?.from.length ?? 0);
      return foldBias(bias?.make(own), norm);
    },
  });
}
