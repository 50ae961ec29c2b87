// Small datasets whose every element tells where it belongs.

import { inMemory, type Dataset } from '../src/index.ts';

/** Sample i is [i, i + 0.5], of class i % classes. */
export function numbered(size: number, classes = 3): Dataset {
  return inMemory({
    inputs: Float32Array.from({ length: size * 2 }, (_, i) => i / 2),
    sampleShape: [2],
    labels: Array.from({ length: size }, (_, i) => i % classes),
    numClasses: classes,
  });
}

/** The numbers of a numbered dataset's samples. */
export function numbersOf(dataset: Dataset): number[] {
  return Array.from({ length: dataset.size }, (_, i) => inputOf(dataset, i)[0]!);
}

export function inputOf(dataset: Dataset, index: number): Float32Array {
  const length = dataset.sampleShape.reduce((product, each) => product * each, 1);
  const sample = new Float32Array(length);
  dataset.read(index, sample, 0);
  return sample;
}

/** An IDX file of bytes. */
export function idxBytes(shape: readonly number[], data: readonly number[], type = 8): Uint8Array {
  const bytes = new Uint8Array(4 + 4 * shape.length + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(2, type);
  view.setUint8(3, shape.length);
  for (const [axis, length] of shape.entries()) view.setUint32(4 + 4 * axis, length);
  bytes.set(data, 4 + 4 * shape.length);
  return bytes;
}
