// Zip archives: the directory at their end, and entries that are stored or deflated. Everything it says is checked.

import { failing, type Fail } from '../errors.ts';
import { allocate, expectRange, readBytes, type ByteSource } from '../sources/source.ts';
import { crc32 } from './crc32.ts';
import { expectPlausible, inflateInto } from './inflate.ts';

export interface ZipEntry {
  readonly name: string;
  /** Deflated, or stored as it is. */
  readonly deflated: boolean;
  readonly packed: number;
  readonly size: number;
  readonly crc: number;
  readonly header: number;
}

export interface Zip {
  readonly source: ByteSource;
  readonly entries: ReadonlyMap<string, ZipEntry>;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const DIRECTORY = 0x02014b50;
const LOCAL = 0x04034b50;
/** The end record and its longest comment. */
const TAIL = 22 + 0xffff;
const MAX_DIRECTORY = 64 << 20;

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const uint64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

export function isZip(start: Uint8Array): boolean {
  return start[0] === 0x50 && start[1] === 0x4b && (start[2] === 3 || start[2] === 5);
}

export async function openZip(source: ByteSource): Promise<Zip> {
  const fail = failing(source.name);
  const tailStart = Math.max(0, source.size - TAIL);
  const tail = await readBytes(source, tailStart, source.size - tailStart, 'the end');
  const view = viewOf(tail);
  let at = tail.length - 22;
  while (at >= 0 && view.getUint32(at, true) !== END) at--;
  if (at < 0) return fail('the directory at the end of the zip archive is missing; it is cut off');

  let count = view.getUint16(at + 10, true);
  let length = view.getUint32(at + 12, true);
  let start = view.getUint32(at + 16, true);
  if (at >= 20 && view.getUint32(at - 20, true) === LOCATOR_64) {
    const record = await readBytes(source, uint64(view, at - 12), 56, 'the zip64 end record');
    const wide = viewOf(record);
    if (wide.getUint32(0, true) !== END_64) return fail('the zip64 end record is damaged');
    count = uint64(wide, 32);
    length = uint64(wide, 40);
    start = uint64(wide, 48);
  }
  if (length > MAX_DIRECTORY || count * 46 > length) {
    return fail(
      `the zip directory is said to hold ${count} entries in ${length} bytes; it is damaged`,
    );
  }
  const directory =
    start >= tailStart && start + length <= source.size
      ? tail.subarray(start - tailStart, start - tailStart + length)
      : await readBytes(source, start, length, 'the zip directory');
  return { source, entries: readDirectory(directory, count, fail) };
}

function readDirectory(bytes: Uint8Array, count: number, fail: Fail): Map<string, ZipEntry> {
  const view = viewOf(bytes);
  const decoder = new TextDecoder();
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + 46 > bytes.length || view.getUint32(at, true) !== DIRECTORY) {
      return fail(`entry ${i} of the zip directory is damaged`);
    }
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((field) =>
      view.getUint16(at + field, true),
    ) as [number, number, number];
    const extraStart = at + 46 + nameLength;
    const end = extraStart + extraLength + commentLength;
    if (end > bytes.length) return fail(`entry ${i} of the zip directory is cut off`);
    const name = decoder.decode(bytes.subarray(at + 46, extraStart));
    const failEntry: Fail = (message) => fail(`'${name}' in the archive: ${message}`);
    const method = view.getUint16(at + 10, true);
    if (view.getUint16(at + 8, true) & 1) return failEntry('it is encrypted');
    if (method !== 0 && method !== 8) {
      return failEntry(`it is packed by method ${method}; known are 0 (stored) and 8 (deflated)`);
    }
    const wide = wideFields(view, extraStart, extraStart + extraLength);
    const field = (offset: number): number => {
      const value = view.getUint32(at + offset, true);
      return value === 0xffffffff && wide.length > 0 ? wide.shift()! : value;
    };
    const size = field(24);
    const packed = field(20);
    const header = field(42);
    const entry = {
      name,
      deflated: method === 8,
      packed,
      size,
      crc: view.getUint32(at + 16, true),
      header,
    };
    if (!Number.isSafeInteger(size) || !Number.isSafeInteger(packed))
      return failEntry('its size is damaged');
    if (method === 0 && size !== packed) return failEntry('it is stored, but its two sizes differ');
    expectPlausible(size, packed, failEntry);
    if (entries.has(name)) return failEntry('it is there twice');
    entries.set(name, entry);
    at = end;
  }
  return entries;
}

/** The 64-bit fields of an entry's zip64 record: those that are too large for their place, in order. */
function wideFields(view: DataView, begin: number, end: number): number[] {
  for (let at = begin; at + 4 <= end;) {
    const length = view.getUint16(at + 2, true);
    const next = Math.min(at + 4 + length, end);
    if (view.getUint16(at, true) === 1) {
      const fields: number[] = [];
      for (let field = at + 4; field + 8 <= next; field += 8) fields.push(uint64(view, field));
      return fields;
    }
    at = next;
  }
  return [];
}

