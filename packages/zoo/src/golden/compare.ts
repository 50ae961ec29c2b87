// How far results are from the reference, and how far they may be. What rounding may add is a share of the reference's size
// beside five times the error of PyTorch's own float32.

import type { Backend } from '@convoke/core';

import type { GoldenCheckpoint, GoldenDigest, GoldenOutput } from './files.ts';

export type Precision = 'strict' | 'fast';

/** Relative; infinite where shapes differ. */
export interface Deviation {
  readonly name: string;
  readonly error: number;
  readonly tolerance: number;
}

export interface Shares {
  /** Of the RMS of all logits. */
  readonly rms: number;
  /** Of the largest element. */
  readonly single: number;
}

/** Strict float32, float32 where Winograd's F4 may run, or a GPU. */
export function sharesOf({ name, capabilities }: Backend, precision: Precision): Shares {
  if (capabilities.epsilon > 2 ** -24 || name === 'gpujs') return { rms: 5e-5, single: 5e-5 };
  // The plain backend has no transforms whose rounding there would be to admit.
  return precision === 'fast' && name !== 'js'
    ? { rms: 5e-6, single: 1e-5 }
    : { rms: 1e-6, single: 1e-6 };
}

/** How much of its tolerance a deviation uses; not at most 1 where it fails. */
export const usage = ({ error, tolerance }: Deviation): number =>
  error === 0 ? 0 : error / tolerance;

export function worstOf(deviations: readonly Deviation[]): Deviation {
  return deviations.reduce((a, b) => (usage(b) <= usage(a) ? a : b));
}

function doubles(base64: string): Float64Array {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/** RMS of the difference over RMS of the reference. */
function relativeRms(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  if (actual.length !== reference.length) return Infinity;
  let [difference, whole] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    difference += (actual[i]! - reference[i]!) ** 2;
    whole += reference[i]! ** 2;
  }
  return Math.sqrt(difference / whole);
}

export function compareOutput(
  name: string,
  actual: ArrayLike<number>,
  { f64_b64, torch_f32_rel_rms_err: torch }: GoldenOutput,
  { rms }: Shares,
): Deviation {
  return { name, error: relativeRms(actual, doubles(f64_b64)), tolerance: 5 * torch + rms };
}

/** The worst of the sampled values, the mean and the standard deviation, each relative to the largest value. */
export function compareCheckpoint(
  { shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> },
  golden: GoldenCheckpoint,
  { torch_f32_rel_rms_err: whole }: GoldenOutput,
  { single }: Shares,
): Deviation {
  const { module: name, absmax, idx, at_idx: samples, torch_f32_max_abs_err: torch } = golden;
  const tolerance = 5 * (torch === undefined ? whole : torch / absmax) + single;
  if (shape.join() !== golden.shape.join()) return { name, error: Infinity, tolerance };
  let mean = 0;
  for (let i = 0; i < data.length; i++) mean += data[i]! / data.length;
  let variance = 0;
  for (let i = 0; i < data.length; i++) variance += (data[i]! - mean) ** 2 / data.length;
  const differences = [
    mean - (golden.mean ?? mean),
    Math.sqrt(variance) - (golden.std ?? Math.sqrt(variance)),
    ...samples.map((expected, i) => data[idx[i]!]! - expected),
  ];
  return { name, error: Math.max(...differences.map(Math.abs)) / absmax, tolerance };
}

/** A gradient that is 0 but for rounding has an error of PyTorch's as large as itself. */
export const vanishes = ({ torch_f32_l2_rel_err: torch }: GoldenDigest): boolean => torch >= 1;

/**
 * The worst of norm, largest and first elements, and sum, each relative to its own size; the sum's is the most that a difference
 * of the same norm can make of it. `torch` is PyTorch's error, relative. A gradient that vanishes is measured by `scale`.
 */
export function compareDigest(
  data: ArrayLike<number>,
  golden: GoldenDigest,
  torch: number,
  { single }: Shares,
  scale = 0,
): Deviation {
  const { name } = golden;
  let [squares, sum, absmax] = [0, 0, 0];
  for (let i = 0; i < data.length; i++) {
    squares += data[i]! ** 2;
    sum += data[i]!;
    absmax = Math.max(absmax, Math.abs(data[i]!));
  }
  if (vanishes(golden)) {
    return { name, error: absmax, tolerance: 5 * golden.torch_f32_max_abs_err + single * scale };
  }
  const differences = [
    (Math.sqrt(squares) - golden.l2) / golden.l2,
    (sum - golden.sum) / (golden.l2 * Math.sqrt(data.length)),
    (absmax - golden.absmax) / golden.absmax,
    ...golden.first4.map((expected, i) => (data[i]! - expected) / golden.absmax),
  ];
  return { name, error: Math.max(...differences.map(Math.abs)), tolerance: 5 * torch + single };
}
