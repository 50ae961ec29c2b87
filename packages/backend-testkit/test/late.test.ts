// Core on a backend that runs late: everything passes there too, whether it runs the optional ops or not. And the late backend
// itself is as late and as hostile as it says.

import { isConvokeError } from '@convoke/backend-api';
import { add, fromHost, mul, ones, scope } from '@convoke/core';
import { describe, expect, test } from 'vitest';

import { createLate, describeConformance, late, type LateBackend } from '../src/index.ts';

const failNext = (backend: unknown): void => (backend as LateBackend).failNext();

describeConformance({ describe, test }, late, { failNext });

describe('required ops only, in little memory', () => {
  const createOptions = { requiredOnly: true, maxBytes: 2 ** 22 };
  describeConformance({ describe, test }, late, { createOptions, failNext });
});

const pair = { shape: [2], dtype: 'float32' } as const;

describe('the late backend', () => {
  test('runs nothing before a read', async () => {
    const backend = createLate();
    const x = backend.upload(pair, Float32Array.of(1, 2));
    const index = backend.upload({ shape: [2], dtype: 'int32' }, Int32Array.of(0, 5));
    const [y] = backend.run('gather', [x, index], { axis: 0 });
    await Promise.resolve();
    await expect(backend.read(y!)).rejects.toThrow('out of range');
  });

  test('an op given a number to fail at fails there, and only there', async () => {
    const backend = createLate({ failures: [1] });
    const outputs = [0, 1, 2].map(() => {
      const x = backend.upload(pair, Float32Array.of(1, 2));
      return backend.run('mul', [x, x], {})[0]!;
    });
    await expect(backend.read(outputs[0]!)).resolves.toEqual(Float32Array.of(1, 4));
    await expect(backend.read(outputs[1]!)).rejects.toThrow("op 1, 'mul', was made to fail");
    await expect(backend.read(outputs[2]!)).resolves.toEqual(Float32Array.of(1, 4));
  });

  test('a failure reaches a loss through core, and what does not depend on it goes on', async () => {
    const backend = createLate();
    const x = fromHost(pair, Float32Array.of(1, 2), backend);
    const fine = mul(x, 2);
    backend.failNext();
    const broken = scope(() => add(mul(x, x), fine));
    await expect(broken.data()).rejects.toThrow('was made to fail');
    await expect(fine.data()).resolves.toEqual(Float32Array.of(2, 4));
    const error: unknown = await broken.data().catch((reason: unknown) => reason);
    expect(isConvokeError(error)).toBe(true);
  });

  test('a value whose storage was freed too early reads as NaN, not as luck', async () => {
    const backend = createLate();
    const x = backend.upload(
      { shape: [1, 3, 2, 2], dtype: 'float32' },
      new Float32Array(12).fill(1),
    );
    // Two handles on one storage: the second keeps it.
    const [view] = backend.run('reshape', [x], { shape: [12] });
    backend.release(x);
    await expect(backend.read(view!)).resolves.toEqual(new Float32Array(12).fill(1));
    expect(backend.memory()).toEqual({ handles: 1, bytes: 48 });
  });

  test('more than its memory is refused at once', () => {
    const backend = createLate({ maxBytes: 64 });
    expect(() => scope(() => ones([5, 5], { backend }))).toThrow('100 bytes are needed');
    expect(backend.memory()).toEqual({ handles: 0, bytes: 0 });
  });
});
