// What the first bytes of a file tell, before anything is decoded: format, extent, and how its pixels are stored. Marks only;
// that the rest is sound shows when it is decoded.

import { ImageError } from '../errors.ts';

type ImageFormat = 'jpeg' | 'png' | 'webp' | 'gif' | 'bmp' | 'pnm';

export interface ImageHeader {
  readonly format: ImageFormat;
  /** As stored: before the EXIF orientation is applied. */
  readonly width: number;
  readonly height: number;
  /** Grey without alpha. */
  readonly grey: boolean;
  /** Bits a value. */
  readonly depth: 8 | 16;
  /** Cyan, magenta, yellow, black; JPEG only. */
  readonly cmyk: boolean;
}

const FORMATS = 'JPEG, PNG, WebP, GIF, BMP and PPM/PGM';

const PLAIN = { grey: false, depth: 8, cmyk: false } as const;

function startsWith(bytes: Uint8Array, text: string, at = 0): boolean {
  for (let i = 0; i < text.length; i++) {
    if (bytes[at + i] !== text.charCodeAt(i)) return false;
  }
  return true;
}

/** Throws an ImageError that names the picture where the format is unknown or the header is cut off. */
export function readHeader(bytes: Uint8Array, name: string): ImageHeader {
  const header = readKnown(bytes, name);
  if (!header) {
    const what = bytes.length === 0 ? 'empty' : `not a picture in a known format`;
    throw new ImageError('format', `${name}: ${what}; ${FORMATS} can be read`);
  }
  if (header.width < 1 || header.height < 1) {
    throw new ImageError(
      'format',
      `${name}: its header gives a size of ${header.width}x${header.height}; the file is damaged`,
    );
  }
  return header;
}

function readKnown(bytes: Uint8Array, name: string): ImageHeader | null {
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return readPng(view);
    if (bytes[0] === 0xff && bytes[1] === 0xd8) return readJpeg(view);
    if (startsWith(bytes, 'GIF87a') || startsWith(bytes, 'GIF89a')) {
      const [width, height] = [view.getUint16(6, true), view.getUint16(8, true)];
      return { ...PLAIN, format: 'gif', width, height };
    }
    if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return readWebp(view);
    if (startsWith(bytes, 'BM')) return readBmp(view);
    if (bytes[0] === 0x50 && bytes[1]! >= 0x31 && bytes[1]! <= 0x36) return readPnm(bytes);
    return null;
  } catch (cause) {
    // Only reads past the end come here.
    throw new ImageError('format', `${name}: its header is cut off or damaged`, { cause });
  }
}

function readPng(view: DataView): ImageHeader {
  const kind = view.getUint8(25);
  return {
    ...PLAIN,
    format: 'png',
    width: view.getUint32(16),
    height: view.getUint32(20),
    grey: kind === 0,
    depth: view.getUint8(24) === 16 ? 16 : 8,
  };
}

/** The place of a JPEG's frame header, past the marker. Throws a RangeError where there is none. */
function readJpeg(view: DataView): ImageHeader {
  let at = 2;
  for (;;) {
    // Fill bytes may stand before a marker.
    while (view.getUint8(at) === 0xff) at++;
    const marker = view.getUint8(at++);
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) {
      at++;
      continue;
    }
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (frame) {
      const components = view.getUint8(at + 7);
      return {
        ...PLAIN,
        format: 'jpeg',
        width: view.getUint16(at + 5),
        height: view.getUint16(at + 3),
        grey: components === 1,
        cmyk: components === 4,
      };
    }
    if (marker === 0xd9 || marker === 0xda) throw new RangeError('no frame header');
    const length = view.getUint16(at);
    if (length < 2) throw new RangeError('no segment length');
    at += length;
    if (view.getUint8(at) !== 0xff) throw new RangeError('no marker');
  }
}

function readWebp(view: DataView): ImageHeader {
  const header = { ...PLAIN, format: 'webp' } as const;
  const chunk = view.getUint8(15);
  // "VP8 ", "VP8L" and "VP8X" differ in their last letter.
  if (chunk === 0x20) {
    return {
      ...header,
      width: view.getUint16(26, true) & 0x3fff,
      height: view.getUint16(28, true) & 0x3fff,
    };
  }
  if (chunk === 0x4c) {
    const bits = view.getUint32(21, true);
    return { ...header, width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
  }
  if (chunk !== 0x58) throw new RangeError('no known chunk');
  return {
    ...header,
    width: (view.getUint32(24, true) & 0xffffff) + 1,
    height: (view.getUint32(26, true) >>> 8) + 1,
  };
}

function readBmp(view: DataView): ImageHeader {
  const header = { ...PLAIN, format: 'bmp' } as const;
  if (view.getUint32(14, true) === 12) {
    return { ...header, width: view.getUint16(18, true), height: view.getUint16(20, true) };
  }
  // A negative height marks rows stored from the top.
  const [width, height] = [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  return { ...header, width, height };
}

/** A PNM's numbers are text: `count` of them, and the index past the last. */
export function readPnmNumbers(
  bytes: Uint8Array,
  at: number,
  count: number,
): { numbers: number[]; end: number } {
  const numbers: number[] = [];
  let position = at;
  while (numbers.length < count) {
    let byte = bytes[position];
    while (byte === 0x20 || (byte !== undefined && byte >= 0x09 && byte <= 0x0d)) {
      byte = bytes[++position];
    }
    if (byte === 0x23) {
      while (position < bytes.length && bytes[position] !== 0x0a) position++;
      continue;
    }
    const begin = position;
    let value = 0;
    while (byte !== undefined && byte >= 0x30 && byte <= 0x39) {
      value = Math.min(value * 10 + byte - 0x30, 2 ** 31);
      byte = bytes[++position];
    }
    if (position === begin) throw new RangeError('no number');
    numbers.push(value);
  }
  return { numbers, end: position };
}

function readPnm(bytes: Uint8Array): ImageHeader {
  const kind = bytes[1]! - 0x30;
  const bitmap = kind === 1 || kind === 4;
  const { numbers } = readPnmNumbers(bytes, 2, bitmap ? 2 : 3);
  const [width = 0, height = 0, most = 1] = numbers;
  return {
    ...PLAIN,
    format: 'pnm',
    width,
    height,
    grey: kind !== 3 && kind !== 6,
    depth: most > 255 ? 16 : 8,
  };
}
