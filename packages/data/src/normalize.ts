// Inputs with mean 0 and standard deviation 1, channel by channel.

import { DataError } from '@convoke/core';

import { elementsOf, type Dataset } from './dataset.ts';

export interface ChannelStatistics {
  /** One a channel, or one for all. */
  readonly mean: readonly number[] | number;
  /** Standard deviations, above 0. */
  readonly std: readonly number[] | number;
}

/** Channels are the first axis of `[C, H, W]`; a sample without axes is one channel. */
function channelsOf({ sampleShape }: Dataset): { channels: number; area: number } {
  const channels = sampleShape[0] ?? 1;
  return { channels, area: elementsOf(sampleShape) / channels };
}

/** Mean and (population) standard deviation of each channel over all samples, in float64. */
export function channelStatistics(dataset: Dataset): { mean: number[]; std: number[] } {
  const { channels, area } = channelsOf(dataset);
  const sample = new Float32Array(channels * area);
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  for (let index = 0; index < dataset.size; index++) {
    dataset.read(index, sample, 0);
    for (let i = 0; i < sample.length; i++) {
      const channel = Math.floor(i / area);
      sums[channel]! += sample[i]!;
      squares[channel]! += sample[i]! ** 2;
    }
  }
  const count = dataset.size * area;
  const mean = Array.from(sums, (sum) => sum / count);
  const std = mean.map((m, channel) => Math.sqrt(Math.max(squares[channel]! / count - m ** 2, 0)));
  return { mean, std };
}

function perChannel(
  name: string,
  value: readonly number[] | number,
  channels: number,
): readonly number[] {
  const list = typeof value === 'number' ? Array.from({ length: channels }, () => value) : value;
  if (list.length !== channels || !list.every(Number.isFinite)) {
    throw new DataError(
      `normalize: ${name} must be a finite number, or one for each of ${channels} channels, got [${list.join(', ')}]`,
    );
  }
  return list;
}

/** A view of `dataset` whose inputs are (x - mean) / std of their channel. */
export function normalize(dataset: Dataset, statistics: ChannelStatistics): Dataset {
  const { channels, area } = channelsOf(dataset);
  const mean = perChannel('mean', statistics.mean, channels);
  const std = perChannel('std', statistics.std, channels);
  if (!std.every((value) => value > 0)) {
    throw new DataError(
      `normalize: std must be above 0, got [${std.join(', ')}]; a channel that never varies cannot be normalised`,
    );
  }
  return {
    ...dataset,
    read(index, target, offset) {
      dataset.read(index, target, offset);
      for (let channel = 0; channel < channels; channel++) {
        const start = offset + channel * area;
        for (let i = start; i < start + area; i++) {
          target[i] = (target[i]! - mean[channel]!) / std[channel]!;
        }
      }
    },
  };
}
