// The IDX format of MNIST and its relatives: two zero bytes, a type, the number of axes, their lengths, then the elements,
// big-endian. Files come from outside: lengths are checked before anything is allocated.

import { DataError } from '@convoke/core';

import { elementsOf, inMemory, type Dataset } from './dataset.ts';

export interface IdxArray {
  readonly shape: readonly number[];
  /** In C order. */
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

interface ElementType {
  readonly width: number;
  read(view: DataView, length: number): IdxArray['data'];
}

const elementTypes: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [
    0x08,
    { width: 1, read: (view, length) => new Uint8Array(view.buffer, view.byteOffset, length) },
  ],
  [0x09, { width: 1, read: (view, length) => new Int8Array(view.buffer, view.byteOffset, length) }],
  [
    0x0b,
    {
      width: 2,
      read: (view, length) => Int16Array.from({ length }, (_, i) => view.getInt16(2 * i)),
    },
  ],
  [
    0x0c,
    {
      width: 4,
      read: (view, length) => Int32Array.from({ length }, (_, i) => view.getInt32(4 * i)),
    },
  ],
  [
    0x0d,
    {
      width: 4,
      read: (view, length) => Float32Array.from({ length }, (_, i) => view.getFloat32(4 * i)),
    },
  ],
  [
    0x0e,
    {
      width: 8,
      read: (view, length) => Float64Array.from({ length }, (_, i) => view.getFloat64(8 * i)),
    },
  ],
]);

/** More would be no data set; MNIST's images have 3. */
const MAX_AXES = 8;

export interface IdxHeader {
  readonly shape: readonly number[];
  /** Where the elements begin. */
  readonly dataStart: number;
  /** Bytes of the whole file. */
  readonly fileLength: number;
  readonly type: ElementType;
}

/** What the first bytes of an IDX file say; `bytes` need not hold more. Throws a DataError that names `file`. */
export function idxHeader(bytes: Uint8Array, file: string): IdxHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes.length >= 4 ? elementTypes.get(view.getUint8(2)) : undefined;
  const axes = bytes.length >= 4 ? view.getUint8(3) : 0;
  if (!type || view.getUint16(0) !== 0 || axes < 1 || axes > MAX_AXES) {
    const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, '0'));
    throw new DataError(
      `${file} is no IDX file: it begins with the bytes ${start.join(' ') || '(none)'}; expected 00 00, an element type (08 for bytes) and the number of axes`,
    );
  }
  const dataStart = 4 + 4 * axes;
  if (bytes.length < dataStart) {
    throw new DataError(
      `${file} is cut off: it has ${bytes.length} bytes, the lengths of its ${axes} axes alone take ${dataStart}`,
    );
  }
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  return { shape, dataStart, fileLength: dataStart + elementsOf(shape) * type.width, type };
}

/**
 * The array in an IDX file that is not compressed. Bytes are a view of `bytes`, wider elements a copy. Throws a DataError that
 * names `file` where it is no IDX file or its length is not what the header says.
 */
export function parseIdx(bytes: Uint8Array, file = 'IDX data'): IdxArray {
  const { shape, dataStart, fileLength, type } = idxHeader(bytes, file);
  if (bytes.length !== fileLength) {
    const what = bytes.length < fileLength ? 'is cut off' : 'has bytes left over';
    throw new DataError(
      `${file} ${what}: its header says shape [${shape.join(', ')}], which takes ${fileLength} bytes, got ${bytes.length}`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + dataStart, fileLength - dataStart);
  return { shape, data: type.read(view, elementsOf(shape)) };
}

export interface IdxDatasetOptions {
  /** Default 10. */
  readonly numClasses?: number | undefined;
  readonly classNames?: readonly string[] | undefined;
}

interface NamedIdx extends IdxArray {
  readonly file: string;
}

/**
 * The dataset of images `[N, H, W]` and labels `[N]`, bytes both; samples have shape `[1, H, W]` and values in [0, 1]. Throws a
 * DataError that names the files where they are swapped, are not such arrays or do not belong together.
 */
export function idxDataset(
  images: NamedIdx,
  labels: NamedIdx,
  options: IdxDatasetOptions = {},
): Dataset {
  const { classNames, numClasses = classNames?.length ?? 10 } = options;
  const describe = ({ file, shape }: NamedIdx): string =>
    `${file} holds shape [${shape.join(', ')}]`;
  if (images.shape.length === 1 && labels.shape.length === 3) {
    throw new DataError(
      `the images and the labels are swapped: ${describe(images)}, ${describe(labels)}; give each file the other's name`,
    );
  }
  if (images.shape.length !== 3 || !(images.data instanceof Uint8Array)) {
    throw new DataError(`${describe(images)}; expected images as bytes of shape [N, H, W]`);
  }
  if (labels.shape.length !== 1 || !(labels.data instanceof Uint8Array)) {
    throw new DataError(`${describe(labels)}; expected labels as bytes of shape [N]`);
  }
  const [count, height, width] = images.shape as [number, number, number];
  if (count !== labels.shape[0]) {
    throw new DataError(
      `${images.file} holds ${count} images, ${labels.file} ${labels.shape[0]} labels; the files do not belong together`,
    );
  }
  return inMemory({
    inputs: images.data,
    sampleShape: [1, height, width],
    labels: labels.data,
    numClasses,
    classNames,
    name: `${images.file} and ${labels.file}`,
  });
}
