import { createMeta, type Backend, type Handle } from '@convoke/backend-api';
import { beforeAll, describe, expect, it, vi } from 'vitest';

import {
  add,
  BackendError,
  buffer,
  cast,
  current,
  DisposedError,
  parameter,
  scope,
  ShapeError,
  square,
  sum,
  tensor,
} from '../src/index.ts';
import { useJs, watchHandles } from './lab.ts';

beforeAll(useJs);

watchHandles();

describe('a tensor', () => {
  it('is read as data, nested arrays or one number', async () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(x).toMatchObject({ shape: [2, 2], dtype: 'float32', size: 4, disposed: false });
    expect(await x.data()).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await x.array()).toEqual([
      [1, 2],
      [3, 4],
    ]);
    await expect(x.item()).rejects.toThrow(ShapeError);
    const one = tensor(5);
    expect(await one.item()).toBe(5);
    expect(await one.array()).toBe(5);
    x.dispose();
    one.dispose();
  });

  it('gives each reader its own copy', async () => {
    const x = tensor([1, 2]);
    const first = await x.data();
    first[0] = 9;
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
    x.dispose();
  });

  it('is read as it was when the read began', async () => {
    const x = tensor([1, 2]);
    const reading = x.data();
    x.dispose();
    expect(await reading).toEqual(Float32Array.of(1, 2));
  });

  it('names the op that uses it after its disposal', async () => {
    const x = tensor([1, 2]);
    const y = tensor([3, 4]);
    x.dispose();
    expect(() => add(y, x)).toThrow(DisposedError);
    expect(() => add(y, x)).toThrow(/^add: input 1, a float32 tensor of shape \[2\], was disposed/);
    await expect(x.data()).rejects.toThrow(/^data: /);
    await expect(x.item()).rejects.toThrow(ShapeError);
    await expect(x.to(current())).rejects.toThrow(DisposedError);
    expect(() => x.handle).toThrow(DisposedError);
    y.dispose();
  });

  it('is disposed by `using`-style disposal and only once', () => {
    const x = tensor([1]);
    x[Symbol.dispose]();
    x.dispose();
    expect(x.disposed).toBe(true);
  });

  it('moves to another backend as a copy', async () => {
    const meta = createMeta();
    const x = tensor([[1, 2]]);
    const copy = await x.to(meta);
    expect(copy).toMatchObject({ shape: [1, 2], backend: meta });
    expect(x.disposed).toBe(false);
    x.dispose();
    copy.dispose();
    expect(meta.memory().handles).toBe(0);
  });

  it('stays as it was when a move fails', async () => {
    const full: Backend = Object.assign(Object.create(createMeta()) as Backend, {
      name: 'full',
      upload(): Handle {
        throw new BackendError('backend-memory', 'full: out of memory');
      },
    });
    const x = tensor([1, 2]);
    await expect(x.to(full)).rejects.toThrow('out of memory');
    expect(await x.data()).toEqual(Float32Array.of(1, 2));
    x.dispose();
  });

  it('does not move with gradient history', async () => {
    const w = parameter(tensor([1]));
    const y = square(w);
    await expect(y.to(createMeta())).rejects.toThrow(/detach\(\)/);
    y.dispose();
    w.dispose();
  });
});

describe('a slot', () => {
  it('takes a value over', async () => {
    const w = parameter(tensor([1, 2]));
    const next = tensor([3, 4]);
    w.assign(next);
    expect(next.disposed).toBe(true);
    expect(await w.data()).toEqual(Float32Array.of(3, 4));
    w.assign(w);
    expect(await w.data()).toEqual(Float32Array.of(3, 4));
    w.dispose();
  });

  it('refuses a value that does not fit and leaves both whole', async () => {
    const w = buffer(tensor([1, 2]));
    const meta = createMeta();
    const elsewhere = tensor([1, 2], { backend: meta });
    const [longer, whole] = [tensor([1, 2, 3]), tensor([1, 2], { dtype: 'int32' })];
    expect(() => w.assign(longer)).toThrow(/^assign: expected float32 \[2\], got float32 \[3\]/);
    expect(() => w.assign(whole)).toThrow(ShapeError);
    expect(() => w.assign(elsewhere)).toThrow(BackendError);
    expect(await w.data()).toEqual(Float32Array.of(1, 2));
    for (const each of [longer, whole, elsewhere]) {
      expect(each.disposed).toBe(false);
      each.dispose();
    }
    w.dispose();
  });

  it('takes nothing over once it is disposed', () => {
    const w = buffer(tensor([1]));
    w.dispose();
    const next = tensor([2]);
    expect(() => w.assign(next)).toThrow(DisposedError);
    expect(next.disposed).toBe(false);
    next.dispose();
  });

  it('outlives the scope it was made in, its gradient too', () => {
    const w = scope(() => {
      const slot = parameter(tensor([1]));
      return { slot, loss: sum(square(slot)) };
    });
    expect(w.slot.disposed).toBe(false);
    w.loss.dispose();
    w.slot.dispose();
  });

  it('of whole numbers requires no gradient', () => {
    const steps = scope(() => buffer(cast(tensor([1]), 'int32')));
    expect(() => steps.setRequiresGrad(true)).toThrow(/float32/);
    steps.dispose();
  });
});

describe('toString', () => {
  it('shows shape, dtype, backend and aligned elements', () => {
    const x = tensor([
      [1, -20.5],
      [1e7, 0],
    ]);
    const lines = String(x).split('\n');
    expect(lines[0]).toBe('Tensor(float32 [2, 2] on js)');
    expect(lines[1]!.replaceAll(' ', '')).toBe('[[1.0000,-20.5000],');
    expect(lines[2]!.replaceAll(' ', '')).toBe('[1.0000e+7,0.0000]]');
    // Columns line up.
    expect(lines[1]!.indexOf(',')).toBe(lines[2]!.indexOf(','));
    x.dispose();
  });

  it('leaves out the middle of long axes', () => {
    const x = tensor(Float32Array.from({ length: 1000 }, (_, i) => i));
    const text = String(x);
    expect(text).toContain('2.0000, ...,');
    expect(text).toContain('999.0000]');
    expect(text.length).toBeLessThan(200);
    x.dispose();
  });

  it.each([
    ['a scalar', () => tensor(2.5), '\n2.5000'],
    ['booleans', () => tensor([true, false]), 'true, false]'],
    ['whole numbers', () => tensor([1, -22], { dtype: 'int32' }), '[  1, -22]'],
    ['no elements', () => tensor([]), '\n[]'],
    ['NaN and infinity', () => tensor([NaN, -Infinity]), 'NaN, -Infinity]'],
  ])('shows %s', (_, make, expected) => {
    const x = make();
    expect(String(x)).toContain(expected);
    x.dispose();
  });

  it('shows what it can where elements cannot be read', () => {
    const x = tensor([1, 2], { backend: createMeta() });
    expect(String(x)).toBe('Tensor(float32 [2] on meta)');
    x.dispose();
    expect(String(x)).toBe('Tensor(disposed, float32 [2])');
  });

  it('tells why a value cannot be read instead of throwing', () => {
    const x = tensor([1]);
    const reading = vi.spyOn(current(), 'readSync').mockImplementation(() => {
      throw new BackendError('backend-failed', 'exp: failed late');
    });
    expect(String(x)).toContain('exp: failed late');
    reading.mockRestore();
    x.dispose();
  });
});
