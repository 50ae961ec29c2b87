// Checkpoint files in a folder whose manifest.json says what PyTorch, NumPy and h5py put into each. Reading them is no backend's
// business; they are checked beside it all the same.

import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import type { GoldenRow } from '@convoke/backend-testkit';
import { runCheckpoint, type CheckpointManifest } from '@convoke/weights/golden';

export interface CheckpointFolder {
  /** Where the manifest lies. */
  readonly manifestPath: string;
  readonly manifest: CheckpointManifest;
  /** Names of all other files. */
  readonly files: readonly string[];
}

function isManifest(value: unknown): value is CheckpointManifest {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { files, cases } = value as Record<string, unknown>;
  return typeof files === 'object' && files !== null && cases === undefined;
}

/** Null where the folder is none of this kind, which is told by what its manifest holds. */
export async function findCheckpoints(folder: string): Promise<CheckpointFolder | null> {
  const manifestPath = join(folder, 'manifest.json');
  let manifest: unknown;
  try {
    manifest = JSON.parse(await readFile(manifestPath, 'utf8'));
  } catch {
    // Absent or damaged: whoever reads golden files says so.
    return null;
  }
  if (!isManifest(manifest)) return null;
  const entries = await readdir(folder, { withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name !== 'manifest.json')
    .map(({ name }) => name)
    .toSorted();
  return { manifestPath, manifest, files };
}

/** Reads and compares the files of these names, one after another. */
export async function runCheckpoints(
  folder: string,
  manifest: CheckpointManifest,
  files: readonly string[],
): Promise<GoldenRow[]> {
  const rows: GoldenRow[] = [];
  for (const file of files) {
    const bytes = new Uint8Array(await readFile(join(folder, file)));
    rows.push(await runCheckpoint({ file, bytes, manifest }));
  }
  return rows;
}
