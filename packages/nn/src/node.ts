// Training's files on Node: checkpoints, weights, reports. All are written atomically.

export { checkpointFolder, prepareFolder } from './training/folder.ts';
export { loadWeights, saveReport, saveWeights } from './training/files.ts';
