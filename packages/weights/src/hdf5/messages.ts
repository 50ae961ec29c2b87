// What the messages in an object header say: types, extents, layouts, filters.

import type { Fail } from '../errors.ts';
import type { StoredDtype } from '../tensors.ts';
import type { Cursor } from './cursor.ts';

export type Datatype =
  | {
      readonly kind: 'number';
      readonly dtype: StoredDtype;
      readonly size: number;
      readonly bigEndian: boolean;
    }
  | { readonly kind: 'string'; readonly size: number; readonly padding: number }
  | { readonly kind: 'variable string'; readonly size: number }
  | { readonly kind: 'other'; readonly size: number; readonly what: string };

const classes = [
  'integers',
  'floats',
  'times',
  'texts',
  'bit fields',
  'opaque data',
  'records',
  'references',
  'enumerations',
  'lists of varying length',
  'arrays',
];

export function readDatatype(cursor: Cursor): Datatype {
  const first = cursor.uint8();
  const bits = [cursor.uint8(), cursor.uint8(), cursor.uint8()] as const;
  const size = cursor.uint32();
  const bigEndian = (bits[0] & 1) === 1;
  const number = (dtype: StoredDtype | undefined): Datatype =>
    dtype
      ? { kind: 'number', dtype, size, bigEndian }
      : { kind: 'other', size, what: `numbers of ${size} bytes` };
  switch (first & 0x0f) {
    case 0: {
      const signed = (bits[0] & 8) !== 0;
      cursor.skip(4);
      const widths: Record<number, StoredDtype> = signed
        ? { 1: 'int8', 2: 'int16', 4: 'int32', 8: 'int64' }
        : { 1: 'uint8', 2: 'uint16', 4: 'uint32', 8: 'uint64' };
      return number(widths[size]);
    }
    case 1: {
      cursor.skip(5);
      const exponent = cursor.uint8();
      cursor.skip(6);
      const known: Record<string, StoredDtype> = {
        '2/5': 'float16',
        '2/8': 'bfloat16',
        '4/8': 'float32',
        '8/11': 'float64',
      };
      return number(known[`${size}/${exponent}`]);
    }
    case 3:
      return { kind: 'string', size, padding: bits[0] & 0x0f };
    case 8: {
      // NumPy's booleans are an enumeration over bytes.
      const base = readDatatype(cursor);
      const boolean = base.kind === 'number' && base.size === 1 && (bits[0] | (bits[1] << 8)) === 2;
      return boolean ? number('bool') : { kind: 'other', size, what: 'enumerations' };
    }
    case 9:
      return (bits[0] & 0x0f) === 1
        ? { kind: 'variable string', size }
        : { kind: 'other', size, what: classes[9]! };
    default:
      return { kind: 'other', size, what: classes[first & 0x0f] ?? 'data of an unknown kind' };
  }
}

/** The lengths of the axes; null where there is no element at all. */
export function readDataspace(cursor: Cursor, fail: Fail): number[] | null {
  const version = cursor.uint8();
  const rank = cursor.uint8();
  cursor.skip(1);
  if (version !== 1 && version !== 2)
    return fail(`a dataspace of version ${version} cannot be read`);
  if (version === 1) cursor.skip(5);
  else if (cursor.uint8() === 2) return null;
  if (rank > 32) return fail(`a dataspace has ${rank} axes; it is damaged`);
  return Array.from({ length: rank }, () => cursor.length());
}

/** The bytes of an element that was never written; null where that is zeros. */
export function readFillValue(cursor: Cursor, fail: Fail): Uint8Array | null {
  const version = cursor.uint8();
  if (version < 1 || version > 3) return fail(`a fill value of version ${version} cannot be read`);
  const flags = cursor.uint8();
  let defined = (flags & 0x20) !== 0;
  if (version < 3) {
    cursor.skip(1);
    defined = cursor.uint8() === 1;
  }
  if (!defined) return null;
  const bytes = cursor.take(cursor.uint32());
  return bytes.some((byte) => byte !== 0) ? bytes : null;
}

