// Weights and inputs that follow from names and shapes by a formula, so that no file needs to hold them.

import type { Backend } from '@convoke/core';
import type { Module } from '@convoke/nn';

/** In [-1, 1), from a seed and a position; all integers are of 32 bits and wrap. */
function noise(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** The values of a parameter, buffer or input, by its name and shape. */
export function goldenValues(name: string, shape: readonly number[], gain: number): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  const bound = gain * Math.sqrt(3 / (size / (shape[0] ?? 1)));
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const value = (u: number): number => {
    if (leaf === 'running_var') return 1 + 0.2 * Math.abs(u);
    if (leaf === 'centers') return u < 0 ? -1 : 1;
    if (leaf === 'layer_scale') return 0.5 + 0.1 * u;
    if (leaf === 'input') return 1.5 * u;
    if (leaf !== 'weight') return 0.1 * u;
    return shape.length >= 2 ? u * bound : 1 + 0.1 * u;
  };
  const values = new Float32Array(size);
  for (let i = 0; i < size; i++) values[i] = value(noise(seed, i));
  return values;
}

/** Changes values by at most one rounding of float32 each, differently for each `seed`; seed 0 leaves them as they are. */
export function nudge(values: Float32Array, seed: number): Float32Array {
  if (seed === 0) return values;
  return values.map((value, i) => value * (1 + Math.round(1.5 * noise(seed, i)) * 2 ** -23));
}

/**
 * Gives a model made on `meta` the weights that follow from its names, on `backend`, one after another: initial values would be
 * held beside them.
 */
export function fillWithGolden(model: Module, gain: number, backend: Backend): void {
  for (const [name, slot] of model.stateDict()) {
    const { spec } = slot;
    const data = spec.dtype === 'int32' ? new Int32Array(1) : goldenValues(name, spec.shape, gain);
    slot.moveTo(backend, backend.upload(spec, data));
  }
}
