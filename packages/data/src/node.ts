// Datasets on disk: IDX files, gzipped or not.

import { access, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { constants, gunzipSync } from 'node:zlib';

import { DataError } from '@convoke/core';

import type { Dataset } from './dataset.ts';
import { idxDataset, idxHeader, parseIdx, type IdxArray, type IdxDatasetOptions } from './idx.ts';

/** Deflate packs no tighter; a header that promises more is wrong, and is not believed. */
const MOST_PACKED = 1032;

/** Compressed bytes that hold more than any header. */
const HEADER_PREFIX = 1024;

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

function gunzip(packed: Uint8Array, file: string): Uint8Array {
  try {
    // The header first, so that no more is unpacked than it says.
    const start = gunzipSync(packed.subarray(0, HEADER_PREFIX), {
      finishFlush: constants.Z_SYNC_FLUSH,
    });
    const { fileLength, shape } = idxHeader(start, file);
    if (fileLength > packed.length * MOST_PACKED) {
      throw new DataError(
        `${file} is cut off: its header says shape [${shape.join(', ')}], which ${packed.length} compressed bytes cannot hold`,
      );
    }
    return gunzipSync(packed, { maxOutputLength: fileLength });
  } catch (error) {
    if (error instanceof DataError) throw error;
    const longer = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE';
    const what = longer ? 'has bytes left over' : 'is cut off or damaged';
    throw new DataError(`${file} ${what}: ${reasonOf(error)}`, { cause: error });
  }
}

/**
 * Reads an IDX file, gzipped or not (told by its content). Throws a DataError that names the file where it cannot be read, is
 * no IDX file, or is longer or shorter than its header says.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (error) {
    throw new DataError(`cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
  const packed = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return parseIdx(packed ? gunzip(bytes, path) : bytes, path);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** The files that are there, one a kind; all that are missing are told at once. */
async function findFiles(folder: string, names: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const missing: string[] = [];
  for (const name of names) {
    const candidates = [name, `${name}.gz`].map((file) => join(folder, file));
    const there = await Promise.all(candidates.map(exists));
    const path = candidates[there.indexOf(true)];
    if (path) found.push(path);
    else missing.push(`${name}[.gz]`);
  }
  if (missing.length > 0) {
    throw new DataError(
      `no ${missing.join(' and no ')} in ${resolve(folder)}; expected the data set's IDX files by their standard names, gzipped or not`,
    );
  }
  return found;
}

/**
 * The training (`train`) or test (`t10k`) set of MNIST or a relative from `folder`, by the standard names
 * `{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]`. Samples have shape `[1, H, W]` and values in [0, 1]. Throws a DataError that
 * lists the files looked for where one is missing, and names the file where it is damaged, swapped or of another set.
 */
export async function loadIdxDataset(
  folder: string,
  part: 'train' | 't10k',
  options: IdxDatasetOptions = {},
): Promise<Dataset> {
  const names = [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`];
  const [imagesFile, labelsFile] = (await findFiles(folder, names)) as [string, string];
  const [images, labels] = await Promise.all([readIdx(imagesFile), readIdx(labelsFile)]);
  return idxDataset({ ...images, file: imagesFile }, { ...labels, file: labelsFile }, options);
}
