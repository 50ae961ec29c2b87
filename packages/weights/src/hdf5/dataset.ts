// The elements of a data set: in one run, or in chunks, which filters may have packed.

import { failing, type Fail } from '../errors.ts';
import { expectPlausible, inflateInto } from '../formats/inflate.ts';
import { allocate, memorySource } from '../sources/source.ts';
import {
  bytesOf,
  elementsOf,
  swapBytes,
  viewAs,
  type StoredData,
  type StoredDtype,
} from '../tensors.ts';
import {
  readDataspace,
  readDatatype,
  readFillValue,
  readFilters,
  readLayout,
  type DataLayout,
  type Filter,
} from './messages.ts';
import type { Message } from './objects.ts';
import type { Hdf5Storage } from './storage.ts';

export interface Dataset {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly bigEndian: boolean;
  readonly layout: DataLayout;
  readonly filters: readonly Filter[];
  /** What stands for elements that were never written; null for zeros. */
  readonly fill: Uint8Array | null;
}

const DATASPACE = 0x01;
const DATATYPE = 0x03;
const FILL_VALUE = 0x05;
const LAYOUT = 0x08;
const FILTERS = 0x0b;
const [DEFLATE, SHUFFLE, FLETCHER32] = [1, 2, 3];
const MAX_DEPTH = 32;

export function isDataset(messages: readonly Message[]): boolean {
  return messages.some(({ type }) => type === LAYOUT);
}

/** What the messages of a data set say. `where` names it in errors; numbers only, anything else is `refused`. */
export function describeDataset(
  storage: Hdf5Storage,
  messages: readonly Message[],
  where: string,
): Dataset {
  const fail = failing(`${storage.source.name}: ${where}`);
  const message = (type: number): Message | undefined => {
    const found = messages.find((item) => item.type === type);
    if (found?.shared)
      fail('its description is shared with other objects, which is not read', 'refused');
    return found;
  };
  const [space, type, layout] = [message(DATASPACE), message(DATATYPE), message(LAYOUT)];
  if (!space || !type || !layout)
    return fail('a part of its description is missing; the file is damaged');
  const datatype = readDatatype(storage.of(type.bytes));
  if (datatype.kind !== 'number') {
    const what = datatype.kind === 'other' ? datatype.what : 'texts';
    return fail(`it holds ${what}, which are not read`, 'refused');
  }
  const shape = readDataspace(storage.of(space.bytes), fail);
  if (shape === null) return fail('it is empty', 'refused');
  if (Number.isNaN(bytesOf(datatype.dtype, shape)))
    return fail(`its shape [${shape.join(', ')}] is damaged`);
  const pipeline = message(FILTERS);
  const filters = pipeline ? readFilters(storage.of(pipeline.bytes), fail) : [];
  for (const { id } of filters) {
    if (![DEFLATE, SHUFFLE, FLETCHER32].includes(id)) {
      fail(
        `it is packed by filter ${id}; known are 1 (deflate), 2 (shuffle) and 3 (fletcher32)`,
        'refused',
      );
    }
  }
  const filling = message(FILL_VALUE);
  const fill = filling ? readFillValue(storage.of(filling.bytes), fail) : null;
  if (fill && fill.length !== datatype.size)
    return fail('its fill value is no element; the file is damaged');
  return { ...datatype, shape, layout: readLayout(storage.of(layout.bytes), fail), filters, fill };
}