/** Where an entry's packed bytes begin in the source. */
export async function zipDataOffset({ source }: Zip, entry: ZipEntry): Promise<number> {
  const what = `'${entry.name}' in the archive`;
  const local = viewOf(await readBytes(source, entry.header, 30, what));
  if (local.getUint32(0, true) !== LOCAL) {
    return failing(source.name)(`${what}: its header is damaged`);
  }
  const offset = entry.header + 30 + local.getUint16(26, true) + local.getUint16(28, true);
  expectRange(source, offset, entry.packed, what);
  return offset;
}

/** Fills `target` from byte `skip` of an entry on: all the rest where it is deflated, any part where it is stored. */
export async function readZipInto(
  zip: Zip,
  entry: ZipEntry,
  target: Uint8Array,
  skip = 0,
): Promise<void> {
  const what = `'${entry.name}' in the archive`;
  const offset = await zipDataOffset(zip, entry);
  if (entry.deflated) {
    const fail = failing(`${zip.source.name}: ${what}`);
    const deflated = { format: 'deflate-raw', offset, packed: entry.packed } as const;
    await inflateInto(target, zip.source, deflated, fail, { skip });
    return;
  }
  expectRange(zip.source, offset + skip, target.length, what);
  if (skip + target.length > entry.size) failing(zip.source.name)(`${what}: it is too short`);
  await zip.source.readInto(target, offset + skip);
}

export interface ReadZipOptions {
  /** Longer ones are refused. */
  readonly limit: number;
  /** Whether to compare the checksum; PyTorch can be told not to write it. */
  readonly check: boolean;
}

/** All of an entry. */
export async function readZipEntry(
  zip: Zip,
  entry: ZipEntry,
  { limit, check }: ReadZipOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const fail = failing(`${zip.source.name}: '${entry.name}' in the archive`);
  if (entry.size > limit) fail(`it has ${entry.size} bytes; at most ${limit} are allowed`);
  const bytes = allocate(entry.size, `${zip.source.name}: '${entry.name}'`);
  await readZipInto(zip, entry, bytes);
  if (check && crc32(bytes) !== entry.crc) fail('its checksum is wrong; the file is damaged');
  return bytes;
}

/** An archive of stored entries. Equal input gives equal bytes: no dates. Throws above 4 GiB. */
export function writeZip(
  files: readonly (readonly [name: string, bytes: Uint8Array])[],
  fail: Fail,
): Uint8Array<ArrayBuffer> {
  const encoded = files.map(([name, bytes]) => ({
    name: new TextEncoder().encode(name),
    bytes,
    crc: crc32(bytes),
  }));
  const bodies = encoded.reduce((sum, { name, bytes }) => sum + 30 + name.length + bytes.length, 0);
  const directory = encoded.reduce((sum, { name }) => sum + 46 + name.length, 0);
  if (bodies + directory + 22 > 0xffffffff) fail('more than 4 GiB; write safetensors instead');
  if (encoded.length > 0xfffe) fail(`${encoded.length} entries; at most 65,534 fit`);
  const result = new Uint8Array(bodies + directory + 22);
  const view = viewOf(result);
  const JANUARY_1_1980 = 0x21;
  const common = (at: number, { name, bytes, crc }: (typeof encoded)[number]): void => {
    view.setUint16(at, 20, true);
    view.setUint16(at + 2, 0x800, true);
    view.setUint16(at + 8, JANUARY_1_1980, true);
    view.setUint32(at + 10, crc, true);
    view.setUint32(at + 14, bytes.length, true);
    view.setUint32(at + 18, bytes.length, true);
    view.setUint16(at + 22, name.length, true);
  };
  let at = 0;
  let entryAt = bodies;
  for (const file of encoded) {
    view.setUint32(entryAt, DIRECTORY, true);
    view.setUint16(entryAt + 4, 20, true);
    common(entryAt + 6, file);
    view.setUint32(entryAt + 42, at, true);
    result.set(file.name, entryAt + 46);
    entryAt += 46 + file.name.length;

    view.setUint32(at, LOCAL, true);
    common(at + 4, file);
    result.set(file.name, at + 30);
    result.set(file.bytes, at + 30 + file.name.length);
    at += 30 + file.name.length + file.bytes.length;
  }
  view.setUint32(entryAt, END, true);
  view.setUint16(entryAt + 8, encoded.length, true);
  view.setUint16(entryAt + 10, encoded.length, true);
  view.setUint32(entryAt + 12, directory, true);
  view.setUint32(entryAt + 16, bodies, true);
  return result;
}
