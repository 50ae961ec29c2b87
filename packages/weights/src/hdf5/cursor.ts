// Reads little-endian fields one after the other from a piece of an HDF5 file.

import type { Fail } from '../errors.ts';

export class Cursor {
  readonly bytes: Uint8Array;
  at: number;
  readonly #view: DataView;
  readonly #sizes: { readonly offset: number; readonly length: number };
  readonly #fail: Fail;

  /** `sizes` are the widths of addresses and lengths in this file. */
  constructor(
    bytes: Uint8Array,
    sizes: { readonly offset: number; readonly length: number },
    fail: Fail,
    at = 0,
  ) {
    this.bytes = bytes;
    this.at = at;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#sizes = sizes;
    this.#fail = fail;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  take(length: number): Uint8Array {
    if (length > this.left) this.#fail('a part of its structure is cut off; the file is damaged');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    this.take(length);
  }

  uint8(): number {
    return this.take(1)[0]!;
  }

  uint16(): number {
    this.take(2);
    return this.#view.getUint16(this.at - 2, true);
  }

  uint32(): number {
    this.take(4);
    return this.#view.getUint32(this.at - 4, true);
  }

  /** A number of `width` bytes; beyond 2^53 it is rounded, which no check of a range lets pass. */
  uint(width: number): number {
    let value = 0;
    const bytes = this.take(width);
    for (let i = width - 1; i >= 0; i--) value = value * 256 + bytes[i]!;
    return value;
  }

  /** An address; null stands for "nowhere", all bits set. */
  offset(): number | null {
    const bytes = this.take(this.#sizes.offset);
    if (bytes.every((byte) => byte === 0xff)) return null;
    this.at -= bytes.length;
    return this.uint(bytes.length);
  }

  length(): number {
    return this.uint(this.#sizes.length);
  }

  /** Four letters that mark a structure. */
  expect(signature: string): void {
    const found = new TextDecoder('latin1').decode(this.take(4));
    if (found !== signature) {
      this.#fail(`'${signature}' should stand where the file has something else; it is damaged`);
    }
  }

  expectVersion(version: number, what: string): void {
    const found = this.uint8();
    if (found !== version) this.#fail(`${what} of version ${found} cannot be read`);
  }

  /** A text up to its zero byte. */
  cString(): string {
    const end = this.bytes.indexOf(0, this.at);
    if (end < 0) this.#fail('a text has no end; the file is damaged');
    const text = new TextDecoder().decode(this.bytes.subarray(this.at, end));
    this.at = end + 1;
    return text;
  }

  align(step: number, start = 0): void {
    this.at = Math.min(this.bytes.length, start + Math.ceil((this.at - start) / step) * step);
  }
}
