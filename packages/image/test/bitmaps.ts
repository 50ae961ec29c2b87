// Windows bitmaps written from their description, for what no tool at hand writes.

import type { Image } from '../src/index.ts';

interface BitmapOptions {
  readonly bits: 1 | 4 | 8 | 16 | 24 | 32;
  readonly compression?: number;
  readonly fromTop?: boolean;
  /** BGR triples as RGB. */
  readonly palette?: readonly (readonly [number, number, number])[];
  /** Red, green, blue, alpha. */
  readonly masks?: readonly number[];
  /** The old header of 12 bytes. */
  readonly core?: boolean;
}

/** `rows` hold the packed bytes of each row from the top, or, with run lengths, all of them. */
export function bitmap(
  { width, height }: { width: number; height: number },
  rows: readonly (readonly number[])[],
  options: BitmapOptions,
): Uint8Array {
  const {
    bits,
    compression = 0,
    fromTop = false,
    palette = [],
    masks = [],
    core = false,
  } = options;
  const size = core ? 12 : masks.length === 4 ? 56 : 40;
  const extra = masks.length === 3 ? 12 : 0;
  const entry = core ? 3 : 4;
  const start = 14 + size + extra + entry * palette.length;
  const runs = compression === 1 || compression === 2;
  const packed = runs ? rows : fromTop ? rows : rows.toReversed();
  const pixels: number[] = [];
  for (const row of packed) {
    pixels.push(...row);
    if (!runs) pixels.push(...[0, 0, 0].slice(0, (4 - (row.length % 4)) % 4));
  }
  const bytes = new Uint8Array(start + pixels.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, start, true);
  view.setUint32(14, size, true);
  if (core) {
    view.setUint16(18, width, true);
    view.setUint16(20, height, true);
    view.setUint16(22, 1, true);
    view.setUint16(24, bits, true);
  } else {
    view.setInt32(18, width, true);
    view.setInt32(22, fromTop ? -height : height, true);
    view.setUint16(26, 1, true);
    view.setUint16(28, bits, true);
    view.setUint32(30, compression, true);
    view.setUint32(46, palette.length, true);
    for (const [i, mask] of masks.entries()) view.setUint32(54 + 4 * i, mask, true);
  }
  for (const [i, [red, green, blue]] of palette.entries()) {
    bytes.set([blue, green, red], 14 + size + extra + entry * i);
  }
  bytes.set(pixels, start);
  return bytes;
}

/** An RGB picture in 24 bits. */
export function bitmapOf(image: Image): Uint8Array {
  const rows = Array.from({ length: image.height }, (_, y) =>
    Array.from({ length: image.width }, (__, x) => {
      const at = (y * image.width + x) * 3;
      return Array.from(image.data.subarray(at, at + 3)).toReversed();
    }).flat(),
  );
  return bitmap(image, rows, { bits: 24 });
}
