// An HDF5 file as addressed bytes: the superblock, cursors at addresses, and a cache so that small structures cost few reads.

import { failing, type Fail } from '../errors.ts';
import { expectRange, readBytes, type ByteSource } from '../sources/source.ts';
import { Cursor } from './cursor.ts';

const PAGE = 64 << 10;
const MAX_PAGES = 128;
const SIGNATURE: readonly number[] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a];
/** Structures that a file may make us read: far above what weights need, and soon reached by a loop. */
const MAX_READS = 1_000_000;

export class Hdf5Storage {
  readonly source: ByteSource;
  readonly fail: Fail;
  sizes = { offset: 8, length: 8 };
  base = 0;
  #reads = 0;
  readonly #pages = new Map<number, Promise<Uint8Array>>();

  constructor(source: ByteSource) {
    this.source = source;
    this.fail = failing(source.name);
  }

  async bytes(address: number, length: number, what: string): Promise<Uint8Array> {
    const start = this.base + address;
    expectRange(this.source, start, length, what);
    if (++this.#reads > MAX_READS) this.fail('it has too many parts; it is damaged');
    if (this.source.bytes || length > PAGE) return readBytes(this.source, start, length, what);
    const first = Math.floor(start / PAGE);
    const last = Math.floor((start + length - 1) / PAGE);
    const head = await this.#page(first);
    if (last <= first) return head.subarray(start - first * PAGE, start - first * PAGE + length);
    const joined = new Uint8Array(length);
    joined.set(head.subarray(start - first * PAGE));
    const tail = await this.#page(last);
    const split = last * PAGE - start;
    joined.set(tail.subarray(0, length - split), split);
    return joined;
  }

  #page(index: number): Promise<Uint8Array> {
    let page = this.#pages.get(index);
    if (!page) {
      if (this.#pages.size >= MAX_PAGES) this.#pages.clear();
      const start = index * PAGE;
      page = readBytes(this.source, start, Math.min(PAGE, this.source.size - start), 'a part');
      this.#pages.set(index, page);
    }
    return page;
  }

  async cursor(address: number, length: number, what: string): Promise<Cursor> {
    return new Cursor(await this.bytes(address, length, what), this.sizes, this.fail);
  }

  /** As many bytes as there are, `most` at most: where only the start tells the length. */
  async window(address: number, most: number, what: string): Promise<Cursor> {
    const rest = this.source.size - this.base - address;
    return this.cursor(address, Math.max(0, Math.min(most, rest)), what);
  }

  of(bytes: Uint8Array): Cursor {
    return new Cursor(bytes, this.sizes, this.fail);
  }

  /** Reads straight into an array. */
  async readInto(target: Uint8Array, address: number, what: string): Promise<void> {
    expectRange(this.source, this.base + address, target.length, what);
    await this.source.readInto(target, this.base + address);
  }

  /** Reads the superblock. Gives the address of the root group's object header. */
  async open(): Promise<number> {
    const start = await this.#findSignature();
    const cursor = await this.window(start, 128, 'the superblock');
    cursor.skip(8);
    const version = cursor.uint8();
    if (version > 3) return this.fail(`its superblock has version ${version}; known are 0 to 3`);
    if (version < 2) cursor.skip(4);
    const offset = cursor.uint8();
    const length = cursor.uint8();
    if (![4, 8].includes(offset) || ![4, 8].includes(length)) {
      return this.fail(
        `its addresses have ${offset} and its lengths ${length} bytes; 4 or 8 are known`,
      );
    }
    this.sizes = { offset, length };
    const rest = this.of(cursor.bytes);
    rest.at = cursor.at;
    if (version < 2) rest.skip(version === 1 ? 13 : 9);
    else rest.skip(1);
    this.base = rest.offset() ?? 0;
    rest.skip(3 * offset);
    if (version < 2) {
      // The root group's entry: where its name is, then its header.
      rest.skip(offset);
    } else {
      // Before the root group stood the extension and the end of the file.
      rest.at -= offset;
    }
    return rest.offset() ?? this.fail('it has no root group; it is damaged');
  }

  async #findSignature(): Promise<number> {
    for (let start = 0; start + 8 <= this.source.size; start = start === 0 ? 512 : start * 2) {
      const bytes = await this.bytes(start, 8, 'the signature');
      if (SIGNATURE.every((byte, i) => bytes[i] === byte)) return start;
    }
    return this.fail('it is no HDF5 file');
  }
}
