// Backends for tests, and what most of them do with one.

import type { Backend, Handle, OpAttributes, OpName, Shape } from '@convoke/backend-api';
import { afterAll, beforeAll } from 'vitest';

import { createWorkers, type WorkersOptions } from '../src/index.ts';

/** A backend for the tests of a file; `backend()` is it once they run. */
export function testBackend(options: WorkersOptions = { threads: 2 }): () => Backend {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createWorkers(options);
  });
  afterAll(() => backend.dispose());
  return () => backend;
}

export function put(backend: Backend, shape: Shape, values: readonly number[]): Handle {
  return backend.upload({ shape, dtype: 'float32' }, Float32Array.from(values));
}

export function putInts(backend: Backend, shape: Shape, values: readonly number[]): Handle {
  return backend.upload({ shape, dtype: 'int32' }, Int32Array.from(values));
}

/** 0, 1, 2, ... in a shape. */
export function count(backend: Backend, shape: Shape): Handle {
  const size = shape.reduce((a, b) => a * b, 1);
  return put(
    backend,
    shape,
    Array.from({ length: size }, (_, i) => i),
  );
}

/** The first output of an op, whose other outputs are released. */
export function run<K extends OpName>(
  backend: Backend,
  op: K,
  inputs: readonly Handle[],
  attributes: OpAttributes[K],
  donate?: readonly number[],
): Handle {
  const [first, ...others] = backend.run(op, inputs, attributes, donate);
  for (const other of others) backend.release(other);
  return first!;
}

export async function read(backend: Backend, handle: Handle): Promise<number[]> {
  return Array.from(await backend.read(handle));
}

export function release(backend: Backend, ...handles: readonly Handle[]): void {
  for (const handle of handles) backend.release(handle);
}

const pointwise = {
  stride: [1, 1],
  padding: [0, 0, 0, 0],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
} as const;

/** The value of x [N, C, H, W] as a convolution leaves it: channels last. */
export function channelsLastCopy(backend: Backend, x: Handle): Handle {
  const channels = x.spec.shape[1]!;
  const identity = Array.from({ length: channels ** 2 }, (_, i) =>
    Number(i % (channels + 1) === 0),
  );
  const filter = put(backend, [channels, channels, 1, 1], identity);
  const y = run(backend, 'conv2d', [x, filter], pointwise);
  backend.release(filter);
  return y;
}
