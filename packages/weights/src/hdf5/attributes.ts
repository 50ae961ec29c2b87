// Attributes: small named values at groups and data sets. Numbers and texts are read, anything else is left out.

import { elementsOf, swapBytes, viewAs, type StoredData } from '../tensors.ts';
import type { Cursor } from './cursor.ts';
import { openFractalHeap, readGlobalHeap, readTree } from './heaps.ts';
import { readDataspace, readDatatype, type Datatype } from './messages.ts';
import type { Message } from './objects.ts';
import type { Hdf5Storage } from './storage.ts';

/** Texts, or numbers, one an element. */
export type AttributeValue = readonly string[] | StoredData;

const ATTRIBUTE = 0x0c;
const ATTRIBUTE_INFO = 0x15;
const MAX_ELEMENTS = 1 << 20;

export async function readAttributes(
  storage: Hdf5Storage,
  messages: readonly Message[],
): Promise<Map<string, AttributeValue>> {
  const attributes = new Map<string, AttributeValue>();
  for (const { type, shared, bytes } of messages) {
    if (shared) continue;
    if (type === ATTRIBUTE) await readAttribute(storage, storage.of(bytes), attributes);
    else if (type === ATTRIBUTE_INFO) {
      const cursor = storage.of(bytes);
      cursor.expectVersion(0, 'a description of attributes');
      if (cursor.uint8() & 1) cursor.skip(2);
      const heapAddress = cursor.offset();
      const names = cursor.offset();
      if (heapAddress === null || names === null) continue;
      const heap = await openFractalHeap(storage, heapAddress);
      for (const record of await readTree(storage, names)) {
        await readAttribute(
          storage,
          storage.of(await heap.read(record.subarray(0, 8))),
          attributes,
        );
      }
    }
  }
  return attributes;
}

async function readAttribute(
  storage: Hdf5Storage,
  cursor: Cursor,
  attributes: Map<string, AttributeValue>,
): Promise<void> {
  const version = cursor.uint8();
  if (version < 1 || version > 3)
    return storage.fail(`an attribute of version ${version} cannot be read`);
  const flags = cursor.uint8();
  const [nameSize, typeSize, spaceSize] = [cursor.uint16(), cursor.uint16(), cursor.uint16()];
  if (version === 3) cursor.skip(1);
  const part = (size: number): Uint8Array => {
    const bytes = cursor.take(size);
    if (version === 1) cursor.skip(Math.min((8 - (size % 8)) % 8, cursor.left));
    return bytes;
  };
  const name = storage.of(part(nameSize)).cString();
  const typeBytes = part(typeSize);
  const spaceBytes = part(spaceSize);
  // Types and extents that are shared with other objects.
  if (version > 1 && (flags & 3) !== 0) return undefined;
  const type = readDatatype(storage.of(typeBytes));
  const shape = readDataspace(storage.of(spaceBytes), storage.fail);
  if (shape === null) return undefined;
  const count = elementsOf(shape);
  if (!(count <= MAX_ELEMENTS))
    return storage.fail(`the attribute '${name}' has too many elements; it is damaged`);
  const value = await valuesOf(storage, cursor, type, count);
  if (value) attributes.set(name, value);
  return undefined;
}

async function valuesOf(
  storage: Hdf5Storage,
  cursor: Cursor,
  type: Datatype,
  count: number,
): Promise<AttributeValue | null> {
  switch (type.kind) {
    case 'number': {
      const data = viewAs(type.dtype, cursor.take(count * type.size).slice());
      if (type.bigEndian) swapBytes(data);
      return data;
    }
    case 'string':
      return Array.from({ length: count }, () => textOf(cursor.take(type.size)));
    case 'variable string': {
      const texts: string[] = [];
      for (let i = 0; i < count; i++) {
        const length = cursor.uint32();
        const heap = cursor.offset();
        const index = cursor.uint32();
        const nothing = length === 0 || heap === null;
        texts.push(nothing ? '' : textOf(await readGlobalHeap(storage, heap, index, length)));
      }
      return texts;
    }
    case 'other':
      return null;
    default:
      return type satisfies never;
  }
}

/** Without what fills it up: zero bytes, or spaces. */
function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes).replace(/[\0 ]+$/, '');
}