export async function readDataset(
  storage: Hdf5Storage,
  dataset: Dataset,
  where: string,
): Promise<StoredData> {
  const what = `${storage.source.name}: ${where}`;
  const fail = failing(what);
  const { dtype, shape, layout, bigEndian, fill } = dataset;
  const size = bytesOf(dtype, shape);
  let bytes: Uint8Array;
  if (layout.kind === 'compact') {
    if (layout.bytes.length < size)
      fail(`it takes ${size} bytes, but ${layout.bytes.length} are there`);
    bytes = layout.bytes.slice(0, size);
  } else if (layout.kind === 'contiguous') {
    if (layout.size < size)
      fail(`it takes ${size} bytes, but ${layout.size} are there; the file is damaged`);
    expectStored(layout.address === null, size, fail);
    if (layout.address !== null && layout.address + size > storage.source.size) {
      fail('it lies outside the file, which is cut off or damaged');
    }
    bytes = allocate(size, what);
    if (layout.address !== null) await storage.readInto(bytes, layout.address, where);
    else if (fill) repeat(fill, bytes);
  } else {
    bytes = await readChunks(storage, dataset, layout, fail, what);
  }
  const data = viewAs(dtype, bytes);
  if (bigEndian) swapBytes(data);
  return data;
}

/** Elements that are not stored cost nothing to announce: only few are believed. */
function expectStored(absent: boolean, size: number, fail: Fail): void {
  if (absent && size > 1 << 20) fail(`its ${size} bytes were never written`, 'refused');
}

function repeat(element: Uint8Array, target: Uint8Array): void {
  for (let at = 0; at < target.length; at += element.length) target.set(element, at);
}

interface Chunk {
  /** In elements. */
  readonly start: readonly number[];
  readonly address: number;
  /** As stored, packed. */
  readonly size: number;
  /** A set bit: this filter was left out. */
  readonly mask: number;
}

async function readChunks(
  storage: Hdf5Storage,
  dataset: Dataset,
  layout: DataLayout & { kind: 'chunked' },
  fail: Fail,
  what: string,
): Promise<Uint8Array> {
  const { dtype, shape, filters, fill } = dataset;
  const { chunk } = layout;
  if (chunk.length !== shape.length || chunk.some((length) => !(length > 0))) {
    return fail('its chunks do not fit its shape; the file is damaged');
  }
  const width = bytesOf(dtype, []);
  const chunkBytes = bytesOf(dtype, chunk);
  const chunks = await listChunks(storage, dataset, layout, chunkBytes, fail);
  const packed = chunks.reduce((sum, { size }) => sum + size, 0);
  const size = bytesOf(dtype, shape);
  // Bounds before memory: chunks that overlap the end of an axis may be larger than the whole.
  expectPlausible(size, packed + 1024, fail);
  if (Number.isNaN(chunkBytes)) return fail('its chunks are damaged');
  const target = allocate(size, what);
  if (fill) repeat(fill, target);
  for (const item of chunks) {
    expectPlausible(chunkBytes, item.size, fail);
    const stored = await storage.bytes(item.address, item.size, 'a chunk');
    const bytes = await unfilter(stored, filters, item.mask, { width, chunkBytes, fail });
    copyChunk(bytes, chunk, item.start, target, shape, width);
  }
  return target;
}

interface ChunkSizes {
  readonly width: number;
  readonly chunkBytes: number;
  readonly fail: Fail;
}

async function unfilter(
  stored: Uint8Array,
  filters: readonly Filter[],
  mask: number,
  { width, chunkBytes, fail }: ChunkSizes,
): Promise<Uint8Array> {
  let bytes = stored;
  // Undone in reverse.
  for (const [i, { id, values }] of [...filters.entries()].toReversed()) {
    if (mask & (1 << i)) continue;
    if (id === FLETCHER32) bytes = withoutChecksum(bytes, fail);
    else if (id === DEFLATE) {
      // A checksum that was added before stays behind the elements.
      const later = filters.slice(0, i).some((filter) => filter.id === FLETCHER32) ? 4 : 0;
      const target = new Uint8Array(chunkBytes + later);
      const deflated = { format: 'deflate', offset: 0, packed: bytes.length } as const;
      await inflateInto(target, memorySource(bytes, 'a chunk'), deflated, fail);
      bytes = target;
    } else bytes = unshuffle(bytes, values[0] ?? width);
  }
  if (bytes.length < chunkBytes) return fail('a chunk is too short; the file is damaged');
  return bytes;
}

