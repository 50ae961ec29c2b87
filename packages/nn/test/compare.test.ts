import { js } from '@convoke/backend-js';
import { BackendError, type Backend } from '@convoke/backend-api';
import { current, Generator, memory, register, use, type Tensor } from '@convoke/core';
import { beforeAll, describe, expect, it } from 'vitest';

import { compareBackends, Conv2d, Flatten, Linear, ReLU, Sequential } from '../src/index.ts';

let reference: Backend;

beforeAll(async () => {
  register(js);
  reference = await use('js');
});

/** Another instance of js, whose relu gives `factor` times what it should. */
async function leaning(factor: number): Promise<Backend> {
  const backend = await js.create();
  const run = backend.run.bind(backend);
  return Object.assign(backend, {
    name: 'leaning',
    run: ((op, inputs, attributes, donate) => {
      const outputs = run(op, inputs, attributes, donate);
      if (op !== 'relu') return outputs;
      const scale = backend.upload({ shape: [], dtype: 'float32' }, Float32Array.of(factor));
      const scaled = run('mul', [outputs[0]!, scale], {});
      for (const handle of [scale, outputs[0]!]) backend.release(handle);
      return scaled;
    }) as Backend['run'],
  });
}

function network(): Sequential {
  const generator = new Generator(1);
  return new Sequential({
    conv: new Conv2d({ inChannels: 1, outChannels: 3, kernelSize: 3, generator }),
    relu: new ReLU(),
    flatten: new Flatten(),
    head: new Linear({ inFeatures: 3 * 4 * 4, outFeatures: 2, generator }),
  });
}

const picture = (): Tensor => new Generator(2).normal([2, 1, 6, 6]);

describe('compareBackends', () => {
  it('names the first layer where a backend parts from the reference, and the largest difference', async () => {
    const [model, x, other] = [network(), picture(), await leaning(1.01)];
    const comparison = await compareBackends(model, x, ['js', other, reference]);
    expect(comparison.layers.map(({ name }) => name)).toEqual([
      'conv',
      'relu',
      'flatten',
      'head',
      '',
    ]);
    const [conv, relu] = comparison.layers;
    expect(conv!.differences).toEqual([0, 0]);
    expect(relu!.differences[0]).toBeCloseTo(0.01, 5);
    expect(relu!.differences[1]).toBe(0);
    expect(comparison.summaries.map(({ firstBeyond }) => firstBeyond)).toEqual(['relu', null]);
    expect(comparison.summaries[0]!.largest.difference).toBe(
      Math.max(...comparison.layers.map(({ differences }) => differences[0]!)),
    );
    expect(String(comparison)).toMatch(/leaning against js: first beyond 0.0001 at relu/);
    expect(String(comparison)).toMatch(/js against js: within 0.0001 everywhere/);
    model.dispose();
    x.dispose();
  });

  it('brings the model home in its mode, leaves the current backend, and frees what it made', async () => {
    const [model, x, other] = [network(), picture(), await leaning(1.5)];
    model.train();
    const before = memory().handles;
    await compareBackends(model, x, [other, 'js'], { tolerance: 1 });
    expect(model.parameters().every(({ backend }) => backend === reference)).toBe(true);
    expect([...model.namedModules().values()].every(({ training }) => training)).toBe(true);
    expect(current()).toBe(reference);
    expect(memory().handles).toBe(before);
    expect(other.memory().handles).toBe(0);
    model.dispose();
    x.dispose();
  });

  it('brings the model home where a backend fails or the caller aborts', async () => {
    const [model, x, other] = [network(), picture(), await leaning(1)];
    const failing = Object.assign(other, {
      run: () => {
        throw new BackendError('backend-failed', 'out of order');
      },
    });
    await expect(compareBackends(model, x, ['js', failing])).rejects.toThrow('out of order');
    const controller = new AbortController();
    const aborting = compareBackends(model, x, [reference, failing], {
      signal: controller.signal,
      onProgress: (done) => done === 0 && controller.abort(new Error('enough')),
    });
    await expect(aborting).rejects.toThrow('enough');
    expect(model.parameters().every(({ backend }) => backend === reference)).toBe(true);
    model.dispose();
    x.dispose();
  });

  it('needs two backends', async () => {
    const [model, x] = [network(), picture()];
    await expect(compareBackends(model, x, ['js'])).rejects.toThrow(/at least two/);
    model.dispose();
    x.dispose();
  });
});
