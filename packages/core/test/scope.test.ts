import { beforeAll, describe, expect, it } from 'vitest';

import {
  add,
  DataError,
  keep,
  memory,
  parameter,
  scope,
  square,
  tensor,
  type Scope,
  type Tensor,
} from '../src/index.ts';
import { useJs, watchHandles } from './lab.ts';

beforeAll(useJs);

const before = watchHandles();

const live = (): number => memory().handles - before();
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 1));

describe('scope', () => {
  it('frees what was made in it but its result', () => {
    const y = scope(() => {
      const x = tensor([1, 2]);
      square(x);
      return add(x, x);
    });
    expect(live()).toBe(1);
    expect(y.disposed).toBe(false);
    y.dispose();
  });

  it('finds results in arrays, maps and objects', () => {
    const result = scope(() => ({
      list: [tensor([1]), [tensor([2])]],
      map: new Map([['a', tensor([3])]]),
      count: 4,
      nothing: null,
      left: 'text',
    }));
    expect(live()).toBe(3);
    const [first, [second]] = result.list as [Tensor, [Tensor]];
    for (const each of [first, second, ...result.map.values()]) each.dispose();
  });

  it('hands its result to the scope around it', () => {
    scope(() => {
      const inner = scope(() => tensor([1]));
      expect(inner.disposed).toBe(false);
    });
    expect(live()).toBe(0);
  });

  it('leaves tensors from outside and slots alone', () => {
    const outside = tensor([1]);
    const slot = scope(() => {
      square(outside);
      return { ignored: parameter(tensor([2])) };
    }).ignored;
    expect([outside.disposed, slot.disposed]).toEqual([false, false]);
    outside.dispose();
    slot.dispose();
  });

  it('lets go of what is kept', () => {
    let kept: Tensor | undefined;
    scope(() => {
      kept = keep(tensor([1]));
      scope((s) => s.keep(tensor([2]))).dispose();
    });
    expect(kept!.disposed).toBe(false);
    kept!.dispose();
  });

  it('frees everything when its function throws, and passes the error on', () => {
    expect(() =>
      scope(() => {
        tensor([1]);
        scope(() => tensor([2]));
        throw new Error('mine');
      }),
    ).toThrow('mine');
    expect(live()).toBe(0);
    // The scope is over: what comes after belongs to no scope.
    const later = tensor([1]);
    expect(later.disposed).toBe(false);
    later.dispose();
  });

  it('tolerates disposal of what it would free', () => {
    scope(() => {
      const x = tensor([1]);
      x.dispose();
      x.dispose();
    });
    expect(live()).toBe(0);
  });
});

const task = (value: number, wait: () => Promise<void>): Promise<Tensor> =>
  scope(async (s) => {
    const x = tensor([value]);
    await wait();
    const y = s.run(() => add(x, 1));
    await wait();
    return s.run(() => add(y, x));
  });

describe('a scope of an async function', () => {
  it('frees what the function made, later work through run() included', async () => {
    const y = await scope(async (s) => {
      const x = tensor([1, 2]);
      await pause();
      const doubled = s.run(() => add(x, x));
      await pause();
      return s.run(() => square(doubled));
    });
    expect(live()).toBe(1);
    expect([...(await y.data())]).toEqual([4, 16]);
    y.dispose();
  });

  it('frees everything when the function rejects', async () => {
    await expect(
      scope(async (s) => {
        tensor([1]);
        await pause();
        s.run(() => tensor([2]));
        throw new Error('mine');
      }),
    ).rejects.toThrow('mine');
    expect(live()).toBe(0);
  });

  it('does not mix with another that runs at the same time', async () => {
    const results = await Promise.all([task(1, pause), task(10, () => Promise.resolve())]);
    expect(await Promise.all(results.map((y) => y.item()))).toEqual([3, 21]);
    expect(live()).toBe(2);
    for (const y of results) y.dispose();
  });

  it('hands its result on even where the scope around it has ended', async () => {
    let late: Promise<Tensor> | undefined;
    scope(() => {
      late = scope(async (s) => {
        await pause();
        return s.run(() => tensor([1]));
      });
      return 'without waiting';
    });
    const y = await late!;
    expect(y.disposed).toBe(false);
    y.dispose();
  });

  it('refuses work after its end', async () => {
    let escaped: Scope | undefined;
    await scope(async (s) => {
      escaped = s;
    });
    expect(() => escaped!.run(() => tensor([1]))).toThrow(DataError);
    expect(live()).toBe(0);
  });
});
