// Data sets in IDX files for the tests of the demo, cut from the sample that the program ships.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const sample = fileURLToPath(new URL('../data/fashion-mnist/', import.meta.url));
const PIXELS = 28 * 28;

function numbers(...values: number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32BE(value, 4 * i));
  return bytes;
}

export interface IdxOptions {
  /** Images of each part. */
  readonly train: number;
  readonly test: number;
  /** Changes the training labels. */
  readonly relabel?: (labels: Uint8Array) => Uint8Array;
}

/** Writes the first images of the sample into `folder`, spread over all classes as the sample is. */
export function writeIdxFiles(folder: string, { train, test, relabel }: IdxOptions): void {
  mkdirSync(folder, { recursive: true });
  for (const [part, count] of [
    ['train', train],
    ['t10k', test],
  ] as const) {
    const images = gunzipSync(readFileSync(join(sample, `${part}-images-idx3-ubyte.gz`))).subarray(
      16,
    );
    const all = gunzipSync(readFileSync(join(sample, `${part}-labels-idx1-ubyte.gz`))).subarray(8);
    const own = Uint8Array.from(all.subarray(0, count));
    const labels = part === 'train' && relabel ? relabel(own) : own;
    writeFileSync(
      join(folder, `${part}-images-idx3-ubyte`),
      Buffer.concat([numbers(2051, count, 28, 28), images.subarray(0, count * PIXELS)]),
    );
    writeFileSync(
      join(folder, `${part}-labels-idx1-ubyte`),
      Buffer.concat([numbers(2049, count), labels]),
    );
  }
}
