// Windows bitmaps: 1 to 32 bits a pixel, palettes, bit fields, run-length coding. Neither sharp nor every browser reads them all.

import { ImageError } from '../errors.ts';
import { Image } from '../image.ts';
import type { ImageHeader } from './header.ts';

interface Layout {
  readonly width: number;
  readonly height: number;
  readonly fromTop: boolean;
  readonly bits: number;
  readonly compression: number;
  /** Where the pixels begin. */
  readonly pixels: number;
  /** RGB triples. */
  readonly palette: Uint8Array;
  /** Red, green, blue, alpha; 0 where there is none. */
  readonly masks: readonly number[];
}

const [RGB, RLE8, RLE4, BITFIELDS, ALPHABITFIELDS] = [0, 1, 2, 3, 6] as const;

/** RGB, or RGBA where the file declares an alpha channel. Throws an ImageError for what the format does not allow. */
export function decodeBmp(bytes: Uint8Array, header: ImageHeader, name: string): Image {
  let layout: Layout;
  try {
    layout = readLayout(bytes, header, name);
  } catch (cause) {
    if (cause instanceof ImageError) throw cause;
    throw new ImageError('format', `${name}: its header is cut off`, { cause });
  }
  const { width, height, bits, compression, pixels } = layout;
  if (compression === RLE8 || compression === RLE4) return paint(layout, expand(bytes, layout));
  const stride = Math.ceil((width * bits) / 32) * 4;
  // The last row may lack what fills it up to four bytes.
  if (bytes.length - pixels < stride * (height - 1) + Math.ceil((width * bits) / 8)) {
    throw new ImageError('format', `${name}: its pixels are cut off; fetch it again`);
  }
  if (bits <= 8) return paint(layout, unpack(bytes, layout, stride));
  return readColours(bytes, layout, stride);
}

function readLayout(bytes: Uint8Array, { width, height }: ImageHeader, name: string): Layout {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pixels = view.getUint32(10, true);
  const size = view.getUint32(14, true);
  const core = size === 12;
  if (!core && size < 40) throw new ImageError('format', `${name}: its header has ${size} bytes`);
  const bits = view.getUint16(core ? 24 : 28, true);
  const compression = core ? RGB : view.getUint32(30, true);
  const known =
    compression === RGB
      ? [1, 4, 8, 16, 24, 32]
      : compression === RLE8
        ? [8]
        : compression === RLE4
          ? [4]
          : compression === BITFIELDS || compression === ALPHABITFIELDS
            ? [16, 32]
            : [];
  if (!known.includes(bits)) {
    throw new ImageError(
      'format',
      `${name}: a bitmap of ${bits} bits a pixel with compression ${compression} is none that can be read; save it as PNG`,
    );
  }
  const fromTop = !core && view.getInt32(22, true) < 0;
  const after = 14 + size;
  const masks = masksOf(view, { bits, compression, size });
  const palette = paletteOf(bytes, {
    bits,
    core,
    after,
    pixels,
    declared: core ? 0 : view.getUint32(46, true),
  });
  return { width, height, fromTop, bits, compression, pixels, palette, masks };
}

function masksOf(
  view: DataView,
  { bits, compression, size }: { bits: number; compression: number; size: number },
): number[] {
  if (compression === BITFIELDS || compression === ALPHABITFIELDS) {
    // Behind a header of 40 bytes, or inside a longer one: the same place.
    const count = size >= 56 || compression === ALPHABITFIELDS ? 4 : 3;
    return Array.from({ length: 4 }, (_, i) => (i < count ? view.getUint32(54 + 4 * i, true) : 0));
  }
  return bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
}

function paletteOf(
  bytes: Uint8Array,
  {
    bits,
    core,
    after,
    pixels,
    declared,
  }: {
    bits: number;
    core: boolean;
    after: number;
    pixels: number;
    declared: number;
  },
): Uint8Array {
  if (bits > 8) return new Uint8Array();
  const entry = core ? 3 : 4;
  const room = Math.max(0, Math.floor((Math.min(pixels, bytes.length) - after) / entry));
  const count = Math.min(declared === 0 ? 2 ** bits : declared, 2 ** bits, room);
  // Entries that are missing are black.
  const palette = new Uint8Array(3 * 2 ** bits);
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) palette[3 * i + c] = bytes[after + entry * i + 2 - c]!;
  }
  return palette;
}

/** One palette index a pixel, rows from the top. */
function unpack(bytes: Uint8Array, layout: Layout, stride: number): Uint8Array {
  const { width, height, bits, pixels, fromTop } = layout;
  const result = new Uint8Array(width * height);
  const mask = 2 ** bits - 1;
  for (let y = 0, out = 0; y < height; y++) {
    const row = pixels + (fromTop ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++) {
      const bit = x * bits;
      result[out++] = ((bytes[row + (bit >> 3)] ?? 0) >> (8 - bits - (bit & 7))) & mask;
    }
  }
  return result;
}

/** Run lengths as palette indices; what they leave out is index 0. */
function expand(bytes: Uint8Array, { width, height, bits, pixels }: Layout): Uint8Array {
  const result = new Uint8Array(width * height);
  const half = bits === 4;
  let [x, y, at] = [0, 0, pixels];
  const put = (index: number): void => {
    if (x < width && y < height) result[(height - 1 - y) * width + x] = index;
    x++;
  };
  while (at + 1 < bytes.length && y < height) {
    const [count, value] = [bytes[at]!, bytes[at + 1]!];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(!half ? value : i % 2 === 0 ? value >> 4 : value & 15);
    } else if (value === 0) {
      [x, y] = [0, y + 1];
    } else if (value === 1) {
      break;
    } else if (value === 2) {
      x += bytes[at] ?? 0;
      y += bytes[at + 1] ?? 0;
      at += 2;
    } else {
      for (let i = 0; i < value; i++) {
        const byte = bytes[at + (half ? i >> 1 : i)] ?? 0;
        put(!half ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
      }
      const length = half ? Math.ceil(value / 2) : value;
      at += length + (length % 2);
    }
  }
  return result;
}

function paint({ width, height, palette }: Layout, indices: Uint8Array): Image {
  const image = new Image({ width, height, channels: 3 });
  for (let i = 0; i < indices.length; i++) {
    const entry = 3 * indices[i]!;
    for (let c = 0; c < 3; c++) image.data[3 * i + c] = palette[entry + c]!;
  }
  return image;
}

function readColours(bytes: Uint8Array, layout: Layout, stride: number): Image {
  const { width, height, bits, pixels, fromTop, masks } = layout;
  const channels = masks[3] === 0 ? 3 : 4;
  const image = new Image({ width, height, channels });
  const size = bits / 8;
  const shifts = masks.map((mask) => (mask === 0 ? 0 : 31 - Math.clz32(mask & -mask)));
  const most = masks.map((mask, c) => mask >>> shifts[c]!);
  for (let y = 0, out = 0; y < height; y++) {
    let at = pixels + (fromTop ? y : height - 1 - y) * stride;
    for (let x = 0; x < width; x++, at += size) {
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[at + i] ?? 0);
      for (let c = 0; c < channels; c++) {
        const part = (value & masks[c]!) >>> shifts[c]!;
        // Fewer bits are stretched to the full range.
        image.data[out++] = most[c] === 0 ? 0 : Math.round((part * 255) / most[c]!);
      }
    }
  }
  return image;
}
