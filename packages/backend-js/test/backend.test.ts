import {
  allocate,
  BackendError,
  createMeta,
  DataError,
  DisposedError,
  DtypeError,
  isRequired,
  opNames,
  ShapeError,
  type Backend,
  type Data,
  type Handle,
  type Spec,
} from '@convoke/backend-api';
import { beforeEach, describe, expect, test } from 'vitest';

import { createJs } from '../src/index.ts';
import { dtypes } from './computing.ts';

const vector = (length: number): Spec => ({ shape: [length], dtype: 'float32' });

let backend: Backend;
beforeEach(() => {
  backend = createJs();
});

function put(values: readonly number[], on: Backend = backend): Handle {
  return on.upload(vector(values.length), Float32Array.from(values));
}

function get(handle: Handle, on: Backend = backend): number[] {
  return [...on.readSync!(handle)];
}

function add(a: Handle, b: Handle, donate: readonly number[] = []): Handle {
  return backend.run('add', [a, b], {}, donate)[0]!;
}

/** A handle whose op failed: index 9 into two elements. */
function poisoned(): Handle {
  const indices = backend.upload({ shape: [1], dtype: 'int32' }, Int32Array.of(9));
  const x = put([1, 2]);
  const [y] = backend.run('gather', [x, indices], { axis: 0 }, [0, 1]);
  return y!;
}

describe('upload and read', () => {
  test('an upload is a snapshot and a read an own copy', async () => {
    const data = Float32Array.of(1, 2, 3);
    const x = backend.upload(vector(3), data);
    data.fill(9);
    const read = await backend.read(x);
    expect([...read]).toEqual([1, 2, 3]);
    read.fill(7);
    expect(get(x)).toEqual([1, 2, 3]);
  });

  test('every dtype comes back in its array, a bool as 0 or 1', async () => {
    for (const dtype of dtypes) {
      const data = allocate(dtype, 3);
      data.set([0, 1, 2]);
      const read = await backend.read(backend.upload({ shape: [3], dtype }, data));
      expect(read.constructor).toBe(data.constructor);
      expect([...read]).toEqual(dtype === 'bool' ? [0, 1, 1] : [0, 1, 2]);
    }
  });

  test('data that does not fit its spec is refused', () => {
    expect(() => backend.upload(vector(3), new Float32Array(2))).toThrow(
      new ShapeError('upload: float32 [3] takes 3 elements, got an array of 2'),
    );
    expect(() => backend.upload(vector(3), new Int32Array(3))).toThrow(DtypeError);
    expect(() => backend.upload(vector(3), [1, 2, 3] as unknown as Data)).toThrow(
      'upload: float32 [3] takes a Float32Array, got Array',
    );
    expect(() => backend.upload({ shape: [-1], dtype: 'float32' }, new Float32Array(1))).toThrow(
      ShapeError,
    );
    expect(backend.memory()).toMatchObject({ handles: 0, bytes: 0 });
  });

  test('a read keeps its value when the handle is donated or released before it resolves', async () => {
    const x = put([1, 2]);
    const pending = backend.read(x);
    const y = add(x, x, [0]);
    expect([...(await pending)]).toEqual([1, 2]);
    const last = backend.read(y);
    backend.release(y);
    put([8, 8]);
    expect([...(await last)]).toEqual([2, 4]);
  });
});