/** Checks and takes off Fletcher's checksum of 32 bits, which is kept at the end. */
function withoutChecksum(stored: Uint8Array, fail: Fail): Uint8Array {
  if (stored.length < 4) return fail('a chunk is too short; the file is damaged');
  const bytes = stored.subarray(0, -4);
  let low = 0;
  let high = 0;
  // Words of 16 bits, high byte first; sums modulo 65535.
  for (let i = 0; i < bytes.length; i += 2) {
    low = (low + ((bytes[i]! << 8) | (bytes[i + 1] ?? 0))) % 65535;
    high = (high + low) % 65535;
  }
  const view = new DataView(stored.buffer, stored.byteOffset + bytes.length, 4);
  const [keptLow, keptHigh] = [view.getUint16(0, true), view.getUint16(2, true)];
  // 65535 stands for 0 there.
  if (keptLow % 65535 !== low || keptHigh % 65535 !== high)
    return fail('the checksum of a chunk is wrong; the file is damaged');
  return bytes;
}

/** Bytes were sorted by their place in the element: first all first ones. */
function unshuffle(bytes: Uint8Array, width: number): Uint8Array {
  const result = new Uint8Array(bytes);
  if (width <= 1 || width > bytes.length) return result;
  const count = Math.floor(bytes.length / width);
  for (let byte = 0; byte < width; byte++) {
    for (let i = 0; i < count; i++) result[i * width + byte] = bytes[byte * count + i]!;
  }
  return result;
}

/** Copies the part of a chunk that lies within the data set, row by row. */
function copyChunk(
  bytes: Uint8Array,
  chunk: readonly number[],
  start: readonly number[],
  target: Uint8Array,
  shape: readonly number[],
  width: number,
): void {
  const counts = chunk.map((length, axis) => Math.min(length, shape[axis]! - start[axis]!));
  if (counts.some((count) => count <= 0)) return;
  const last = shape.length - 1;
  const index = shape.map(() => 0);
  const row = (counts[last] ?? 1) * width;
  for (;;) {
    let from = 0;
    let to = 0;
    for (let axis = 0; axis <= last; axis++) {
      from = from * chunk[axis]! + index[axis]!;
      to = to * shape[axis]! + start[axis]! + index[axis]!;
    }
    target.set(bytes.subarray(from * width, from * width + row), to * width);
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      if (++index[axis]! < counts[axis]!) break;
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

async function listChunks(
  storage: Hdf5Storage,
  { shape, filters }: Dataset,
  { chunk, index }: DataLayout & { kind: 'chunked' },
  chunkBytes: number,
  fail: Fail,
): Promise<Chunk[]> {
  const { address } = index;
  if (address === null) return [];
  const perAxis = shape.map((length, axis) => Math.ceil(length / chunk[axis]!));
  const total = elementsOf(perAxis);
  // Even an address alone takes bytes in the file.
  if (!(total <= storage.source.size)) return fail('it has more chunks than the file can hold');
  const startOf = (ordinal: number): number[] => {
    const start: number[] = [];
    let rest = ordinal;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      start.unshift((rest % perAxis[axis]!) * chunk[axis]!);
      rest = Math.floor(rest / perAxis[axis]!);
    }
    return start;
  };
  switch (index.kind) {
    case 'single':
      return [
        { start: shape.map(() => 0), address, size: index.size ?? chunkBytes, mask: index.mask },
      ];
    case 'implicit':
      return Array.from({ length: total }, (_, i) => ({
        start: startOf(i),
        address: address + i * chunkBytes,
        size: chunkBytes,
        mask: 0,
      }));
    case 'fixed array': {
      const entries = await readFixedArray(storage, address, total, filters.length > 0, chunkBytes);
      return entries.flatMap((entry, i) => (entry ? [{ start: startOf(i), ...entry }] : []));
    }
    case 'tree':
      return readChunkTree(storage, address, shape.length, total);
    default:
      return index satisfies never;
  }
}

async function readChunkTree(
  storage: Hdf5Storage,
  root: number,
  rank: number,
  most: number,
): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  const visited = new Set<number>();
  const { offset } = storage.sizes;
  const keySize = 8 + 8 * (rank + 1);
  const visit = async (address: number, depth: number): Promise<void> => {
    if (visited.has(address) || depth > MAX_DEPTH)
      storage.fail('an index of chunks goes round in a circle');
    visited.add(address);
    const head = await storage.cursor(address, 8 + 2 * offset, 'an index of chunks');
    head.expect('TREE');
    if (head.uint8() !== 1) storage.fail('an index of chunks is damaged');
    const level = head.uint8();
    const count = head.uint16();
    const entries = await storage.cursor(
      address + 8 + 2 * offset,
      count * (keySize + offset),
      'an index of chunks',
    );
    for (let i = 0; i < count; i++) {
      const size = entries.uint32();
      const mask = entries.uint32();
      const start = Array.from({ length: rank }, () => entries.uint(8));
      entries.skip(8);
      const child = entries.offset();
      if (child === null) storage.fail('an index of chunks leads nowhere');
      else if (level > 0) await visit(child, depth + 1);
      else chunks.push({ start, address: child, size, mask });
      if (chunks.length > most)
        storage.fail('a data set has more chunks than its shape; it is damaged');
    }
  };
  await visit(root, 0);
  return chunks;
}

