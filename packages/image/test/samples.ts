// Pictures for tests, and the shared material where it is there.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { Image, type Channels } from '../src/index.ts';

/** Numbers in [0, 1) by a seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function noise(width: number, height: number, channels: Channels, seed = 1): Image {
  const random = randomOf(seed);
  const length = width * height * channels;
  const data = Uint8Array.from({ length }, () => Math.floor(random() * 256));
  return new Image({ width, height, channels, data });
}

/** Slow waves of colour with a hard-edged square: compresses as a photo does. */
export function scene(width: number, height: number, channels: Channels): Image {
  const image = new Image({ width, height, channels });
  for (let i = 0; i < image.data.length; i++) {
    const c = i % channels;
    const x = Math.floor(i / channels) % width;
    const y = Math.floor(i / channels / width);
    const inside = x > width / 3 && x < width / 2 && y > height / 3 && y < height / 2;
    image.data[i] = inside ? 230 - 40 * c : 128 + 90 * Math.sin(x / 9 + c) * Math.cos(y / 7 - c);
  }
  return image;
}

/** The values at a pixel. */
export function pixel({ width, channels, data }: Image, x: number, y: number): number[] {
  const at = (y * width + x) * channels;
  return Array.from(data.subarray(at, at + channels));
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}

/** A folder of the shared material, or null, loudly, where it is not there. */
export function sharedFolder(path: string): string | null {
  const root = fileURLToPath(new URL('../../..', import.meta.url));
  const folder = join(process.env['CONVOKE_SHARED'] ?? join(root, '../shared'), path);
  if (existsSync(folder)) return folder;
  console.warn(
    `\n*** ${folder} IS NOT THERE: the tests that read it are skipped; set CONVOKE_SHARED ***\n`,
  );
  return null;
}
