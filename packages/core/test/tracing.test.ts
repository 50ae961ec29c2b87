// The devices without data: what runs on meta has the right shapes, what runs on the recorder can be replayed.

import { createMeta, createRecorder, replay, type Handle } from '@convoke/backend-api';
import { beforeAll, describe, expect, it } from 'vitest';

import {
  add,
  backward,
  crossEntropy,
  current,
  fromHost,
  Generator,
  grad,
  linear,
  mean,
  mul,
  onBackend,
  parameter,
  relu,
  scope,
  square,
  sub,
  sum,
  Tensor,
  tensor,
} from '../src/index.ts';
import { mismatch, floats, ints, useJs, watchHandles } from './lab.ts';
import { samples } from './samples.ts';

beforeAll(useJs);

watchHandles();

const listOf = (result: Tensor | Tensor[]): Tensor[] => (Array.isArray(result) ? result : [result]);

const specs = (make: () => Tensor | Tensor[]): unknown =>
  scope(() => listOf(make()).map(({ shape, dtype }) => ({ shape, dtype })));

describe('on meta', () => {
  it.each(samples)('$name gives the shape and dtype it gives elsewhere', (sample) => {
    const meta = createMeta();
    const there = specs(() => onBackend(meta, () => sample.apply(...sample.inputs())));
    expect(there).toEqual(specs(() => sample.apply(...sample.inputs())));
    expect(meta.memory().handles).toBe(0);
  });

  it('gradients have shapes too, and multiply-adds are counted', () => {
    const meta = createMeta();
    const w = parameter(tensor(new Float32Array(12), { shape: [3, 4], backend: meta }));
    const loss = scope(() =>
      mean(relu(linear(tensor(new Float32Array(8), { shape: [2, 4], backend: meta }), w))),
    );
    expect(meta.macs).toBe(2 * 4 * 3);
    backward(loss);
    expect(w.grad!.shape).toEqual([3, 4]);
    w.dispose();
    loss.dispose();
    expect(meta.memory().handles).toBe(0);
  });
});

describe('on the recorder', () => {
  it.each(samples)('$name replays to what it gives at once', async (sample) => {
    const inputs = sample.inputs();
    const expected = listOf(sample.apply(...inputs));
    const recorder = createRecorder();
    const program = scope(() =>
      onBackend(recorder, () => {
        const symbols = inputs.map(({ spec }) => new Tensor(recorder, recorder.input(spec)));
        return recorder.finish(listOf(sample.apply(...symbols)).map(({ handle }) => handle));
      }),
    );
    expect(recorder.memory().handles).toBe(0);
    const outputs = replay(
      program,
      current(),
      inputs.map(({ handle }) => handle),
    );
    for (const [i, handle] of outputs.entries()) {
      const got = new Tensor(current(), handle);
      expect(
        await mismatch(got, { shape: expected[i]!.shape, data: await expected[i]!.data() }),
      ).toBeNull();
      got.dispose();
    }
    for (const each of [...inputs, ...expected]) each.dispose();
  });

  it('a training step, gradients included, replays to what it gives at once', async () => {
    const generator = new Generator(1);
    const weights = [
      parameter(generator.normal([8, 4])),
      parameter(generator.normal([8])),
      parameter(generator.normal([3, 8])),
    ] as const;
    const x = generator.normal([5, 4]);
    const classes = ints([5], [0, 2, 1, 1, 0]);

    const step = (images: Tensor, labels: Tensor): Tensor[] =>
      scope(() => {
        const hidden = relu(linear(images, weights[0], weights[1]));
        const penalty = mul(sum(square(weights[2])), 1e-2);
        const loss = add(crossEntropy(linear(hidden, weights[2]), labels), penalty);
        const slopes = grad(loss, weights);
        const updated = weights.map((w, i) => sub(w, mul(slopes[i]!, 0.1)));
        return [loss, ...updated];
      });

    const expected = step(x, classes);
    const recorder = createRecorder();
    const program = scope(() =>
      onBackend(recorder, () => {
        const symbols = [x, classes].map(({ spec }) => new Tensor(recorder, recorder.input(spec)));
        const results = step(...(symbols as [Tensor, Tensor]));
        return recorder.finish(results.map(({ handle }) => handle));
      }),
    );
    // Nothing ran meanwhile, though the penalty depends on parameters of another backend only.
    expect(program.captures.map(({ handle }) => handle)).toEqual(
      weights.map(({ handle }) => handle),
    );

    const outputs = replay(program, current(), [x.handle, classes.handle]);
    for (const [i, handle] of outputs.entries()) {
      const got = new Tensor(current(), handle);
      expect(
        await mismatch(got, { shape: expected[i]!.shape, data: await expected[i]!.data() }),
      ).toBeNull();
      got.dispose();
    }
    for (const each of [...weights, ...expected, x, classes]) each.dispose();
  });

  it('symbolic gradients of backward() belong to the parameters', async () => {
    const w = parameter(floats([2], [1, 2]));
    const recorder = createRecorder();
    const output: Handle = scope(() =>
      onBackend(recorder, () => {
        backward(sum(square(w)));
        return w.grad!.handle;
      }),
    );
    const program = recorder.finish([output]);
    w.clearGrad();
    const [slope] = replay(program, current(), []);
    expect(await current().read(slope!)).toEqual(Float32Array.of(2, 4));
    current().release(slope!);
    w.dispose();
  });

  it('captures a value of another backend once and leaves it to its owner', () => {
    const recorder = createRecorder();
    const x = floats([2], [1, 2]);
    scope(() => {
      const symbol = new Tensor(recorder, recorder.input(x.spec));
      add(add(symbol, x), x);
    });
    const { captures } = recorder.finish([]);
    expect(captures).toHaveLength(1);
    expect(captures[0]).toMatchObject({ owner: x.backend, handle: x.handle });
    x.dispose();
  });

  it('cannot be read', async () => {
    const recorder = createRecorder();
    const symbol = fromHost({ shape: [1], dtype: 'float32' }, Float32Array.of(1), recorder);
    await expect(symbol.data()).rejects.toThrow(/recorder/);
    symbol.dispose();
  });
});