describe('ownership', () => {
  test('retain and release balance, and memory counts shared storage once', () => {
    const x = put([1, 2, 3, 4]);
    const y = backend.run('reshape', [x], { shape: [2, 2] })[0]!;
    backend.retain(x);
    expect(backend.memory()).toMatchObject({ handles: 2, bytes: 16 });
    backend.release(x);
    expect(backend.memory()).toMatchObject({ handles: 2, bytes: 16 });
    backend.release(x);
    expect(backend.memory()).toMatchObject({ handles: 1, bytes: 16 });
    expect(get(y)).toEqual([1, 2, 3, 4]);
    backend.release(y);
    expect(backend.memory()).toMatchObject({ handles: 0, bytes: 0 });
  });

  test('a donated input whose storage nobody else holds gives its memory to the output', () => {
    const limited = createJs({ maxBytes: 32 });
    const x = put([1, 2, 3, 4], limited);
    const y = put([1, 1, 1, 1], limited);
    const [z] = limited.run('add', [x, y], {}, [0]);
    expect(get(z!, limited)).toEqual([2, 3, 4, 5]);
    expect(limited.memory()).toMatchObject({ handles: 2, bytes: 32 });
  });

  test('a second count, an alias or a second use keeps donated memory from being overwritten', () => {
    const x = put([1, 2]);
    backend.retain(x);
    expect(get(add(x, x, [0]))).toEqual([2, 4]);
    expect(get(x)).toEqual([1, 2]);

    const alias = backend.run('reshape', [x], { shape: [1, 2] })[0]!;
    backend.run('neg', [x], {}, [0]);
    expect(get(alias)).toEqual([1, 2]);

    const [shared] = backend.run('permute', [alias], { permutation: [1, 0] });
    backend.run('neg', [alias], {}, [0]);
    expect(get(shared!)).toEqual([1, 2]);

    // The updates are read while the sums are written.
    const indices = backend.upload({ shape: [2], dtype: 'int32' }, Int32Array.of(1, 1));
    const twice = put([1, 10]);
    const [sums] = backend.run('scatterAdd', [twice, indices, twice], { axis: 0 }, [0]);
    expect(get(sums!)).toEqual([1, 21]);
  });

  test('results that merely share storage stay whole when the source is donated', () => {
    const x = put([1, 2, 3]);
    const [y] = backend.run('slice', [x], { starts: [0], sizes: [3], steps: [1] }, [0]);
    const [z] = backend.run('neg', [y!], {}, [0]);
    expect(get(z!)).toEqual([-1, -2, -3]);
    expect(backend.memory()).toMatchObject({ handles: 1, bytes: 12 });
  });

  test('a donation takes one count, and more than there are is refused', () => {
    const x = put([1]);
    backend.retain(x);
    add(x, x, [0, 1]);
    expect(() => get(x)).toThrow(DisposedError);
    const y = put([1]);
    expect(() => add(y, y, [0, 1])).toThrow(DisposedError);
    expect(() => add(y, y, [2])).toThrow('add: donate names position 2 of 2 inputs');
    expect(() => add(y, y, [0, 0])).toThrow('add: donate names position 0 twice');
    expect(get(y)).toEqual([1]);
  });

  test('use after the last release and double release are refused', async () => {
    const x = put([1]);
    backend.release(x);
    for (const use of [
      () => backend.release(x),
      () => backend.retain(x),
      () => backend.readSync!(x),
      () => add(x, x),
    ]) {
      expect(use).toThrow(DisposedError);
    }
    await expect(backend.read(x)).rejects.toThrow(DisposedError);
  });

  test('handles of another backend are refused', async () => {
    const other = createJs();
    const theirs = put([1], other);
    const symbolic = createMeta().upload(vector(1), Float32Array.of(1));
    for (const handle of [theirs, symbolic]) {
      expect(() => add(put([1]), handle)).toThrow(BackendError);
      expect(() => backend.release(handle)).toThrow(
        expect.objectContaining({ code: 'backend-mixed' }),
      );
      await expect(backend.read(handle)).rejects.toMatchObject({ code: 'backend-mixed' });
    }
    expect(get(theirs, other)).toEqual([1]);
  });
});

describe('memory', () => {
  test('is flat over many steps, with arrays large enough for the pool', () => {
    const size = 10_000;
    let x = put(Array.from({ length: size }, (_, i) => i % 7));
    const half = put([0.5]);
    const sizes = new Set<string>();
    for (let step = 0; step < 50; step++) {
      const [y] = backend.run('mul', [x, half], {});
      const [z] = backend.run('add', [y!, half], {}, [0]);
      backend.release(x);
      x = z!;
      if (step > 0) sizes.add(JSON.stringify(backend.memory()));
    }
    expect(sizes.size).toBe(1);
    expect(backend.memory()).toMatchObject({ handles: 2, bytes: size * 4 + 4 });
    expect(get(x)[size - 1]).toBeCloseTo(1, 6);
  });

  test('a recycled array never shows through', () => {
    const size = 5000;
    const dirty = put(Array.from({ length: size }, () => NaN));
    backend.release(dirty);
    const [zeros] = backend.run('fill', [], { shape: [size], dtype: 'float32', value: 0 });
    expect(get(zeros!).every((value) => value === 0)).toBe(true);
    backend.release(zeros!);
    const x = put([1, 2]);
    const [padded] = backend.run('pad', [x], {
      before: [0],
      after: [size - 2],
      interior: [0],
      value: 0,
    });
    expect(get(padded!).reduce((a, b) => a + b, 0)).toBe(3);
  });

  test('beyond maxBytes an op is refused before its donation, with request and totals', () => {
    const limited = createJs({ maxBytes: 1000 });
    const x = put(
      Array.from({ length: 100 }, () => 1),
      limited,
    );
    const grow = () => limited.run('broadcastTo', [x], { shape: [2, 100] }, [0]);
    expect(grow).toThrow(
      'js: broadcastTo needs another 800 bytes while tensors hold 400 and the op itself 0: more than the maxBytes of 1000',
    );
    expect(grow).toThrow(expect.objectContaining({ code: 'backend-memory' }));
    expect(() =>
      put(
        Array.from({ length: 151 }, () => 1),
        limited,
      ),
    ).toThrow('js: upload needs another 604');
    expect(get(x, limited)).toHaveLength(100);
    expect(limited.memory()).toMatchObject({ handles: 1, bytes: 400 });
    expect(limited.capabilities.maxBytes).toBe(1000);
    limited.release(x);
    expect(
      get(
        put(
          Array.from({ length: 250 }, () => 2),
          limited,
        ),
        limited,
      )[249],
    ).toBe(2);
  });

  test('what no machine has is refused as a lack of memory', () => {
    const x = put([1]);
    const grow = () => backend.run('broadcastTo', [x], { shape: [2 ** 26, 2 ** 26] }, [0]);
    expect(grow).toThrow(expect.objectContaining({ code: 'backend-memory' }));
    expect(get(x)).toEqual([1]);
  });

  test('a maxBytes that is no size is refused', () => {
    for (const maxBytes of [0, -1, NaN]) expect(() => createJs({ maxBytes })).toThrow(BackendError);
  });
});

