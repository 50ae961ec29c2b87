// Datasets and seeded, resumable batches. Runs anywhere; files on disk are in `@convoke/data/node`.

export { classCounts, inMemory, subset, type Dataset, type InMemoryOptions } from './dataset.ts';
export { channelStatistics, normalize, type ChannelStatistics } from './normalize.ts';
export { split, type SplitOptions } from './split.ts';
export {
  batches,
  type Batch,
  type Batches,
  type BatchOptions,
  type TransformContext,
} from './batches.ts';
export { idxDataset, parseIdx, type IdxArray, type IdxDatasetOptions } from './idx.ts';