type ChunkIndex =
  | { readonly kind: 'tree'; readonly address: number | null }
  | {
      readonly kind: 'single';
      readonly address: number | null;
      readonly size: number | null;
      readonly mask: number;
    }
  | { readonly kind: 'implicit'; readonly address: number | null }
  | { readonly kind: 'fixed array'; readonly address: number | null };

export type DataLayout =
  | { readonly kind: 'compact'; readonly bytes: Uint8Array }
  | { readonly kind: 'contiguous'; readonly address: number | null; readonly size: number }
  | { readonly kind: 'chunked'; readonly chunk: readonly number[]; readonly index: ChunkIndex };

export function readLayout(cursor: Cursor, fail: Fail): DataLayout {
  const version = cursor.uint8();
  if (version === 1 || version === 2) return readOldLayout(cursor, fail);
  if (version !== 3 && version !== 4)
    return fail(`a data layout of version ${version} cannot be read`);
  const kind = cursor.uint8();
  if (kind === 0) return { kind: 'compact', bytes: cursor.take(cursor.uint16()) };
  if (kind === 1) return { kind: 'contiguous', address: cursor.offset(), size: cursor.length() };
  if (kind !== 2) return fail('virtual data sets cannot be read', 'refused');
  if (version === 3) {
    const rank = cursor.uint8() - 1;
    const address = cursor.offset();
    const chunk = Array.from({ length: rank }, () => cursor.uint32());
    return { kind: 'chunked', chunk, index: { kind: 'tree', address } };
  }
  const flags = cursor.uint8();
  const rank = cursor.uint8() - 1;
  const width = cursor.uint8();
  const chunk = Array.from({ length: rank }, () => cursor.uint(width));
  // The last axis is the element's bytes.
  cursor.skip(width);
  return { kind: 'chunked', chunk, index: readIndex(cursor, flags, fail) };
}

function readIndex(cursor: Cursor, flags: number, fail: Fail): ChunkIndex {
  switch (cursor.uint8()) {
    case 1: {
      const filtered = (flags & 2) !== 0;
      const size = filtered ? cursor.length() : null;
      const mask = filtered ? cursor.uint32() : 0;
      return { kind: 'single', address: cursor.offset(), size, mask };
    }
    case 2:
      return { kind: 'implicit', address: cursor.offset() };
    case 3:
      cursor.skip(1);
      return { kind: 'fixed array', address: cursor.offset() };
    default:
      return fail(
        'data sets that can grow cannot be read; save them with a fixed shape',
        'refused',
      );
  }
}

function readOldLayout(cursor: Cursor, fail: Fail): DataLayout {
  const rank = cursor.uint8();
  const kind = cursor.uint8();
  cursor.skip(5);
  const address = kind === 0 ? null : cursor.offset();
  const dims = Array.from({ length: rank }, () => cursor.uint32());
  if (kind === 0) return { kind: 'compact', bytes: cursor.take(cursor.uint32()) };
  if (kind === 1) return { kind: 'contiguous', address, size: NaN };
  if (kind !== 2) return fail('a data layout of an unknown kind');
  return { kind: 'chunked', chunk: dims.slice(0, -1), index: { kind: 'tree', address } };
}

export interface Filter {
  readonly id: number;
  readonly values: readonly number[];
}

export function readFilters(cursor: Cursor, fail: Fail): Filter[] {
  const version = cursor.uint8();
  const count = cursor.uint8();
  if (version !== 1 && version !== 2) return fail(`filters of version ${version} cannot be read`);
  if (version === 1) cursor.skip(6);
  const filters: Filter[] = [];
  for (let i = 0; i < count; i++) {
    const id = cursor.uint16();
    const named = version === 1 || id >= 256;
    const nameLength = named ? cursor.uint16() : 0;
    cursor.skip(2);
    const values = cursor.uint16();
    cursor.skip(version === 1 ? Math.ceil(nameLength / 8) * 8 : nameLength);
    filters.push({ id, values: Array.from({ length: values }, () => cursor.uint32()) });
    if (version === 1 && values % 2 === 1) cursor.skip(4);
  }
  return filters;
}
