import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';

import { liveTensors, scope, setDebug, square, tensor, type Tensor } from '../src/index.ts';
import { useJs } from './lab.ts';

beforeAll(useJs);
afterEach(() => setDebug({ leaks: false }));

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Collects garbage until `done`; finalizers run some time after. */
async function collectUntil(done: () => boolean): Promise<void> {
  for (let i = 0; i < 50 && !done(); i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function leakOne(): void {
  tensor([1, 2, 3]);
}

describe('debug mode', () => {
  it('warns of a tensor that is collected undisposed, with the stack that made it', async () => {
    const warnings: string[] = [];
    setDebug({ leaks: true, warn: (message) => warnings.push(message) });
    leakOne();
    await collectUntil(() => warnings.length > 0);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('without dispose()');
    expect(warnings[0]).toContain('leakOne');
    expect(liveTensors()).toEqual([]);
  });

  it('shows the line that called, however deep below it the tensor was made', () => {
    setDebug({ leaks: true });
    const nested = (depth: number): Tensor => (depth === 0 ? tensor([1]) : nested(depth - 1));
    function caller(): Tensor {
      return nested(20);
    }
    const x = caller();
    expect(liveTensors()[0]).toMatch(/^\s*at new Tensor/);
    expect(liveTensors()[0]).toContain('caller');
    x.dispose();
  });

  it('is quiet about tensors that were disposed or freed by a scope', async () => {
    const warn = vi.fn<(message: string) => void>();
    setDebug({ leaks: true, warn });
    tensor([1]).dispose();
    scope(() => {
      square(tensor([2]));
    });
    expect(liveTensors()).toEqual([]);
    await collectUntil(() => warn.mock.calls.length > 0);
    expect(warn).not.toHaveBeenCalled();
  });

  it('lists where live tensors were made', () => {
    setDebug({ leaks: true });
    const x = tensor([1]);
    expect(liveTensors()).toHaveLength(1);
    expect(liveTensors()[0]).toContain('leaks.test.ts');
    x.dispose();
    expect(liveTensors()).toEqual([]);
  });

  it('watches nothing while it is off', () => {
    const x = tensor([1]);
    expect(liveTensors()).toEqual([]);
    x.dispose();
  });
});

describe('a second copy of this package', () => {
  it('is found out at its first tensor', async () => {
    tensor([1]).dispose();
    vi.resetModules();
    const other = await import('../src/index.ts');
    expect(() => other.tensor([1], { backend: other.createMeta() })).toThrow(
      /two copies of @convoke\/core/,
    );
  });
});
