// Where a weight file's bytes come from: memory, a Blob, an address, a file on disk. Readers ask for ranges, so that a tensor
// goes straight from its place in the file into its array.

import { failing, WeightsError } from '../errors.ts';

export interface ByteSource {
  /** What errors call it. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** All bytes, where they are in memory anyway. */
  readonly bytes?: Uint8Array | undefined;
  /** Fills `target` with the bytes from `offset` on; the range lies within the source. */
  readInto(target: Uint8Array, offset: number): Promise<void>;
  /** Called before all of it is read: one download instead of one a tensor. */
  prefetch?(): Promise<void>;
  /** A file beside this one, by a path relative to it. */
  sibling?(path: string): Promise<ByteSource>;
  close(): Promise<void>;
}

/** Node's Buffer slices without copying, unlike the Uint8Array that it also is. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function memorySource(given: Uint8Array, name: string): ByteSource {
  const bytes = plainBytes(given);
  return {
    name,
    size: bytes.length,
    bytes,
    readInto: async (target, offset) => target.set(bytes.subarray(offset, offset + target.length)),
    close: async () => undefined,
  };
}

export function blobSource(blob: Blob, name: string): ByteSource {
  return {
    name,
    size: blob.size,
    async readInto(target, offset) {
      // A slice at a time: a Blob gives its bytes as a new buffer.
      const step = 8 << 20;
      for (let at = 0; at < target.length; at += step) {
        const end = Math.min(target.length, at + step);
        let part: ArrayBuffer;
        try {
          part = await blob.slice(offset + at, offset + end).arrayBuffer();
        } catch (error) {
          throw new WeightsError('read', `cannot read ${name}: ${(error as Error).message}`, {
            cause: error,
          });
        }
        target.set(new Uint8Array(part), at);
      }
    },
    close: async () => undefined,
  };
}

/** Throws where a range that a file's own words ask for does not lie within the file. */
export function expectRange(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): void {
  const sound = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0;
  if (!sound || length < 0 || offset + length > source.size) {
    failing(source.name)(
      `${what} should be at bytes ${offset} to ${offset + length}, but the file has ${source.size}; it is cut off or damaged`,
    );
  }
}

/** `length` bytes from `offset` on; `what` is told where the file does not have them. A view of the source's own where it is in memory. */
export async function readBytes(
  source: ByteSource,
  offset: number,
  length: number,
  what: string,
): Promise<Uint8Array> {
  expectRange(source, offset, length, what);
  if (source.bytes) return source.bytes.subarray(offset, offset + length);
  const target = allocate(length, `${source.name}: ${what}`);
  await source.readInto(target, offset);
  return target;
}

/** Zeros. Throws a WeightsError (`read`) where there is not so much memory. */
export function allocate(bytes: number, what: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (error) {
    throw new WeightsError('read', `${what}: no memory for its ${bytes} bytes`, { cause: error });
  }
}

/** A path that names a file in the same folder or below, by plain names only. */
export function expectSafePath(path: string, file: string): string {
  const parts = path.split('/');
  if (/[\\:?#%\0]/.test(path) || parts.some((part) => part === '' || /^\.+$/.test(part))) {
    failing(file)(`it names '${path}' as a file beside it; only plain relative paths are followed`);
  }
  return path;
}
