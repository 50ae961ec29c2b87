// Batch normalisation (Ioffe & Szegedy 2015, arXiv:1502.03167) of [N, C, ...], channel by channel. Statistics are summed in
// doubles, the variance in a second pass round the mean.

import { sizeOf, type Shape } from '@convoke/backend-api';
import type { Kernels } from '../kernel.ts';

interface Layout {
  readonly batch: number;
  readonly channels: number;
  /** Elements of one channel of one sample. */
  readonly plane: number;
}

function layoutOf(shape: Shape): Layout {
  return { batch: shape[0]!, channels: shape[1]!, plane: sizeOf(shape.slice(2)) };
}

function channelMean(x: Float32Array, { batch, channels, plane }: Layout, channel: number): number {
  let sum = 0.0;
  for (let sample = 0; sample < batch; sample++) {
    const start = (sample * channels + channel) * plane;
    for (let i = start; i < start + plane; i++) sum += x[i]!;
  }
  return sum / (batch * plane);
}

function channelVariance(
  x: Float32Array,
  { batch, channels, plane }: Layout,
  channel: number,
  mean: number,
): number {
  let sum = 0.0;
  for (let sample = 0; sample < batch; sample++) {
    const start = (sample * channels + channel) * plane;
    for (let i = start; i < start + plane; i++) {
      const distance = x[i]! - mean;
      sum += distance * distance;
    }
  }
  return sum / (batch * plane);
}

/** target = (x - mean) * scale + shift for one channel; target may be x. */
function normalizeChannel(
  x: Float32Array,
  target: Float32Array,
  { batch, channels, plane }: Layout,
  channel: number,
  mean: number,
  scale: number,
  shift: number,
): void {
  for (let sample = 0; sample < batch; sample++) {
    const start = (sample * channels + channel) * plane;
    for (let i = start; i < start + plane; i++) target[i] = (x[i]! - mean) * scale + shift;
  }
}

/** Sums of the gradient and of the gradient times (x - mean). */
function gradientSums(
  gradient: Float32Array,
  x: Float32Array,
  { batch, channels, plane }: Layout,
  channel: number,
  mean: number,
): [number, number] {
  let sum = 0.0;
  let product = 0.0;
  for (let sample = 0; sample < batch; sample++) {
    const start = (sample * channels + channel) * plane;
    for (let i = start; i < start + plane; i++) {
      const value = gradient[i]!;
      sum += value;
      product += value * (x[i]! - mean);
    }
  }
  return [sum, product];
}

type BatchNorm = 'batchNormTrain' | 'batchNormTrainGradient' | 'batchNormEval';

export const batchNormalization: Pick<Required<Kernels>, BatchNorm> = {
  batchNormTrain([input, weight, bias], { epsilon }, _outputs, reuse, arrays) {
    const layout = layoutOf(input!.spec.shape);
    const x = input!.data as Float32Array;
    const means = arrays.take('float32', layout.channels);
    const variances = arrays.take('float32', layout.channels);
    const y = (reuse[0] as Float32Array | null) ?? arrays.take('float32', x.length);
    for (let channel = 0; channel < layout.channels; channel++) {
      const mean = channelMean(x, layout, channel);
      const variance = channelVariance(x, layout, channel, mean);
      means[channel] = mean;
      variances[channel] = variance;
      const scale = weight!.data[channel]! / Math.sqrt(variance + epsilon);
      normalizeChannel(x, y, layout, channel, mean, scale, bias!.data[channel]!);
    }
    return [y, means, variances];
  },
  batchNormTrainGradient([g, input, weight, mean, variance], { epsilon }, _outputs, _, arrays) {
    const layout = layoutOf(input!.spec.shape);
    const { batch, channels, plane } = layout;
    const x = input!.data as Float32Array;
    const gradient = g!.data as Float32Array;
    const xGradient = arrays.take('float32', x.length);
    const weightGradient = arrays.take('float32', channels);
    const biasGradient = arrays.take('float32', channels);
    const count = batch * plane;
    for (let channel = 0; channel < channels; channel++) {
      const centre = mean!.data[channel]!;
      const inverse = 1 / Math.sqrt(variance!.data[channel]! + epsilon);
      const [sum, product] = gradientSums(gradient, x, layout, channel, centre);
      biasGradient[channel] = sum;
      weightGradient[channel] = product * inverse;
      const scale = weight!.data[channel]! * inverse;
      const average = sum / count;
      const slope = (product * inverse * inverse) / count;
      for (let sample = 0; sample < batch; sample++) {
        const start = (sample * channels + channel) * plane;
        for (let i = start; i < start + plane; i++) {
          xGradient[i] = (gradient[i]! - average - (x[i]! - centre) * slope) * scale;
        }
      }
    }
    return [xGradient, weightGradient, biasGradient];
  },
  batchNormEval([input, weight, bias, mean, variance], { epsilon }, _outputs, reuse, arrays) {
    const layout = layoutOf(input!.spec.shape);
    const x = input!.data as Float32Array;
    const y = (reuse[0] as Float32Array | null) ?? arrays.take('float32', x.length);
    for (let channel = 0; channel < layout.channels; channel++) {
      const scale = weight!.data[channel]! / Math.sqrt(variance!.data[channel]! + epsilon);
      const shift = bias!.data[channel]!;
      normalizeChannel(x, y, layout, channel, mean!.data[channel]!, scale, shift);
    }
    return [y];
  },
};