describe('failures', () => {
  test('an op that fails on its data poisons its outputs and what depends on them', async () => {
    const bad = poisoned();
    const x = put([1, 2]);
    const dependant = add(bad, x);
    const [last] = backend.run('reshape', [dependant], { shape: [2, 1] }, [0]);
    for (const handle of [bad, last!, bad]) {
      await expect(backend.read(handle)).rejects.toThrow(DataError);
      expect(() => backend.readSync!(handle)).toThrow('gather: an index is out of range');
    }
    expect(last!.spec.shape).toEqual([2, 1]);
    expect(get(add(x, x))).toEqual([2, 4]);
    await expect(backend.sync()).resolves.toBeUndefined();
    backend.release(bad);
    backend.release(last!);
    backend.release(x);
    expect(backend.memory()).toMatchObject({ handles: 1, bytes: 8 });
  });

  test('sync tells of each failure that nobody has read, once, in order', async () => {
    const [first, second, third] = [poisoned(), poisoned(), poisoned()];
    await expect(backend.read(second)).rejects.toThrow(DataError);
    const told = await backend.sync().catch((error: unknown) => error);
    await expect(backend.read(first)).rejects.toBe(told);
    await expect(backend.sync()).rejects.toThrow(DataError);
    await expect(backend.sync()).resolves.toBeUndefined();
    await expect(backend.read(third)).rejects.toThrow(DataError);
  });

  test('a mistake in shapes is thrown at once, poisoned inputs or not, and takes no donation', () => {
    const [x, bad] = [put([1, 2, 3]), poisoned()];
    expect(() => backend.run('reshape', [bad], { shape: [2] }, [0])).toThrow(ShapeError);
    expect(() => add(x, put([1, 2]), [0])).toThrow(ShapeError);
    expect(get(x)).toEqual([1, 2, 3]);
    backend.release(bad);
  });

  test('a donated input of an op that fails is consumed all the same', () => {
    poisoned();
    expect(backend.memory()).toMatchObject({ handles: 1, bytes: 0 });
  });
});

describe('dispose', () => {
  test('frees everything, and later calls are refused', async () => {
    const x = put([1]);
    backend.dispose();
    backend.dispose();
    for (const use of [
      () => put([1]),
      () => add(x, x),
      () => backend.readSync!(x),
      () => backend.retain(x),
      () => backend.release(x),
      () => backend.memory(),
      () => backend.supports('add', [vector(1), vector(1)], {}),
    ]) {
      expect(use).toThrow(DisposedError);
    }
    await expect(backend.read(x)).rejects.toThrow(DisposedError);
    await expect(backend.sync()).rejects.toThrow(DisposedError);
  });
});

describe('supports', () => {
  test('takes every op of the catalogue', () => {
    expect(opNames.filter((op) => !backend.supports(op, [], {} as never))).toEqual([]);
  });

  test('with decomposeOnly takes the required ops only, and runs no other', () => {
    const plain = createJs({ decomposeOnly: true });
    for (const op of opNames) expect(plain.supports(op, [], {} as never)).toBe(isRequired(op));
    const x = put([1], plain);
    expect(() => plain.run('mish', [x], {}, [0])).toThrow(
      expect.objectContaining({ code: 'backend-unsupported' }),
    );
    expect(get(x, plain)).toEqual([1]);
  });
});
