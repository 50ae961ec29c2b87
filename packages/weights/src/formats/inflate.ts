// Deflated bytes, unpacked into an array of the size that was announced: never more, whatever they unpack to.

import type { Fail } from '../errors.ts';
import { readBytes, type ByteSource } from '../sources/source.ts';

/** Deflate cannot pack tighter than this. */
const MAX_RATIO = 1032;
/** Small, since what one piece unpacks to may be held at once. */
const PIECE = 16 * 1024;

export interface Deflated {
  readonly format: 'deflate-raw' | 'deflate';
  readonly offset: number;
  readonly packed: number;
}

/** Throws where `size` bytes cannot come of `packed` deflated ones: before memory is taken for them. */
export function expectPlausible(size: number, packed: number, fail: Fail): void {
  if (size > packed * MAX_RATIO + 1024) {
    fail(`${packed} deflated bytes cannot hold the ${size} that are announced; it is damaged`);
  }
}

export interface InflateOptions {
  /** How many bytes to leave out first. Default 0. */
  readonly skip?: number;
  /** Whether more may follow than `target` takes. Default false. */
  readonly partly?: boolean;
}

/** Unpacks into `target`. Throws unless it is filled to the last byte, exactly. */
export async function inflateInto(
  target: Uint8Array,
  source: ByteSource,
  { format, offset, packed }: Deflated,
  fail: Fail,
  { skip = 0, partly = false }: InflateOptions = {},
): Promise<void> {
  const stream = new DecompressionStream(format);
  const writer = stream.writable.getWriter();
  const feeding = (async () => {
    for (let at = 0; at < packed; at += PIECE) {
      const piece = await readBytes(
        source,
        offset + at,
        Math.min(PIECE, packed - at),
        'packed data',
      );
      // A view of memory that is shared or grows cannot be written.
      await writer.write(new Uint8Array(piece));
    }
    await writer.close();
  })();
  // The reader sees the same fault, or has given up on its own.
  feeding.catch((error: unknown) => writer.abort(error).catch(() => undefined));
  writer.closed.catch(() => undefined);

  const reader = stream.readable.getReader();
  let at = -skip;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const fits = target.length - at;
      if (value.length > fits && partly) {
        target.set(value.subarray(0, fits), at);
        await reader.cancel();
        return;
      }
      if (value.length > fits) {
        fail(`it unpacks to more than the ${target.length + skip} bytes that are announced`);
      }
      target.set(at < 0 ? value.subarray(Math.min(-at, value.length)) : value, Math.max(at, 0));
      at += value.length;
    }
    await feeding;
  } catch (error) {
    await reader.cancel(error).catch(() => undefined);
    if (error instanceof Error && error.name === 'WeightsError') throw error;
    fail(`its packed bytes are damaged (${(error as Error).message})`);
  }
  if (at !== target.length) {
    fail(`it unpacks to ${at + skip} bytes, but ${target.length + skip} are announced`);
  }
}
