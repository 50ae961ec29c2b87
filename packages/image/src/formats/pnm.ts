// Portable any-maps (PBM, PGM, PPM; text and binary): the format that few decoders know and every tool can write.

import { ImageError } from '../errors.ts';
import { Image, type PixelData } from '../image.ts';
import { readPnmNumbers, type ImageHeader } from './header.ts';

/** One channel or three; 16 bits where the largest value is above 255. Throws an ImageError where values are missing. */
export function decodePnm(bytes: Uint8Array, header: ImageHeader, name: string): Image<PixelData> {
  const { width, height, grey, depth } = header;
  const channels = grey ? 1 : 3;
  const kind = bytes[1]! - 0x30;
  const length = width * height * channels;
  const bitmap = kind === 1 || kind === 4;
  const { numbers, end } = readPnmNumbers(bytes, 2, bitmap ? 2 : 3);
  const most = bitmap ? 1 : numbers[2]!;
  if (most < 1 || most > 65_535) {
    throw new ImageError('format', `${name}: its largest value is ${most}, outside 1 to 65535`);
  }
  // A text value takes two characters at least, a bit or a digit of a bitmap one.
  const rowBytes = kind === 4 ? Math.ceil(width / 8) : width * channels * (depth / 8);
  const least = kind >= 4 ? rowBytes * height : kind === 1 ? length : length * 2 - 1;
  const begin = end + 1;
  if (bytes.length - begin < least) throw truncated(name);
  const data: PixelData = depth === 16 ? new Uint16Array(length) : new Uint8Array(length);
  const full = depth === 16 ? 65_535 : 255;
  const convert = (value: number): number =>
    most === full ? value : Math.round((Math.min(value, most) * full) / most);
  if (kind === 4) {
    for (let y = 0, out = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const bit = (bytes[begin + y * rowBytes + (x >> 3)]! >> (7 - (x & 7))) & 1;
        data[out++] = bit === 1 ? 0 : 255;
      }
    }
  } else if (kind > 4) {
    for (let i = 0; i < length; i++) {
      const value =
        depth === 16 ? bytes[begin + 2 * i]! * 256 + bytes[begin + 2 * i + 1]! : bytes[begin + i]!;
      data[i] = convert(value);
    }
  } else if (kind === 1) {
    let at = begin;
    for (let i = 0; i < length; at++) {
      const byte = bytes[at];
      if (byte === undefined) throw truncated(name);
      // Digits may stand without spaces between them.
      if (byte === 0x30 || byte === 0x31) data[i++] = byte === 0x31 ? 0 : 255;
    }
  } else {
    let at = begin;
    for (let i = 0; i < length; i++) {
      const value = nextNumber(bytes, at, name);
      data[i] = convert(value.number);
      at = value.end;
    }
  }
  return new Image<PixelData>({ width, height, channels, data });
}

function nextNumber(bytes: Uint8Array, at: number, name: string): { number: number; end: number } {
  try {
    const { numbers, end } = readPnmNumbers(bytes, at, 1);
    return { number: numbers[0]!, end };
  } catch {
    throw truncated(name);
  }
}

function truncated(name: string): ImageError {
  return new ImageError('format', `${name}: its pixels are cut off or damaged; fetch it again`);
}
