// What follows a convolution in one more pass over its output while that is in cache: bias, residual, activation. Each step
// rounds as the separate op would, so that fused and decomposed give the same bits.

import type { FusedActivation, Shape } from '@convoke/backend-api';

const limits: Readonly<Record<FusedActivation, readonly [number, number]>> = {
  none: [-Infinity, Infinity],
  relu: [0, Infinity],
  relu6: [0, 6],
};

/** In place: values [N, O, H, W] = activation(values + bias[O] + residual). NaN stays NaN. */
export function finish(
  values: Float32Array,
  shape: Shape,
  bias: Float32Array,
  { residual, activation }: { residual: Float32Array | null; activation: FusedActivation },
): void {
  const [n, channels, height, width] = shape as [number, number, number, number];
  const plane = height * width;
  const [low, high] = limits[activation];
  for (let i = 0; i < n * channels; i++) {
    const shift = bias[i % channels]!;
    const start = i * plane;
    if (residual) addResidual(values, start, start + plane, shift, residual);
    else addShift(values, start, start + plane, shift);
    if (activation !== 'none') clamp(values, start, start + plane, low, high);
  }
}

function addShift(values: Float32Array, start: number, end: number, shift: number): void {
  for (let p = start; p < end; p++) values[p] = values[p]! + shift;
}

function addResidual(
  values: Float32Array,
  start: number,
  end: number,
  shift: number,
  residual: Float32Array,
): void {
  for (let p = start; p < end; p++) values[p] = Math.fround(values[p]! + shift) + residual[p]!;
}

function clamp(values: Float32Array, start: number, end: number, low: number, high: number): void {
  for (let p = start; p < end; p++) {
    const value = values[p]!;
    if (value < low) values[p] = low;
    else if (value > high) values[p] = high;
  }
}
