// NumPy's .npy: a magic word, a header that is a Python dict, the elements. Versions 1 to 3, both byte orders, both orders of
// axes.

import { failing, type Fail } from '../errors.ts';
import { readBytes, type ByteSource } from '../sources/source.ts';
import {
  bytesOf,
  elementsOf,
  gather,
  loadRange,
  swapBytes,
  type StoredData,
  type StoredDtype,
  type StoredTensor,
} from '../tensors.ts';
import { WeightsFile } from '../weights-file.ts';

export interface NpyHeader {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bigEndian: boolean;
  readonly fortranOrder: boolean;
  /** Where the elements begin. */
  readonly dataStart: number;
}

const MAX_HEADER = 1 << 20;
/** Enough for the magic word, the version and the header's length. */
const NPY_PRELUDE = 12;

const dtypes: ReadonlyMap<string, StoredDtype> = new Map([
  ['f8', 'float64'],
  ['f4', 'float32'],
  ['f2', 'float16'],
  ['i8', 'int64'],
  ['i4', 'int32'],
  ['i2', 'int16'],
  ['i1', 'int8'],
  ['u8', 'uint64'],
  ['u4', 'uint32'],
  ['u2', 'uint16'],
  ['u1', 'uint8'],
  ['b1', 'bool'],
]);
const codes: ReadonlyMap<StoredDtype, string> = new Map(
  [...dtypes].map(([code, dtype]) => [dtype, code]),
);

export function isNpy(start: Uint8Array): boolean {
  return start[0] === 0x93 && new TextDecoder('latin1').decode(start.subarray(1, 6)) === 'NUMPY';
}

/** How many bytes the header of a file that starts with `prelude` takes, these included. */
export function npyHeaderLength(prelude: Uint8Array, fail: Fail): number {
  if (prelude.length < 10 || !isNpy(prelude)) return fail('it is no .npy file');
  const version = prelude[6]!;
  const view = new DataView(prelude.buffer, prelude.byteOffset, prelude.byteLength);
  if (version === 1) return 10 + view.getUint16(8, true);
  if ((version !== 2 && version !== 3) || prelude.length < NPY_PRELUDE) {
    return fail(`its .npy version is ${version}; known are 1, 2 and 3`);
  }
  const length = view.getUint32(8, true);
  if (length > MAX_HEADER) return fail(`its header is said to have ${length} bytes; it is damaged`);
  return NPY_PRELUDE + length;
}

/** `bytes` are the whole header, as long as `npyHeaderLength` says. */
export function parseNpyHeader(bytes: Uint8Array, fail: Fail): NpyHeader {
  const encoding = bytes[6] === 3 ? 'utf-8' : 'latin1';
  const text = new TextDecoder(encoding).decode(bytes.subarray(bytes[6] === 1 ? 10 : NPY_PRELUDE));
  const field = (name: string, value: string): string | undefined =>
    new RegExp(`['"]${name}['"]\\s*:\\s*${value}`).exec(text)?.[1];
  const order = field('fortran_order', '(True|False)');
  const dims = field('shape', String.raw`\(([\d\s,L]*)\)`);
  const code = field('descr', `['"]([^'"]*)['"]`);
  if (order === undefined || dims === undefined || !/^\s*\{.*\}\s*$/s.test(text)) {
    return fail('its header is damaged');
  }
  if (code === undefined) {
    return fail('it holds records; save their fields as arrays of their own', 'refused');
  }
  const [, sign, type] = /^([<>|=]?)(.*)$/.exec(code)!;
  const dtype = dtypes.get(type!);
  if (type!.startsWith('O')) {
    return fail(
      'it holds Python objects, pickled, and nothing is executed here; save numeric arrays',
      'refused',
    );
  }
  if (!dtype) {
    return fail(
      `its dtype '${code}' has no counterpart here; known are ${[...dtypes.keys()].join(', ')}`,
      'refused',
    );
  }
  const shape = dims
    .split(',')
    .map((dim) => dim.trim().replace(/L$/, ''))
    .filter((dim) => dim !== '')
    .map(Number);
  if (Number.isNaN(elementsOf(shape)) || shape.some((dim) => !Number.isSafeInteger(dim))) {
    return fail(`its shape (${dims}) is damaged`);
  }
  return {
    dtype,
    shape,
    bigEndian: sign === '>',
    fortranOrder: order === 'True',
    dataStart: bytes.length,
  };
}

/** What was stored in the file's order, in C order and this machine's bytes. */
export function arrangeNpy(data: StoredData, header: NpyHeader): StoredData {
  if (header.bigEndian) swapBytes(data);
  if (!header.fortranOrder || header.shape.length < 2) return data;
  let stride = 1;
  const strides = header.shape.map((length) => {
    const own = stride;
    stride *= length;
    return own;
  });
  return gather(data, header.shape, strides);
}

/** A single array; its name is `array`. */
export async function openNpy(source: ByteSource): Promise<WeightsFile> {
  const fail = failing(source.name);
  const prelude = await readBytes(source, 0, Math.min(NPY_PRELUDE, source.size), 'its start');
  const length = npyHeaderLength(prelude, fail);
  const header = parseNpyHeader(await readBytes(source, 0, length, 'its header'), fail);
  const { dtype, shape, dataStart } = header;
  const bytes = bytesOf(dtype, shape);
  if (dataStart + bytes > source.size) {
    fail(
      `${dtype} [${shape.join(', ')}] takes ${bytes} bytes, but ${source.size - dataStart} follow the header; it is cut off`,
    );
  }
  const load = async (): Promise<StoredData> =>
    arrangeNpy(await loadRange(source, dtype, dataStart, bytes, 'the array'), header);
  return new WeightsFile({
    format: 'npy',
    file: source.name,
    layout: 'pytorch',
    entries: new Map([['array', { dtype, shape, load }]]),
    prefetch: source.prefetch?.bind(source),
    close: () => source.close(),
  });
}

/** The bytes of a .npy file of version 1, C order, little-endian. */
export function serializeNpy({ dtype, shape, data }: StoredTensor, fail: Fail): Uint8Array {
  const code = codes.get(dtype);
  if (!code) return fail(`NumPy has no ${dtype}; convert it, or write safetensors`);
  if (elementsOf(shape) !== data.length) {
    return fail(
      `shape [${shape.join(', ')}] has ${elementsOf(shape)} elements, got ${data.length}`,
    );
  }
  const sign = data.BYTES_PER_ELEMENT === 1 ? '|' : '<';
  const dims = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`;
  const text = `{'descr': '${sign}${code}', 'fortran_order': False, 'shape': ${dims}, }`;
  // The elements begin at a multiple of 64, after a line feed.
  const start = Math.ceil((10 + text.length + 1) / 64) * 64;
  const bytes = new Uint8Array(start + data.byteLength);
  bytes.set(new TextEncoder().encode(`\u0000NUMPY\u0001\u0000`));
  bytes[0] = 0x93;
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(`${text.padEnd(start - 11)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return bytes;
}
