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
    const end = (i + 1) * plane;
    for (let p = i * plane; p < end; p++) {
      let value = values[p]! + shift;
      if (residual) value = Math.fround(value) + residual[p]!;
      values[p] = value < low ? low : value > high ? high : value;
    }
  }
}
