// Checks what is read of checkpoint files against a manifest of what PyTorch, NumPy and h5py put into them. The shapes below are
// the whole agreement with whoever reads the folder.

import { WeightsError } from './errors.ts';
import { compareValues, expectationOf, type CheckpointManifest } from './golden/expectations.ts';
import { mapWeights } from './mapping.ts';
import { openWeights } from './read-weights.ts';
import type { HostTensor, StoredTensor } from './tensors.ts';
import type { WeightsFile } from './weights-file.ts';

export type { CheckpointManifest } from './golden/expectations.ts';

export interface GoldenCheckpoint {
  /** The file's name in its folder. */
  readonly file: string;
  readonly bytes: Uint8Array;
  /** The parsed manifest.json of the folder. */
  readonly manifest: CheckpointManifest;
}

export interface CheckpointRow {
  /** The file's name. */
  readonly id: string;
  readonly status: 'pass' | 'fail' | 'skip';
  /** Of the worst element, relative to the larger of 1 and the expected value; null where values are not compared. */
  readonly error: number | null;
  readonly tolerance: number | null;
  readonly reason?: string;
}

/** Reads a checkpoint and compares it with what the manifest says of it. Never throws for what a file holds. */
export async function runCheckpoint({
  file,
  bytes,
  manifest,
}: GoldenCheckpoint): Promise<CheckpointRow> {
  const row = (status: CheckpointRow['status'], reason?: string): CheckpointRow => ({
    id: file,
    status,
    error: null,
    tolerance: null,
    ...(reason === undefined ? {} : { reason }),
  });
  const expected = expectationOf(file, manifest);
  if (expected.kind === 'skip') return row('skip', expected.reason);
  let opened: WeightsFile;
  let tensors: Map<string, StoredTensor>;
  let mapped: Map<string, HostTensor> | null = null;
  try {
    opened = await openWeights(bytes, { file });
    tensors = await opened.readAllStored();
    if (expected.kind === 'tensors' && expected.model) {
      ({ tensors: mapped } = await mapWeights(opened, expected.model, { file }));
    }
  } catch (error) {
    if (!(error instanceof WeightsError)) {
      return row('fail', `no WeightsError, but ${String(error)}`);
    }
    return expected.kind === 'error' ? row('pass') : row('fail', error.message);
  }
  if (expected.kind === 'error') return row('fail', 'it was read, but should be refused');

  const given: ReadonlyMap<string, StoredTensor> = mapped ?? tensors;
  let worst = { name: '', error: -1, tolerance: 0 };
  for (const { name, shape, values, tolerance } of expected.tensors) {
    const tensor = given.get(name);
    if (!tensor) return row('fail', `tensor '${name}' is missing`);
    if (tensor.shape.join() !== shape.join()) {
      return row(
        'fail',
        `tensor '${name}' has shape [${tensor.shape.join(', ')}], expected [${shape.join(', ')}]`,
      );
    }
    const error = compareValues(tensor, values);
    if (worst.error < 0 || error - tolerance > worst.error - worst.tolerance)
      worst = { name, error, tolerance };
  }
  const { name, error, tolerance } = worst;
  const passed = error <= tolerance;
  return {
    id: file,
    status: passed ? 'pass' : 'fail',
    error,
    tolerance,
    ...(passed ? {} : { reason: `the values of '${name}' differ` }),
  };
}
