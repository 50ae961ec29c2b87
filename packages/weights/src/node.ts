// Weight files on disk.

import { readFile } from 'node:fs/promises';

import { writeFileAtomic } from './atomic-file.ts';
import { WeightsError } from './errors.ts';
import { parseSafetensors, serializeSafetensors, type Safetensors } from './formats/safetensors.ts';
import { toHostTensors, type HostTensor, type StoredTensor } from './tensors.ts';

export { writeFileAtomic } from './atomic-file.ts';

export interface ReadOptions {
  /** Keep the types of the file instead of converting to Convoke's. Default false. */
  readonly stored?: boolean | undefined;
}

/**
 * Reads a safetensors file. Real numbers come as float32 (float64 is rounded), whole numbers as int32, uint8 and bool as they
 * are; with `stored`, all as in the file: halves as 16 bits, 64-bit integers as bigints. Throws a WeightsError: `read`,
 * `format`, or `range` where a whole number does not fit int32.
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
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new WeightsError('read', `cannot read ${path}: ${(error as Error).message}`, {
      cause: error,
    });
  }
  const stored = parseSafetensors(bytes, { file: path });
  if (options.stored) return stored;
  return { tensors: toHostTensors(stored.tensors, path), metadata: stored.metadata };
}

/** Writes a safetensors file, atomically as `writeFileAtomic` does. Throws a WeightsError: `format` or `write`. */
export async function saveSafetensors(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, serializeSafetensors(tensors, metadata));
}
