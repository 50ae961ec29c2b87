// Weight files on disk.

import { fileURLToPath } from 'node:url';

import { writeFileAtomic } from './atomic-file.ts';
import { serializeNpz } from './formats/npz.ts';
import { serializeSafetensors, type Safetensors } from './formats/safetensors.ts';
import {
  openSafetensors as openSafetensorsAnywhere,
  openWeights as openWeightsAnywhere,
  readWeights as readWeightsAnywhere,
  type OpenWeightsOptions,
  type ReadWeightsOptions,
  type WeightsContent,
} from './read-weights.ts';
import { openFile } from './sources/file.ts';
import type { SourceOptions, WeightsSource } from './sources/open.ts';
import type { HostTensor, StoredTensor } from './tensors.ts';
import type { WeightsFile } from './weights-file.ts';

export { expectWritable, writeFileAtomic } from './atomic-file.ts';

export interface ReadOptions {
  /** Keep the types of the file instead of converting to Convoke's. Default false. */
  readonly stored?: boolean | undefined;
}

/** A string that is no http(s) address, and a file: URL, is a file on disk. */
async function sourceOf(source: WeightsSource, { file }: SourceOptions): Promise<WeightsSource> {
  if (source instanceof URL) {
    return source.protocol === 'file:' ? openFile(fileURLToPath(source), file) : source;
  }
  if (typeof source !== 'string' || /^(https?|blob|data):/i.test(source)) return source;
  const path = source.startsWith('file:') ? fileURLToPath(source) : source;
  return openFile(path, file ?? path);
}

/** `openWeights`, where a string may also be the path of a file. */
export async function openWeights(
  source: WeightsSource,
  options: OpenWeightsOptions = {},
): Promise<WeightsFile> {
  return openWeightsAnywhere(await sourceOf(source, options), options);
}

/** `readWeights`, where a string may also be the path of a file. */
export async function readWeights(
  source: WeightsSource,
  options: ReadWeightsOptions & { readonly stored: true },
): Promise<WeightsContent<StoredTensor>>;
export async function readWeights(
  source: WeightsSource,
  options?: ReadWeightsOptions,
): Promise<WeightsContent>;
export async function readWeights(
  source: WeightsSource,
  options: ReadWeightsOptions = {},
): Promise<WeightsContent<StoredTensor>> {
  return readWeightsAnywhere(await sourceOf(source, options), options);
}

/** `openSafetensors`, where a string may also be the path of a file. */
export async function openSafetensors(
  source: WeightsSource,
  options: SourceOptions = {},
): Promise<WeightsFile> {
  return openSafetensorsAnywhere(await sourceOf(source, options), options);
}

/**
 * Reads a safetensors file, each tensor straight into its array. Real numbers come as float32 (float64 is rounded), whole
 * numbers as int32, uint8 and bool as they are; with `stored`, all as in the file: halves as 16 bits, 64-bit integers as bigints.
 * Throws a WeightsError: `read`, `format`, or `range` where a whole number does not fit int32.
 */
export async function readSafetensors(
  path: string,
  options: ReadOptions & { readonly stored: true },
): Promise<Safetensors>;
export async function readSafetensors(
  path: string,
  options?: ReadOptions,
): Promise<Safetensors<HostTensor>>;
export async function readSafetensors(
  path: string,
  options: ReadOptions = {},
): Promise<Safetensors> {
  const file = await openSafetensorsAnywhere(await openFile(path));
  try {
    const tensors: Map<string, StoredTensor> = options.stored
      ? await file.readAllStored()
      : await file.readAll();
    return { tensors, metadata: file.metadata };
  } finally {
    await file.close();
  }
}

/** Writes a safetensors file, atomically as `writeFileAtomic` does. Throws a WeightsError: `format` or `write`. */
export async function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}

/** Writes an .npz file as `serializeNpz` makes it, atomically. Throws a WeightsError: `format` or `write`. */
export async function saveNpz(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
): Promise<void> {
  await writeFileAtomic(path, serializeNpz(tensors));
}
