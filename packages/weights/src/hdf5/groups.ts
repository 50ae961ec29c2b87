// The members of a group: a symbol table in old files, link messages or an index of links in new ones.

import { openFractalHeap, readLocalHeap, readTree } from './heaps.ts';
import type { Message } from './objects.ts';
import type { Cursor } from './cursor.ts';
import type { Hdf5Storage } from './storage.ts';

const LINK_INFO = 0x02;
const LINK = 0x06;
const SYMBOL_TABLE = 0x11;
const MAX_DEPTH = 32;

/** Names and the addresses of object headers. Soft and external links are left out: they lead to what is there anyway, or away. */
export async function readLinks(
  storage: Hdf5Storage,
  messages: readonly Message[],
): Promise<Map<string, number>> {
  const links = new Map<string, number>();
  for (const { type, bytes } of messages) {
    if (type === SYMBOL_TABLE) await readSymbolTable(storage, storage.of(bytes), links);
    else if (type === LINK) readLink(storage, storage.of(bytes), links);
    else if (type === LINK_INFO) await readIndexed(storage, storage.of(bytes), links);
  }
  return links;
}

function readLink(storage: Hdf5Storage, cursor: Cursor, links: Map<string, number>): void {
  cursor.expectVersion(1, 'a link');
  const flags = cursor.uint8();
  const kind = flags & 8 ? cursor.uint8() : 0;
  if (flags & 4) cursor.skip(8);
  if (flags & 0x10) cursor.skip(1);
  const name = new TextDecoder().decode(cursor.take(cursor.uint(1 << (flags & 3))));
  if (kind !== 0) return;
  const address = cursor.offset();
  if (address === null) storage.fail(`the link '${name}' leads nowhere; the file is damaged`);
  else links.set(name, address);
}

async function readIndexed(
  storage: Hdf5Storage,
  cursor: Cursor,
  links: Map<string, number>,
): Promise<void> {
  cursor.expectVersion(0, 'a description of links');
  const flags = cursor.uint8();
  if (flags & 1) cursor.skip(8);
  const heapAddress = cursor.offset();
  const names = cursor.offset();
  if (heapAddress === null || names === null) return;
  const ordered = flags & 2 ? cursor.offset() : null;
  const heap = await openFractalHeap(storage, heapAddress);
  const records = await readTree(storage, ordered ?? names);
  for (const record of records) {
    // By creation order: 8 bytes, then the id. By name: a hash of 4, then the id.
    const id = record.subarray(ordered === null ? 4 : 8);
    readLink(storage, storage.of(await heap.read(id)), links);
  }
}

async function readSymbolTable(
  storage: Hdf5Storage,
  cursor: Cursor,
  links: Map<string, number>,
): Promise<void> {
  const tree = cursor.offset();
  const heap = cursor.offset();
  if (tree === null || heap === null)
    return storage.fail('a group is nowhere; the file is damaged');
  const names = await readLocalHeap(storage, heap);
  const visited = new Set<number>();
  const { offset, length } = storage.sizes;
  const visit = async (address: number, depth: number): Promise<void> => {
    if (visited.has(address) || depth > MAX_DEPTH)
      storage.fail('a group goes round in a circle; it is damaged');
    visited.add(address);
    const head = await storage.cursor(address, 8 + 2 * offset, 'a group');
    if (head.bytes[0] === 0x53) return readNode(address);
    head.expect('TREE');
    if (head.uint8() !== 0) storage.fail("a group's index is damaged");
    head.skip(1);
    const count = head.uint16();
    const entries = await storage.cursor(
      address + 8 + 2 * offset,
      length + count * (offset + length),
      'a group',
    );
    for (let i = 0; i < count; i++) {
      entries.length();
      const child = entries.offset();
      if (child === null) storage.fail("a group's index leads nowhere; it is damaged");
      else await visit(child, depth + 1);
    }
    return undefined;
  };
  const readNode = async (address: number): Promise<void> => {
    const head = await storage.cursor(address, 8, 'a group');
    head.expect('SNOD');
    head.skip(2);
    const count = head.uint16();
    const size = 2 * offset + 24;
    const entries = await storage.cursor(address + 8, count * size, 'a group');
    for (let i = 0; i < count; i++) {
      entries.at = i * size;
      names.at = entries.offset() ?? 0;
      const header = entries.offset();
      const kind = entries.uint32();
      // 2 is a soft link.
      if (kind === 2) continue;
      if (names.left <= 0 || header === null) storage.fail('a member of a group is damaged');
      else links.set(names.cString(), header);
    }
  };
  await visit(tree, 0);
  return undefined;
}
