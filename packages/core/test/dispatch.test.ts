import {
  createMeta,
  isRequired,
  type Backend,
  type Data,
  type Handle,
  type OpName,
} from '@convoke/backend-api';
import { createJs } from '@convoke/backend-js';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { run } from '../src/dispatch.ts';
import {
  add,
  backward,
  BackendError,
  current,
  exp,
  explain,
  gelu,
  grad,
  memory,
  mul,
  observeOps,
  onBackend,
  parameter,
  scope,
  ShapeError,
  sigmoid,
  square,
  sum,
  tensor,
  variance,
} from '../src/index.ts';
import { useJs, watchHandles } from './lab.ts';

beforeAll(useJs);

afterEach(() => {
  vi.restoreAllMocks();
});
const before = watchHandles();

/** `backend` with some methods replaced. */
function over(backend: Backend, changes: Partial<Backend>): Backend {
  return new Proxy(backend, {
    get(target, key: keyof Backend) {
      if (key in changes) return changes[key];
      const value = target[key];
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
  });
}

/** Runs required ops only. */
const bare = (): Backend =>
  over(current(), { name: 'bare', supports: (op: OpName) => isRequired(op) });

describe('inputs of two backends', () => {
  it('are refused with both names', () => {
    const meta = createMeta();
    const [x, y] = [tensor([1]), tensor([2], { backend: meta })];
    expect(() => add(x, y)).toThrow(BackendError);
    expect(() => add(x, y)).toThrow(/^add: .*'js' and 'meta'.*to\(backend\)/);
    x.dispose();
    y.dispose();
    expect(meta.memory().handles).toBe(0);
  });

  it('are no matter where each op stays on one', async () => {
    const meta = createMeta();
    const shape = scope(() => onBackend(meta, () => square(tensor([1, 2]))).shape);
    expect(shape).toEqual([2]);
    const y = scope(() => square(tensor([1, 2])));
    expect(y.backend).toBe(current());
    y.dispose();
  });

  it('do not arise from numbers, which go where the tensor is', () => {
    const meta = createMeta();
    const x = tensor([1], { backend: meta });
    const y = scope(() => variance(add(mul(x, 2), 1), { correction: 0 }));
    expect(y.backend).toBe(meta);
    x.dispose();
    y.dispose();
    expect(meta.memory().handles).toBe(0);
  });
});

describe('an op that the backend lacks', () => {
  it('is decomposed with the same result and gradient', async () => {
    const lacking = bare();
    const results = await Promise.all(
      [current(), lacking].map(async (backend) => {
        const w = parameter(tensor([-1, 0.5, 2], { backend }));
        const y = scope(() => {
          const loss = sum(square(sigmoid(w)));
          backward(loss);
          return loss;
        });
        const values = [await y.item()].concat(Array.from(await w.grad!.data()));
        w.dispose();
        y.dispose();
        return values;
      }),
    );
    for (const [i, value] of results[0]!.entries()) expect(results[1]![i]).toBeCloseTo(value, 5);
  });

  it('is listed by explain', () => {
    const x = tensor([1, 2], { backend: bare() });
    const { result, ops } = explain(() => gelu(x));
    const names = ops.filter(({ decomposed }) => decomposed > 0).map(({ op }) => op);
    expect(names).toEqual(['gelu']);
    expect(ops.find(({ op }) => op === 'erf')).toEqual({ op: 'erf', run: 1, decomposed: 0 });
    x.dispose();
    result.dispose();
  });

  it('fails clearly where nothing can stand in', () => {
    const x = tensor([1], { backend: over(current(), { name: 'empty', supports: () => false }) });
    expect(() => run('exp', [x], {})).toThrow(/'empty' does not run the required op 'exp'/);
    x.dispose();
  });
});

describe('explain and observeOps', () => {
  it('count what ran inside only, nested ones too', () => {
    scope(() => {
      const x = tensor([1]);
      exp(x);
      const outer = explain(() => {
        exp(x);
        return explain(() => exp(x)).ops;
      });
      expect(outer.result).toEqual([{ op: 'exp', run: 1, decomposed: 0 }]);
      expect(outer.ops).toEqual([{ op: 'exp', run: 1, decomposed: 0 }]);
    });
  });

  it('see each op in order with its outputs', () => {
    const seen: string[] = [];
    scope(() => {
      const x = tensor([1, 2]);
      observeOps(
        (op, [y]) => seen.push(`${op} ${y!.shape.length}`),
        () => sum(exp(x)),
      );
      exp(x);
    });
    expect(seen).toEqual(['exp 1', 'reduceSum 0']);
  });

  it('reject async functions', () => {
    expect(() => explain(async () => 1)).toThrow(/^explain: .*async/);
    expect(() =>
      observeOps(
        () => undefined,
        async () => 1,
      ),
    ).toThrow(/^observeOps: .*async/);
    expect(() => onBackend(current(), async () => 1)).toThrow(/^onBackend: .*async/);
  });
});

describe('a donated input', () => {
  it('is disposed and counted once', () => {
    const x = tensor([1, 2]);
    const y = run('exp', [x], {}, { donate: [0] });
    expect(x.disposed).toBe(true);
    y.dispose();
    const z = tensor([1, 2]);
    const product = run('mul', [z, z], {}, { donate: [0, 1] });
    expect(z.disposed).toBe(true);
    product.dispose();
  });

  it('keeps its value for the tape', async () => {
    const w = parameter(tensor([1, 3]));
    const y = scope(() => {
      const inner = add(w, 1);
      const result = sum(run('square', [inner], {}, { donate: [0] }));
      expect(inner.disposed).toBe(true);
      return result;
    });
    backward(y);
    expect(await w.grad!.data()).toEqual(Float32Array.of(4, 8));
    y.dispose();
    w.dispose();
  });

  it('is disposed where the op is decomposed', () => {
    const x = tensor([1, 2], { backend: bare() });
    run('gelu', [x], { approximate: 'none' }, { donate: [0] }).dispose();
    expect(x.disposed).toBe(true);
    const w = parameter(tensor([1, 2], { backend: bare() }));
    const inner = add(w, w);
    run('gelu', [inner], { approximate: 'none' }, { donate: [0] }).dispose();
    expect(inner.disposed).toBe(true);
    w.dispose();
  });

  it('stays where the op is refused', () => {
    const x = tensor([1, 2]);
    expect(() => run('reshape', [x], { shape: [3] }, { donate: [0] })).toThrow(ShapeError);
    expect(x.disposed).toBe(false);
    x.dispose();
  });
});

describe('an op that fails', () => {
  it('leaves nothing behind when the backend refuses in the middle of a composite', () => {
    const backend = current();
    const original = backend.run.bind(backend);
    const x = tensor([[1, 2, 3]]);
    for (const failing of ['reduceMean', 'sub', 'square', 'reduceSum', 'div'] as const) {
      vi.spyOn(backend, 'run').mockImplementation(((...args: Parameters<Backend['run']>) => {
        if (args[0] === failing) throw new BackendError('backend-memory', `${failing}: full`);
        return original(...args);
      }) as Backend['run']);
      expect(() => variance(x)).toThrow(`${failing}: full`);
      vi.restoreAllMocks();
      expect(memory().handles).toBe(before() + 1);
    }
    x.dispose();
  });

  it('that fails late poisons readers only of its result, gradients included', async () => {
    const backend = current();
    const poisoned = new WeakSet<Handle>();
    const late = over(backend, {
      name: 'late',
      run: ((op: OpName, inputs: readonly Handle[], ...rest: [never, never]) => {
        const outputs = backend.run(op, inputs, ...rest);
        if (op === 'exp' || inputs.some((handle) => poisoned.has(handle)))
          for (const handle of outputs) poisoned.add(handle);
        return outputs;
      }) as Backend['run'],
      read: (handle: Handle): Promise<Data> =>
        poisoned.has(handle)
          ? Promise.reject(new BackendError('backend-failed', 'exp: failed late'))
          : backend.read(handle),
    });
    const w = parameter(tensor([1, 2], { backend: late }));
    const [bad, good] = scope(() => {
      const loss = sum(run('exp', [w], {}));
      backward(loss);
      return [loss, square(w)] as const;
    });
    await expect(bad.item()).rejects.toThrow('exp: failed late');
    await expect(bad.item()).rejects.toThrow('exp: failed late');
    await expect(w.grad!.data()).rejects.toThrow('exp: failed late');
    expect(await good.data()).toEqual(Float32Array.of(1, 4));
    for (const each of [w, bad, good]) each.dispose();
  });
});

describe('history', () => {
  it('is noted for float32 ops on what requires a gradient only', () => {
    const w = parameter(tensor([1, 2]));
    scope(() => {
      expect(square(w).requiresGrad).toBe(true);
      expect(run('greater', [w, w], {}).requiresGrad).toBe(false);
      expect(run('cast', [w], { dtype: 'int32' }).requiresGrad).toBe(false);
      expect(square(tensor([1])).requiresGrad).toBe(false);
      expect(grad(sum(mul(w, 0)), [w])[0]!.shape).toEqual([2]);
    });
    w.dispose();
  });
});

it('two instances of one backend are told apart in words', async () => {
  const x = tensor([1]);
  const y = tensor([1], { backend: createJs() });
  expect(() => add(x, y)).toThrow(/^add: inputs are on two instances of backend 'js'/);
  x.dispose();
  y.dispose();
});
