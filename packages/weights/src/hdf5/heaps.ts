// Where HDF5 keeps what has no fixed length: names of old groups (local heaps), texts (global heaps), and the links and
// attributes of large objects (fractal heaps, found through version 2 B-trees).

import type { Cursor } from './cursor.ts';
import type { Hdf5Storage } from './storage.ts';

/** The names in an old group. */
export async function readLocalHeap(storage: Hdf5Storage, address: number): Promise<Cursor> {
  const head = await storage.window(address, 64, 'a heap of names');
  head.expect('HEAP');
  head.skip(4);
  const size = head.length();
  head.length();
  const data = head.offset() ?? storage.fail('a heap of names is nowhere');
  return storage.cursor(data, size, 'a heap of names');
}

/** A text of a global heap. */
export async function readGlobalHeap(
  storage: Hdf5Storage,
  address: number,
  index: number,
  length: number,
): Promise<Uint8Array> {
  const head = await storage.window(address, 32, 'a heap of texts');
  head.expect('GCOL');
  head.skip(4);
  const size = head.length();
  const objects = await storage.cursor(address, size, 'a heap of texts');
  objects.skip(head.at);
  while (objects.left >= 16) {
    const found = objects.uint16();
    objects.skip(6);
    const bytes = objects.length();
    if (found === 0) break;
    if (found === index) return objects.take(Math.min(bytes, length));
    objects.skip(Math.min(Math.ceil(bytes / 8) * 8, objects.left));
  }
  return storage.fail('a text is missing; the file is damaged');
}

/** How many bytes numbers up to `most` take. */
function bytesFor(most: number): number {
  return Math.max(1, Math.ceil((Math.floor(Math.log2(Math.max(most, 1))) + 1) / 8));
}

/** Records of a version 2 B-tree, each as its bytes, in their order. */
export async function readTree(storage: Hdf5Storage, address: number): Promise<Uint8Array[]> {
  const head = await storage.window(address, 64, 'an index');
  head.expect('BTHD');
  head.expectVersion(0, 'an index');
  head.skip(1);
  const nodeSize = head.uint32();
  const recordSize = head.uint16();
  const depth = head.uint16();
  head.skip(2);
  const root = head.offset();
  const rootRecords = head.uint16();
  head.length();
  if (root === null || rootRecords === 0) return [];
  if (recordSize === 0 || nodeSize < recordSize + 10 || depth > 16) {
    return storage.fail('an index is damaged');
  }
  // How wide the counts in inner nodes are follows from how many records the levels below can hold.
  const leafMost = Math.floor((nodeSize - 10) / recordSize);
  const width = bytesFor(leafMost);
  const most = [leafMost];
  const totalWidth: number[] = [0];
  for (let level = 1; level <= depth; level++) {
    const pointer = storage.sizes.offset + width + totalWidth[level - 1]!;
    const own = Math.floor((nodeSize - 10 - pointer) / (recordSize + pointer));
    const total = own + (own + 1) * most[level - 1]!;
    most.push(total);
    totalWidth.push(bytesFor(total));
  }
  const records: Uint8Array[] = [];
  const visited = new Set<number>();
  const visit = async (node: number, count: number, level: number): Promise<void> => {
    if (visited.has(node)) storage.fail('an index goes round in a circle; it is damaged');
    visited.add(node);
    const cursor = await storage.cursor(node, nodeSize, 'an index');
    cursor.expect(level === 0 ? 'BTLF' : 'BTIN');
    cursor.skip(2);
    const own = Array.from({ length: count }, () => cursor.take(recordSize));
    if (level === 0) {
      records.push(...own);
      return;
    }
    for (let i = 0; i <= count; i++) {
      const child = cursor.offset() ?? storage.fail('an index leads nowhere; it is damaged');
      const childCount = cursor.uint(width);
      if (level > 1) cursor.skip(totalWidth[level - 1]!);
      await visit(child, childCount, level - 1);
      if (i < count) records.push(own[i]!);
    }
  };
  await visit(root, rootRecords, depth);
  return records;
}

