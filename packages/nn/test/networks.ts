// The backend and the small networks that the tests share, and PyTorch's facts about them.

import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

import { js } from '@convoke/backend-js';
import {
  add,
  flatten,
  Generator,
  globalAvgPool2d,
  maxPool2d,
  pad,
  register,
  relu,
  scope,
  slice,
  use,
  type Tensor,
} from '@convoke/core';

import { BatchNorm2d, Conv2d, Linear, Module, Sequential } from '../src/index.ts';

export async function useJs(): Promise<void> {
  register(js);
  await use('js');
}

/** LeNet-5 with ReLU and max-pooling, for [N, 1, 28, 28]. */
export class LeNet5 extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;

  constructor(generator: Generator = new Generator(1)) {
    super();
    this.conv1 = new Conv2d({
      inChannels: 1,
      outChannels: 6,
      kernelSize: 5,
      padding: 2,
      generator,
    });
    this.conv2 = new Conv2d({ inChannels: 6, outChannels: 16, kernelSize: 5, generator });
    this.fc1 = new Linear({ inFeatures: 400, outFeatures: 120, generator });
    this.fc2 = new Linear({ inFeatures: 120, outFeatures: 84, generator });
    this.fc3 = new Linear({ inFeatures: 84, outFeatures: 10, generator });
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const c1 = maxPool2d(relu(this.conv1.forward(x)), { kernelSize: 2 });
      const c2 = maxPool2d(relu(this.conv2.forward(c1)), { kernelSize: 2 });
      const f1 = relu(this.fc1.forward(flatten(c2)));
      return this.fc3.forward(relu(this.fc2.forward(f1)));
    });
  }
}

const shared = resolve(
  process.env['CONVOKE_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url)),
);

/** A JSON file of the shared material, or null, said loudly, where it is not there. */
export function sharedJson<T>(path: string): T | null {
  const file = resolve(shared, path);
  if (!existsSync(file)) {
    console.warn(
      `\n*** NOT TESTED: ${file} is missing; set CONVOKE_SHARED to the folder that holds ${path} ***\n`,
    );
    return null;
  }
  const bytes = readFileSync(file);
  return JSON.parse((file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString()) as T;
}

function hashOf(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) {
    hash = Math.imul(hash ^ byte, 0x01000193);
  }
  return hash >>> 0;
}

/** In [-1, 1). */
function noise(seed: number, i: number): number {
  let x = (Math.imul(i, 0x9e3779b9) + seed) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return ((x ^ (x >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** The golden networks' values: they follow from a tensor's name and shape (section 1 of the golden files' SPEC.md). */
export function goldenValues(
  name: string,
  shape: readonly number[],
  gain: number = Math.SQRT2,
): Float32Array {
  const size = shape.reduce((a, b) => a * b, 1);
  const leaf = name.slice(name.lastIndexOf('.') + 1);
  const seed = hashOf(name);
  const bound = gain * Math.sqrt(3 / (size / (shape[0] ?? 1)));
  const value = (u: number): number => {
    if (leaf === 'num_batches_tracked') return 0;
    if (leaf === 'running_var') return 1 + 0.2 * Math.abs(u);
    if (leaf === 'input') return 1.5 * u;
    if (leaf !== 'weight') return 0.1 * u;
    return shape.length >= 2 ? u * bound : 1 + 0.1 * u;
  };
  return Float32Array.from({ length: size }, (_, i) => value(noise(seed, i)));
}

/** Two 3x3 convolutions and a shortcut that fills up with zeros: He et al. 2015, section 4.2, option A. */
class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly #stride: number;
  readonly #extra: number;

  constructor(inChannels: number, outChannels: number, stride: number) {
    super();
    const conv = { outChannels, kernelSize: 3, padding: 1, bias: false };
    this.conv1 = new Conv2d({ ...conv, inChannels, stride });
    this.bn1 = new BatchNorm2d({ channels: outChannels });
    this.conv2 = new Conv2d({ ...conv, inChannels: outChannels });
    this.bn2 = new BatchNorm2d({ channels: outChannels });
    this.#stride = stride;
    this.#extra = outChannels - inChannels;
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const inner = relu(this.bn1.forward(this.conv1.forward(x)));
      const y = this.bn2.forward(this.conv2.forward(inner));
      const thinned = slice(x, { starts: [0, 0, 0, 0], steps: [1, 1, this.#stride, this.#stride] });
      const none: [number, number] = [0, 0];
      const shortcut = pad(thinned, { padding: [none, [0, this.#extra], none, none] });
      return relu(add(y, shortcut));
    });
  }
}

const stage = (inChannels: number, outChannels: number, stride: number): Sequential =>
  new Sequential([
    new BasicBlock(inChannels, outChannels, stride),
    new BasicBlock(outChannels, outChannels, 1),
    new BasicBlock(outChannels, outChannels, 1),
  ]);

/** ResNet-20 for [N, 3, 32, 32]. */
export class ResNet20 extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly fc: Linear;

  constructor() {
    super();
    this.conv1 = new Conv2d({
      inChannels: 3,
      outChannels: 16,
      kernelSize: 3,
      padding: 1,
      bias: false,
    });
    this.bn1 = new BatchNorm2d({ channels: 16 });
    this.layer1 = stage(16, 16, 1);
    this.layer2 = stage(16, 32, 2);
    this.layer3 = stage(32, 64, 2);
    this.fc = new Linear({ inFeatures: 64, outFeatures: 10 });
  }

  override forward(x: Tensor): Tensor {
    return scope(() => {
      const stem = relu(this.bn1.forward(this.conv1.forward(x)));
      const features = this.layer3.forward(this.layer2.forward(this.layer1.forward(stem)));
      return this.fc.forward(globalAvgPool2d(features));
    });
  }
}
