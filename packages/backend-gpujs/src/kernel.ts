// What kernels are written with: functions from values to storage, one an op, in tables by family. They know nothing of
// handles and counts. Sources are generated per shape; what varies from step to step is an argument, never source.

import {
  BackendError,
  formatSpec,
  sizeOf,
  type OpAttributes,
  type OpName,
  type Shape,
  type Spec,
  sameShape,
} from '@convoke/backend-api';

import type { Source } from './adapter.ts';
import { flatLayout, type Argument, type Buffer, type Device, type Layout } from './device.ts';
import { packImage, texelsOf, unpackImage } from './images.ts';
import type { KernelCache } from './kernel-cache.ts';
import type { Storage } from './storage.ts';

export interface Value {
  readonly spec: Spec;
  readonly storage: Storage;
}

/** Computes an op. Each output is a buffer of its own, or the storage of an input that it shares. */
export type OpKernel<K extends OpName> = (
  kit: Kit,
  inputs: readonly Value[],
  attributes: OpAttributes[K],
  outputs: readonly Spec[],
) => readonly (Buffer | Storage)[];

export type OpKernels = { readonly [K in OpName]?: OpKernel<K> };

/** A number as scripts and GLSL write it. */
export function literal(value: number): string {
  if (value === Infinity) return '3.4028234e38';
  if (value === -Infinity) return '(0.0 - 3.4028234e38)';
  const text = String(Math.abs(Math.fround(value)));
  const written = /[.e]/.test(text) ? text : `${text}.0`;
  return value < 0 ? `(0.0 - ${written})` : written;
}

/** What an op has at hand while it runs; buffers taken for passing use are released at its end. */
export class Kit {
  readonly device: Device;
  readonly #cache: KernelCache;
  readonly #op: string;
  /** Names the op with its shapes and attributes: all that the sources depend on. */
  readonly #key: string;
  readonly #passing: Buffer[] = [];

  constructor(device: Device, cache: KernelCache, op: string, key: string) {
    this.device = device;
    this.#cache = cache;
    this.#op = op;
    this.#key = key;
  }

  /** A value's elements in C order. */
  flat({ storage }: { readonly storage: Storage }): Buffer {
    if (!storage.flat) {
      const { buffer, shape } = storage.image!;
      storage.flat = this.shared(`unpack ${shape.join()}`, this.layout(shape), [buffer], () =>
        unpackImage(shape),
      );
    }
    return storage.flat;
  }

  /** A value of [N, C, H, W] in texels of four channels. */
  image({ spec: { shape }, storage }: Value): Buffer {
    if (storage.image && sameShape(storage.image.shape, shape)) return storage.image.buffer;
    const flat = this.flat({ storage });
    const buffer = this.shared(`pack ${shape.join()}`, this.texels(texelsOf(shape)), [flat], () =>
      packImage(shape),
    );
    if (storage.image) return this.passing(buffer);
    storage.image = { buffer, shape };
    return buffer;
  }

  /** The layout of a flat tensor; throws where no texture is large enough. */
  layout(shape: Shape): Layout {
    return this.#fit(sizeOf(shape), 1, formatSpec({ dtype: 'float32', shape }));
  }

  /** The layout of so many texels of four numbers. */
  texels(count: number): Layout {
    return this.#fit(count, 4, `${count} groups of four`);
  }

  #fit(count: number, channels: 1 | 4, what: string): Layout {
    const { maxSize } = this.device;
    const layout = flatLayout(count, maxSize, channels);
    if (layout) return layout;
    throw new BackendError(
      'backend-memory',
      `gpujs: ${this.#op} needs a texture for ${what}, ${count * channels} numbers; this device's textures have at most ${maxSize} x ${maxSize}. Work on smaller batches`,
    );
  }

  /**
   * Runs a kernel that gives `shape`, flat. `step` tells an op's kernels apart; `source` gives the statements for the names of
   * the arguments.
   */
  compute(
    step: string,
    shape: Shape,
    values: readonly Argument[],
    names: readonly string[],
    script: () => string,
  ): Buffer {
    const layout = this.layout(shape);
    if (sizeOf(shape) === 0) return this.device.allocate(layout);
    return this.launch(step, layout, values, () => ({ arguments: names, script: script() }));
  }

  launch(step: string, layout: Layout, values: readonly Argument[], source: () => Source): Buffer {
    return this.launchParts(step, layout, values, source)[0]!;
  }

  /** Runs a kernel of several outputs. */
  launchParts(
    step: string,
    layout: Layout,
    values: readonly Argument[],
    source: () => Source,
  ): readonly Buffer[] {
    const kernel = this.#cache.get(`${step}|${this.#key}`, () =>
      this.device.compile(source(), layout),
    );
    return kernel.run(values);
  }

  /** A kernel that does not depend on the op's shapes and attributes but on `key`. */
  shared(key: string, layout: Layout, values: readonly Argument[], source: () => Source): Buffer {
    return this.#cache.get(key, () => this.device.compile(source(), layout)).run(values)[0]!;
  }

  /** Marks a buffer as needed by this op only. */
  passing(buffer: Buffer): Buffer {
    this.#passing.push(buffer);
    return buffer;
  }

  finish(): void {
    for (const buffer of this.#passing) this.device.release(buffer);
  }
}
