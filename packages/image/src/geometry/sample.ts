// The pixel loops of rotation and affine maps, as Pillow runs them: nearest in 16.16 fixed point, bilinear and bicubic
// (a = -1) in floating point with edge pixels repeated. Output pixels whose source lies outside keep what they hold.

import type { Raster } from './resample.ts';

/** `[a, b, c, d, e, f]`: output pixel centre (x, y) is read at (a x + b y + c, d x + e y + f). */
export type AffineMatrix = readonly [
  a: number,
  b: number,
  c: number,
  d: number,
  e: number,
  f: number,
];

const fixed = (value: number): number => Math.floor(value * 65_536 + 0.5);

/** Whether 16.16 fixed point holds every position that the output reads. */
function fitsFixed([a, b, c, d, e, f]: AffineMatrix, { width, height }: Raster): boolean {
  return [
    [0, 0],
    [width - 1, height - 1],
    [0, height - 1],
    [width - 1, 0],
  ].every(
    ([x, y]) =>
      Math.abs(a * (x! + 0.5) + b * (y! + 0.5) + c) < 32_768 &&
      Math.abs(d * (x! + 0.5) + e * (y! + 0.5) + f) < 32_768,
  );
}

export function sampleNearest(source: Raster, target: Raster, matrix: AffineMatrix): void {
  const [a, b, c, d, e, f] = matrix;
  // Positions are integers over `unit`, or plain numbers where those would overflow or the axes stay apart.
  const unit = fitsFixed(matrix, target) && !(b === 0 && d === 0) ? 65_536 : 1;
  const convert = unit === 1 ? (value: number): number => value : fixed;
  const [stepX, stepY] = [convert(a), convert(d)];
  const [lineX, lineY] = [convert(b), convert(e)];
  let startX = convert(c + a * 0.5 + b * 0.5);
  let startY = convert(f + d * 0.5 + e * 0.5);
  const { channels, data } = source;
  let out = 0;
  for (let y = 0; y < target.height; y++) {
    let positionX = startX;
    let positionY = startY;
    for (let x = 0; x < target.width; x++, out += channels) {
      const column = Math.floor(positionX / unit);
      const row = Math.floor(positionY / unit);
      if (column >= 0 && column < source.width && row >= 0 && row < source.height) {
        const at = (row * source.width + column) * channels;
        for (let k = 0; k < channels; k++) target.data[out + k] = data[at + k]!;
      }
      positionX += stepX;
      positionY += stepY;
    }
    startX += lineX;
    startY += lineY;
  }
}

const clampIndex = (index: number, size: number): number =>
  index < 0 ? 0 : index < size ? index : size - 1;

export function sampleBilinear(source: Raster, target: Raster, matrix: AffineMatrix): void {
  const [a, b, c, d, e, f] = matrix;
  const { width, height, channels, data } = source;
  let out = 0;
  for (let row = 0; row < target.height; row++) {
    for (let column = 0; column < target.width; column++, out += channels) {
      const x = a * (column + 0.5) + b * (row + 0.5) + c;
      const y = d * (column + 0.5) + e * (row + 0.5) + f;
      if (!(x >= 0 && x < width && y >= 0 && y < height)) continue;
      const left = Math.floor(x - 0.5);
      const top = Math.floor(y - 0.5);
      const dx = x - 0.5 - left;
      const dy = y - 0.5 - top;
      const x0 = clampIndex(left, width) * channels;
      const x1 = clampIndex(left + 1, width) * channels;
      const y0 = clampIndex(top, height) * width * channels;
      const y1 = clampIndex(top + 1, height) * width * channels;
      for (let k = 0; k < channels; k++) {
        const upper = data[y0 + x0 + k]! * (1 - dx) + data[y0 + x1 + k]! * dx;
        const lower = data[y1 + x0 + k]! * (1 - dx) + data[y1 + x1 + k]! * dx;
        // Pillow cuts the fraction off here.
        target.data[out + k] = upper * (1 - dy) + lower * dy;
      }
    }
  }
}

/** Between v1 and v2 at `t`. */
function cubicBetween(v0: number, v1: number, v2: number, v3: number, t: number): number {
  return v1 + t * (v2 - v0 + t * (2 * (v0 - v1) + v2 - v3 + t * (v1 - v0 - v2 + v3)));
}

export function sampleBicubic(source: Raster, target: Raster, matrix: AffineMatrix): void {
  const [a, b, c, d, e, f] = matrix;
  const { width, height, channels, data } = source;
  const rows = new Int32Array(4);
  let out = 0;
  for (let row = 0; row < target.height; row++) {
    for (let column = 0; column < target.width; column++, out += channels) {
      const x = a * (column + 0.5) + b * (row + 0.5) + c;
      const y = d * (column + 0.5) + e * (row + 0.5) + f;
      if (!(x >= 0 && x < width && y >= 0 && y < height)) continue;
      const left = Math.floor(x - 0.5);
      const top = Math.floor(y - 0.5);
      const dx = x - 0.5 - left;
      const dy = y - 0.5 - top;
      const x0 = clampIndex(left - 1, width) * channels;
      const x1 = clampIndex(left, width) * channels;
      const x2 = clampIndex(left + 1, width) * channels;
      const x3 = clampIndex(left + 2, width) * channels;
      for (let i = 0; i < 4; i++) rows[i] = clampIndex(top - 1 + i, height) * width * channels;
      for (let k = 0; k < channels; k++) {
        const value = cubicBetween(
          cubicAlong(data, rows[0]! + k, x0, x1, x2, x3, dx),
          cubicAlong(data, rows[1]! + k, x0, x1, x2, x3, dx),
          cubicAlong(data, rows[2]! + k, x0, x1, x2, x3, dx),
          cubicAlong(data, rows[3]! + k, x0, x1, x2, x3, dx),
          dy,
        );
        target.data[out + k] = value < 0 ? 0 : value > 255 ? 255 : value;
      }
    }
  }
}

function cubicAlong(
  data: Uint8Array,
  row: number,
  x0: number,
  x1: number,
  x2: number,
  x3: number,
  t: number,
): number {
  return cubicBetween(data[row + x0]!, data[row + x1]!, data[row + x2]!, data[row + x3]!, t);
}
