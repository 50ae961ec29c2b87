// What a manifest of checkpoint files says about one of them.

import { float32OfBfloat16, float32OfFloat16 } from '../half.ts';
import type { StoredTensor } from '../tensors.ts';
import { generated } from './generated.ts';

type Entry = number | boolean | string;

interface Listed {
  readonly shape: readonly number[];
  readonly data: readonly Entry[];
}

/** As far as it is read here. */
export interface CheckpointManifest {
  /** File names, and what each holds, in words. */
  readonly files: Readonly<Record<string, string>>;
  readonly tiny: {
    readonly gain: number;
    readonly state_dict: readonly (readonly [string, readonly number[]])[];
  };
  readonly mixed: Readonly<Record<string, Listed>>;
  readonly mixed_pth_more: Readonly<Record<string, Listed>>;
  readonly i64_as_strings: readonly string[];
  readonly npy: Listed;
}

interface ExpectedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Numbers, or texts of whole numbers that no number holds. */
  readonly values: ArrayLike<Entry>;
  /** Relative, at least to 1. */
  readonly tolerance: number;
}

export type Expectation =
  | { readonly kind: 'skip'; readonly reason: string }
  | { readonly kind: 'error' }
  | {
      readonly kind: 'tensors';
      readonly tensors: readonly ExpectedTensor[];
      /** Names and shapes to map to first. */
      readonly model?: readonly (readonly [string, readonly number[]])[];
    };

/** The manifest has 13 digits. */
const DIGITS = 1e-12;

export function expectationOf(file: string, manifest: CheckpointManifest): Expectation {
  const words = manifest.files[file];
  if (file.endsWith('.onnx')) return { kind: 'skip', reason: 'ONNX files are not read' };
  if (words === undefined && !file.endsWith('.npy')) {
    return { kind: 'skip', reason: 'the manifest does not name it' };
  }
  if (words?.includes('expect a clear error') || file === 'object_array.npy')
    return { kind: 'error' };
  if (file.endsWith('.npy')) return npy(file, manifest);
  if (file === 'list.pth')
    return { kind: 'tensors', tensors: [tinyTensor(manifest, 'conv1.weight', '0')] };
  if (file.startsWith('mixed')) {
    const { mixed, mixed_pth_more: more } = manifest;
    const all = { ...mixed, ...(file.endsWith('.pth') ? more : {}) };
    return { kind: 'tensors', tensors: Object.entries(all).map((item) => listed(item, manifest)) };
  }
  const named = words ?? '';
  if (file.startsWith('tiny') || /training|foreign/.test(file) || named.includes('tiny')) {
    const { state_dict: model } = manifest.tiny;
    return {
      kind: 'tensors',
      model,
      tensors: model.map(([name]) => tinyTensor(manifest, name, name)),
    };
  }
  return { kind: 'skip', reason: 'it is not known how to check it' };
}

function tinyTensor({ tiny }: CheckpointManifest, name: string, as: string): ExpectedTensor {
  const shape = tiny.state_dict.find(([other]) => other === name)?.[1] ?? [];
  const tracked = name.endsWith('num_batches_tracked');
  const values = tracked ? [0] : generated(name, shape, tiny.gain);
  return { name: as, shape, values, tolerance: 0 };
}

function listed(
  [name, { shape, data }]: readonly [string, Listed],
  manifest: CheckpointManifest,
): ExpectedTensor {
  const values = name === 'i64' ? manifest.i64_as_strings : data;
  return { name, shape, values, tolerance: DIGITS };
}

function npy(file: string, { npy: { shape, data } }: CheckpointManifest): Expectation {
  const scalar = file.startsWith('int64_scalar');
  // A half has 11 bits.
  const tolerance = file.startsWith('half') ? 2 ** -11 : DIGITS;
  const tensor = scalar
    ? { name: 'array', shape: [], values: [-5], tolerance: 0 }
    : { name: 'array', shape, values: data, tolerance };
  return { kind: 'tensors', tensors: [tensor] };
}

/** The largest deviation of an element, relative to the larger of 1 and what is expected. */
export function compareValues({ dtype, data }: StoredTensor, expected: ArrayLike<Entry>): number {
  if (data.length !== expected.length) return Infinity;
  const values =
    dtype === 'float16'
      ? float32OfFloat16(data as Uint16Array)
      : dtype === 'bfloat16'
        ? float32OfBfloat16(data as Uint16Array)
        : data;
  let worst = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    const wanted = expected[i]!;
    if (typeof value === 'bigint') {
      if (String(value) !== String(wanted)) return Infinity;
      continue;
    }
    const reference = numberOf(wanted);
    if (value === reference) continue;
    const error = Math.abs(value - reference) / Math.max(1, Math.abs(reference));
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  return worst;
}

function numberOf(value: Entry): number {
  if (value === 'inf') return Infinity;
  return value === '-inf' ? -Infinity : Number(value);
}