/** Objects of a fractal heap by their ids. */
export interface FractalHeap {
  read(id: Uint8Array): Promise<Uint8Array>;
}

export async function openFractalHeap(storage: Hdf5Storage, address: number): Promise<FractalHeap> {
  const { fail } = storage;
  const head = await storage.window(address, 256, 'a heap');
  head.expect('FRHP');
  head.expectVersion(0, 'a heap');
  head.skip(2);
  const filters = head.uint16();
  const flags = head.uint8();
  const largestObject = head.uint32();
  head.length();
  head.offset();
  head.length();
  head.offset();
  for (let i = 0; i < 8; i++) head.length();
  const width = head.uint16();
  const startSize = head.length();
  const largestBlock = head.length();
  const heapBits = head.uint16();
  head.skip(2);
  const root = head.offset();
  const rows = head.uint16();
  if (filters !== 0) fail('a heap that is packed cannot be read', 'refused');
  if (
    !(startSize > 0) ||
    !(largestBlock >= startSize) ||
    width === 0 ||
    heapBits > 64 ||
    rows > 64
  ) {
    fail('a heap is damaged');
  }
  const offsetWidth = Math.ceil(heapBits / 8);
  const limit = Math.min(largestBlock, largestObject);
  const lengthWidth = bytesFor(limit);
  const directRows = Math.log2(largestBlock) - Math.log2(startSize) + 2;
  const blockSize = (row: number): number => (row < 2 ? startSize : startSize * 2 ** (row - 1));
  const blockHead = 5 + storage.sizes.offset + offsetWidth + ((flags & 2) !== 0 ? 4 : 0);

  /** The direct block that holds a place in the heap's space. */
  const find = async (place: number): Promise<{ address: number; start: number; size: number }> => {
    if (root === null) return fail('a heap has no data; it is damaged');
    if (rows === 0) return { address: root, start: 0, size: startSize };
    let [node, start, nodeRows] = [root, 0, rows];
    for (let depth = 0; depth < 16; depth++) {
      const entries = await storage.cursor(
        node,
        5 + storage.sizes.offset + offsetWidth + nodeRows * width * storage.sizes.offset,
        'a heap',
      );
      entries.expect('FHIB');
      entries.skip(1 + storage.sizes.offset + offsetWidth);
      let at = start;
      let next: { address: number; start: number; row: number } | null = null;
      for (let row = 0; row < nodeRows && !next; row++) {
        const size = blockSize(row);
        for (let column = 0; column < width; column++) {
          const child = entries.offset();
          if (place >= at && place < at + size) {
            if (child === null) return fail('a heap lacks a block; it is damaged');
            next = { address: child, start: at, row };
            break;
          }
          at += size;
        }
      }
      if (!next) return fail('a place lies outside its heap; the file is damaged');
      if (next.row < directRows)
        return { address: next.address, start: next.start, size: blockSize(next.row) };
      node = next.address;
      start = next.start;
      nodeRows = Math.log2(blockSize(next.row)) - Math.log2(startSize * width) + 1;
      if (!(nodeRows > 0 && nodeRows <= 64)) return fail('a heap is damaged');
    }
    return fail('a heap is too deep; it is damaged');
  };

  return {
    async read(id) {
      const cursor = storage.of(id);
      const kind = (cursor.uint8() >> 4) & 3;
      if (kind === 2) return cursor.take((id[0]! & 0x0f) + 1);
      if (kind !== 0) return fail('an object too large for its heap cannot be read', 'refused');
      const place = cursor.uint(offsetWidth);
      const length = cursor.uint(lengthWidth);
      const { address: block, start, size } = await find(place);
      const mark = await storage.cursor(block, blockHead, 'a heap');
      mark.expect('FHDB');
      if (place - start + length > size)
        return fail('an object lies outside its heap; the file is damaged');
      return storage.bytes(block + place - start, length, 'an object in a heap');
    },
  };
}
