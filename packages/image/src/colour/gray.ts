// Grey and back: luminance by ITU-R 601, in Pillow's fixed point.

import { Image, requireBytes, type PixelData } from '../image.ts';

/** 0.299 R + 0.587 G + 0.114 B of the pixel at `index`, rounded. */
export function luminance(data: PixelData, index: number): number {
  // Multiplied out, not in 32-bit integers: 16-bit values would overflow those.
  const weighed = data[index]! * 19_595 + data[index + 1]! * 38_470 + data[index + 2]! * 7_471;
  return Math.floor((weighed + 32_768) / 65_536);
}

/** One channel. Alpha is dropped; composite it first where it matters. A grey picture is returned as it is. */
export function grayscale<Data extends PixelData>(image: Image<Data>): Image<Data> {
  const { width, height, channels, data } = image;
  if (channels === 1) return image;
  const length = width * height;
  const grey: PixelData =
    data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  for (let i = 0; i < length; i++) grey[i] = luminance(data, i * channels);
  return new Image({ width, height, channels: 1, data: grey as Data });
}

/** Three channels: grey is repeated, alpha is dropped. An RGB picture is returned as it is. */
export function toRgb<Data extends PixelData>(image: Image<Data>): Image<Data> {
  const { width, height, channels, data } = image;
  if (channels === 3) return image;
  const length = width * height * 3;
  const rgb: PixelData =
    data instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  const [green, blue] = channels === 1 ? [0, 0] : [1, 2];
  for (let i = 0, out = 0; out < length; i += channels, out += 3) {
    rgb[out] = data[i]!;
    rgb[out + 1] = data[i + green]!;
    rgb[out + 2] = data[i + blue]!;
  }
  return new Image({ width, height, channels: 3, data: rgb as Data });
}

/** Eight bits a value: the high byte of sixteen. */
export function toBytes(image: Image<PixelData>): Image {
  const { width, height, channels, data } = image;
  const bytes = data instanceof Uint8Array ? data : Uint8Array.from(data, (value) => value >> 8);
  return new Image({ width, height, channels, data: bytes });
}

/** Throws an ImageError unless the picture has 8 bits and colours. */
export function requireColour(image: Image, operation: string): Image {
  requireBytes(image, operation);
  return toRgb(image);
}
