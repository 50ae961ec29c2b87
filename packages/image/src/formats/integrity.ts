// Whether a file is whole. Decoders show what they have of one that is cut off (browsers of a damaged one too); here it is an
// error everywhere.

import { ImageError } from '../errors.ts';
import type { ImageHeader } from './header.ts';

/** Throws an ImageError where a JPEG, PNG, WebP or GIF is cut off, or a PNG's checksums do not fit. */
export function checkComplete(bytes: Uint8Array, { format }: ImageHeader, name: string): void {
  const problem = problemOf(bytes, format);
  if (problem) {
    throw new ImageError(
      'format',
      `${name}: a damaged ${format.toUpperCase()} file (${problem}); fetch it again`,
    );
  }
}

function problemOf(bytes: Uint8Array, format: ImageHeader['format']): string | null {
  switch (format) {
    case 'png':
      return problemOfPng(bytes);
    case 'jpeg':
      return problemOfJpeg(bytes);
    case 'webp':
      return problemOfWebp(bytes);
    case 'gif':
      return problemOfGif(bytes);
    case 'bmp':
    case 'pnm':
      // Decoded by this package, which sees for itself.
      return null;
  }
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ crcTable[(crc ^ bytes[i]!) & 255]!;
  return ~crc >>> 0;
}

const CUT_OFF = 'it is cut off';

function problemOfPng(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return CUT_OFF;
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (crc32(bytes.subarray(at + 4, end)) !== view.getUint32(end)) {
      return `the checksum of its ${type} chunk does not fit`;
    }
    if (type === 'IEND') return null;
    at = end + 4;
  }
  return CUT_OFF;
}

/** The end marker may be followed by other data. */
function problemOfJpeg(bytes: Uint8Array): string | null {
  for (let i = bytes.length - 2; i >= 0; i--) {
    if (bytes[i] === 0xff && bytes[i + 1] === 0xd9) return null;
  }
  return CUT_OFF;
}

function problemOfWebp(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(4, true) + 8 > bytes.length ? CUT_OFF : null;
}

/** The bytes of the colour table that a GIF's flags announce. */
const tableAfter = (flags: number): number => (flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0);

/** Blocks to the trailer. One of an unknown kind is left to the decoder. */
function problemOfGif(bytes: Uint8Array): string | null {
  let at = 13 + tableAfter(bytes[10]!);
  while (at < bytes.length) {
    const kind = bytes[at];
    if (kind === 0x3b) return null;
    if (kind === 0x21) at += 2;
    else if (kind === 0x2c && at + 9 < bytes.length) at += 11 + tableAfter(bytes[at + 9]!);
    else return kind === 0x2c ? CUT_OFF : null;
    // Parts, each after its length; the last has none.
    while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
    at++;
  }
  return CUT_OFF;
}