type Place = Omit<Chunk, 'start'>;

async function readFixedArray(
  storage: Hdf5Storage,
  address: number,
  total: number,
  filtered: boolean,
  chunkBytes: number,
): Promise<(Place | null)[]> {
  const head = await storage.window(address, 64, 'an index of chunks');
  head.expect('FAHD');
  head.expectVersion(0, 'an index of chunks');
  head.skip(1);
  const entrySize = head.uint8();
  const pageBits = head.uint8();
  const count = head.length();
  const block = head.offset();
  const { offset } = storage.sizes;
  if (block === null) return [];
  if (count < total || entrySize < offset + (filtered ? 5 : 0) || pageBits > 30) {
    return storage.fail('an index of chunks is damaged');
  }
  const dataHead = 6 + offset;
  const mark = await storage.cursor(block, dataHead, 'an index of chunks');
  mark.expect('FADB');
  const read = (cursor: ReturnType<Hdf5Storage['of']>): Place | null => {
    const place = cursor.offset();
    const size = filtered ? cursor.uint(entrySize - offset - 4) : chunkBytes;
    const mask = filtered ? cursor.uint32() : 0;
    return place === null ? null : { address: place, size, mask };
  };
  const perPage = 2 ** pageBits;
  const places: (Place | null)[] = [];
  if (count <= perPage) {
    const entries = await storage.cursor(block + dataHead, count * entrySize, 'an index of chunks');
    for (let i = 0; i < total; i++) places.push(read(entries));
    return places;
  }
  // Pages, each with a checksum; a bit map tells which were written.
  const pages = Math.ceil(count / perPage);
  const bitBytes = Math.ceil(pages / 8);
  const bits = await storage.bytes(block + dataHead, bitBytes, 'an index of chunks');
  let at = block + dataHead + bitBytes + 4;
  for (let page = 0; page < pages && places.length < total; page++) {
    const length = Math.min(perPage, count - page * perPage);
    const written = (bits[page >> 3]! >> (7 - (page & 7))) & 1;
    const entries = written
      ? await storage.cursor(at, length * entrySize, 'an index of chunks')
      : null;
    for (let i = 0; i < length && places.length < total; i++)
      places.push(entries ? read(entries) : null);
    at += length * entrySize + 4;
  }
  return places;
}
