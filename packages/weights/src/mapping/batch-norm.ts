// A convolution and the batch normalisation after it are one affine map: files may hold them apart or folded into one.

import type { HostTensor } from '../tensors.ts';
import { splitName } from './names.ts';

export const STATISTICS = ['weight', 'bias', 'running_mean', 'running_var'] as const;

/** A tensor's name and shape, in an order that tells which layer follows which. */
export interface Placed {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Paths of the layers that have running statistics. */
export function normsOf(placed: readonly Placed[]): Map<string, number> {
  const norms = new Map<string, number>();
  for (const { name, shape } of placed) {
    const { prefix, leaf } = splitName(name);
    if (leaf === 'running_mean') norms.set(prefix, shape[0] ?? 0);
  }
  return norms;
}

/** The normalisation that follows the convolution at path `conv`: told by its name, else by its place. */
export function normAfter(
  conv: string,
  channels: number,
  norms: ReadonlyMap<string, number>,
  placed: readonly Placed[],
): string | null {
  const named = namesAfter(conv).find((name) => norms.get(name) === channels);
  if (named !== undefined) return named;
  // Names in alphabetical order tell nothing about which layer follows which.
  if (placed.every(({ name }, i) => i === 0 || placed[i - 1]!.name <= name)) return null;
  const start = placed.findIndex(({ name }) => name === `${conv}.weight`);
  for (const { name, shape } of start < 0 ? [] : placed.slice(start + 1)) {
    const { prefix } = splitName(name);
    if (prefix === conv) continue;
    if (shape.length >= 2) return null;
    if (norms.has(prefix)) return norms.get(prefix) === channels ? prefix : null;
  }
  return null;
}

/** conv1 -> bn1, a.conv -> a.bn, features.0 -> features.1, conv1 -> conv1_bn. */
function namesAfter(conv: string): string[] {
  const { prefix, leaf } = splitName(conv);
  const beside = (name: string): string => (prefix === '' ? name : `${prefix}.${name}`);
  const names = [`${conv}_bn`, `${conv}.bn`, `${conv}.norm`, `${conv}_norm`, `${conv}.BatchNorm`];
  if (leaf.includes('conv')) {
    for (const word of ['bn', 'norm', 'batch_norm']) names.push(beside(leaf.replace('conv', word)));
  }
  if (/^\d+$/.test(leaf)) names.push(beside(String(Number(leaf) + 1)));
  return names;
}

export interface Normalization {
  /** Absent: ones. */
  readonly weight?: HostTensor | undefined;
  /** Absent: zeros. */
  readonly bias?: HostTensor | undefined;
  readonly mean: HostTensor;
  readonly variance: HostTensor;
  readonly epsilon: number;
}

/** The factor of each channel. */
function scaleOf({ weight, variance, epsilon }: Normalization): Float64Array {
  return Float64Array.from(variance.data as Float32Array, (value, c) => {
    return (weight ? weight.data[c]! : 1) / Math.sqrt(value + epsilon);
  });
}

/** `weight` [O, ...] with each output channel scaled. */
export function foldWeight(weight: HostTensor, norm: Normalization): HostTensor {
  const scale = scaleOf(norm);
  const rest = weight.data.length / Math.max(scale.length, 1);
  const data = Float32Array.from(
    weight.data as Float32Array,
    (value, i) => value * scale[Math.floor(i / rest)]!,
  );
  return { dtype: 'float32', shape: weight.shape, data };
}

/** The bias [O] that is left: (b - mean) * scale + beta. */
export function foldBias(bias: HostTensor | undefined, norm: Normalization): HostTensor {
  const scale = scaleOf(norm);
  const data = Float32Array.from(scale, (factor, c) => {
    const before = (bias ? bias.data[c]! : 0) - norm.mean.data[c]!;
    return before * factor + (norm.bias ? norm.bias.data[c]! : 0);
  });
  return { dtype: 'float32', shape: [scale.length], data };
}
