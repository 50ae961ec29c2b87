// What the tests of families share: backends, weights that follow from names, the shared material.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inflateSync } from 'node:zlib';

import { js } from '@convoke/backend-js';
import { workers } from '@convoke/backend-workers';
import { noGrad, register, scope, tensor, use, type Backend, type Tensor } from '@convoke/core';
import type { Module } from '@convoke/nn';
import { readSafetensors } from '@convoke/weights/node';

import type { Architecture } from '../../src/architecture.ts';

export const backendNames = ['js', 'workers'] as const;

/** Makes it the current backend. */
export async function useBackend(
  name: (typeof backendNames)[number] = 'js',
  options?: object,
): Promise<Backend> {
  register(js);
  register(workers);
  return await use(name, options);
}

/** A network for 1000 classes of RGB images, in evaluation mode. */
export function build<Name extends string, Options extends object>(
  architecture: Architecture<Name, Options>,
  name: Name,
  options: Partial<Options> = {},
): Module {
  return architecture.build(name, { numClasses: 1000, inChannels: 3, ...options }).eval();
}

/** In [-1, 1): section 1 of the golden files' SPEC.md. */
function noise(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
}

function valuesOf(name: string, shape: readonly number[]): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  const bound = Math.SQRT2 * Math.sqrt(3 / (size / (shape[0] ?? 1)));
  let seed = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 0x01000193);
  const value = (u: number): number => {
    if (leaf === 'running_var') return 1 + 0.2 * Math.abs(u);
    if (leaf === 'input') return 1.5 * u;
    if (leaf !== 'weight') return 0.1 * u;
    return shape.length >= 2 ? u * bound : 1 + 0.1 * u;
  };
  return Float32Array.from({ length: size }, (_, i) => value(noise(seed, i)));
}

/** Gives a model the weights that follow from its names. */
export function fill<M extends Module>(model: M): M {
  const tensors = [...model.stateDict()].map(([name, { dtype, shape }]) => {
    const data = dtype === 'int32' ? new Int32Array(1) : valuesOf(name, shape);
    return [name, { dtype, shape, data }] as const;
  });
  model.loadStateDict(new Map(tensors));
  return model;
}

export const inputOf = (shape: readonly number[]): Tensor =>
  tensor(valuesOf('input', shape), { shape });

/** What the model gives for an input that follows from its shape. */
export async function logitsOf(
  model: Module,
  shape: readonly number[],
): Promise<ArrayLike<number>> {
  return await scope(() => noGrad(() => model.forward(inputOf(shape))).data());
}

/** RMS of the difference over RMS of the reference. */
export function relativeError(actual: ArrayLike<number>, reference: ArrayLike<number>): number {
  let [difference, whole] = [0, 0];
  for (let i = 0; i < reference.length; i++) {
    difference += (actual[i]! - reference[i]!) ** 2;
    whole += reference[i]! ** 2;
  }
  return actual.length === reference.length ? Math.sqrt(difference / whole) : Infinity;
}

const shared = resolve(
  process.env['CONVOKE_SHARED'] ?? fileURLToPath(new URL('../../../../../shared', import.meta.url)),
);

/** Paths of shared files, or null, said loudly, where one is not there. */
export function sharedPaths(paths: readonly string[]): string[] | null {
  const files = paths.map((path) => resolve(shared, path));
  const absent = files.find((file) => !existsSync(file));
  if (absent === undefined) return files;
  console.warn(`\n*** NOT TESTED: ${absent} is missing; set CONVOKE_SHARED ***\n`);
  return null;
}

/** The pixels [H, W, 3] of a PNG of 8-bit RGB that is not interlaced: an independent reader of a few lines. */
function readPng(file: string): { width: number; height: number; rgb: Uint8Array } {
  const bytes = readFileSync(file);
  const [width, height] = [bytes.readUInt32BE(16), bytes.readUInt32BE(20)];
  if (bytes.readUInt32BE(24) !== 0x08020000) throw new Error(`${file}: not 8-bit RGB`);
  const parts: Buffer[] = [];
  for (let at = 8; at < bytes.length; at += bytes.readUInt32BE(at) + 12) {
    const end = at + 8 + bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'IDAT')
      parts.push(bytes.subarray(at + 8, end));
  }
  const raw = inflateSync(Buffer.concat(parts));
  const [row, rgb] = [width * 3, new Uint8Array(width * height * 3)];
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (row + 1)]!;
    for (let i = 0; i < row; i++) {
      const at = (dy: number, dx: number): number =>
        y < dy || i < dx ? 0 : rgb[(y - dy) * row + i - dx]!;
      const [left, up, corner] = [at(0, 3), at(1, 0), at(1, 3)];
      const gradient = left + up - corner;
      const nearest = [left, up, corner].toSorted(
        (a, b) => Math.abs(gradient - a) - Math.abs(gradient - b),
      )[0]!;
      const guess = [0, left, up, (left + up) >> 1, nearest][filter]!;
      rgb[y * row + i] = raw[y * (row + 1) + 1 + i]! + guess;
    }
  }
  return { width, height, rgb };
}

export interface Photo {
  readonly name: string;
  readonly x: Tensor;
  /** Of the weights' own runtime. */
  readonly logits: ArrayLike<number>;
}

const photos = ['astronaut', 'cat', 'chelsea-cat', 'coffee', 'rocket', 'sunflower'];

/** The six photos at 224x224, each value by `normalize(0 to 255, channel)`, and what the network says of them. */
export async function photosOf(
  network: string,
  normalize: (value: number, channel: number) => number,
): Promise<Photo[] | null> {
  const files = sharedPaths([
    `golden/real/${network}.logits.safetensors`,
    ...photos.map((name) => `golden/real/inputs224/${name}.png`),
  ]);
  if (!files) return null;
  const [logitsFile, ...images] = files;
  const { tensors } = await readSafetensors(logitsFile!);
  return photos.map((name, i) => {
    const { width, height, rgb } = readPng(images[i]!);
    const pixels = width * height;
    const data = Float32Array.from({ length: rgb.length }, (_, k) => {
      const channel = Math.floor(k / pixels);
      return normalize(rgb[(k % pixels) * 3 + channel]!, channel);
    });
    const x = tensor(data, { shape: [1, 3, height, width] });
    return { name, x, logits: tensors.get(`${name}.logits`)!.data };
  });
}

export const indexOfLargest = (values: ArrayLike<number>): number =>
  Array.from(values).reduce((best, value, i) => (value > values[best]! ? i : best), 0);
