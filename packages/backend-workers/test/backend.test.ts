import type { Backend, Handle, OpName } from '@convoke/backend-api';
import { describe, expect, test } from 'vitest';

import { createWorkers } from '../src/index.ts';
import { channelsLastCopy, count, put, putInts, read, release, run, testBackend } from './lab.ts';

const backend = testBackend();

function usedBytes(): number {
  return backend().memory().details!['usedBytes']!;
}

function formBytes(): number {
  return backend().memory().details!['formBytes']!;
}

const conv = {
  stride: [1, 1],
  padding: [1, 1, 1, 1],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
} as const;

describe('ownership', () => {
  test('a reshape shares storage: its bytes count once, until the last of both is released', () => {
    const b = backend();
    const before = b.memory();
    const x = count(b, [4, 8]);
    const y = run(b, 'reshape', [x], { shape: [32] });
    expect(b.memory().handles).toBe(before.handles + 2);
    expect(b.memory().bytes).toBe(before.bytes + 128);
    b.release(x);
    expect(b.memory().bytes).toBe(before.bytes + 128);
    b.release(y);
    expect(b.memory().bytes).toBe(before.bytes);
  });

  test('ops that change nothing share the storage of their input', async () => {
    const b = backend();
    const x = count(b, [2, 3]);
    const { bytes } = b.memory();
    const same = [
      run(b, 'cast', [x], { dtype: 'float32' }),
      run(b, 'broadcastTo', [x], { shape: [2, 3] }),
      run(b, 'permute', [x], { permutation: [0, 1] }),
      run(b, 'concat', [x], { axis: 0 }),
      run(b, 'reduceSum', [x], { axes: [], keepDims: false }),
    ];
    expect(b.memory().bytes).toBe(bytes);
    b.release(x);
    for (const y of same) expect(await read(b, y)).toEqual([0, 1, 2, 3, 4, 5]);
    release(b, ...same);
  });

  test('released memory is free at once, while ops that read it may still wait to run', async () => {
    const b = backend();
    const x = count(b, [1024]);
    const before = usedBytes();
    let y = run(b, 'add', [x, x], {});
    for (let i = 0; i < 100; i++) {
      const z = run(b, 'mul', [y, x], {});
      b.release(y);
      y = z;
    }
    expect(usedBytes()).toBeLessThanOrEqual(before + 2 * (1024 * 4 + 128));
    release(b, x, y);
    await b.sync();
  });
});

describe('donation', () => {
  const cases: Readonly<Record<string, (x: Handle) => Handle>> = {
    'of one input': (x) => run(backend(), 'exp', [x], {}, [0]),
    'of the full input of a broadcast': (x) => {
      const one = put(backend(), [], [1]);
      const y = run(backend(), 'add', [one, x], {}, [1]);
      backend().release(one);
      return y;
    },
  };
  for (const [name, use] of Object.entries(cases)) {
    test(`${name} hands its memory to the output`, () => {
      const b = backend();
      const x = count(b, [4096]);
      const before = usedBytes();
      const y = use(x);
      expect(usedBytes()).toBe(before);
      b.release(y);
    });
  }

  test('takes no memory that a second count, a reshape or another input holds', async () => {
    const b = backend();
    const x = count(b, [3]);
    b.retain(x);
    const alias = run(b, 'reshape', [x], { shape: [3, 1] });
    const y = run(b, 'square', [x], {}, [0]);
    const z = run(b, 'add', [y, y], {}, [0]);
    expect(await read(b, x)).toEqual([0, 1, 2]);
    expect(await read(b, alias)).toEqual([0, 1, 2]);
    expect(await read(b, z)).toEqual([0, 2, 8]);
    release(b, x, alias, z);
  });

  test('an optimiser step runs in place', async () => {
    const b = backend();
    const lr = put(b, [], [0.5]);
    const [w, g] = [count(b, [5000]), count(b, [5000])];
    const before = usedBytes();
    const plain = { velocity: false, dampening: 0, nesterov: false, weightDecay: 0 };
    const next = run(b, 'sgdStep', [lr, w, g], plain, [1]);
    expect(usedBytes()).toBe(before);
    expect((await read(b, next)).slice(0, 4)).toEqual([0, 0.5, 1, 1.5]);
    release(b, lr, g, next);
  });

  test('of a constant tensor does not spoil it while it is read', async () => {
    const b = backend();
    const ones = run(b, 'fill', [], { shape: [300], dtype: 'float32', value: 1 });
    const x = count(b, [300]);
    const y = run(b, 'add', [ones, x], {}, [0]);
    expect(await read(b, y)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1));
    release(b, x, y);
  });
});

describe('late failures', () => {
  const badGather = (b: Backend, x: Handle, index: number): Handle => {
    const at = putInts(b, [1], [index]);
    const y = run(b, 'gather', [x, at], { axis: 0 });
    b.release(at);
    return y;
  };

  test('the error names the op, the index, the axis and what was expected', async () => {
    const b = backend();
    const x = count(b, [3]);
    const y = badGather(b, x, 7);
    await expect(b.read(y)).rejects.toMatchObject({
      code: 'data',
      message: 'gather: index 7 is out of range along axis 0 of [3]; expected 0 to 2',
    });
    release(b, x, y);
  });

  test('a class out of range names the classes there are', async () => {
    const b = backend();
    const [logits, classes] = [count(b, [2, 3]), putInts(b, [2], [0, 3])];
    const outputs = b.run('softmaxCrossEntropy', [logits, classes], {});
    for (const output of outputs) {
      await expect(b.read(output)).rejects.toThrow(
        'class 3 is out of range for logits of 3 classes',
      );
    }
    release(b, logits, classes, ...outputs);
  });

  test('two failures keep their own dependants; a value of both gets the first', async () => {
    const b = backend();
    const x = count(b, [3]);
    const [first, second] = [badGather(b, x, 3), badGather(b, x, -1)];
    const fromSecond = run(b, 'neg', [second], {});
    const fromBoth = run(b, 'add', [fromSecond, first], {});
    await expect(b.read(fromSecond)).rejects.toThrow('index -1');
    await expect(b.read(fromBoth)).rejects.toThrow(/index (-1|3)/);
    await expect(b.read(first)).rejects.toThrow('index 3');
    expect(await read(b, x)).toEqual([0, 1, 2]);
    await b.sync();
    release(b, x, first, second, fromSecond, fromBoth);
  });

  test('what is made of a value that has failed fails with it, long after', async () => {
    const b = backend();
    const x = count(b, [3]);
    const bad = badGather(b, x, 5);
    await expect(b.sync()).rejects.toThrow('index 5');
    const later = run(b, 'exp', [bad], {});
    const again = badGather(b, later, 0);
    await expect(b.read(again)).rejects.toThrow('index 5');
    await b.sync();
    release(b, x, bad, later, again);
  });

  test('synchronous reads throw it too', () => {
    const b = backend();
    const x = count(b, [3]);
    const bad = badGather(b, x, 4);
    expect(() => b.readSync!(bad)).toThrow('index 4');
    release(b, x, bad);
  });

  test('a failure in a loop of ops that may fail reaches the end of it', async () => {
    const b = backend();
    const [zero, bad, one] = [0, 9, 1].map((value) => putInts(b, [1], [value])) as [
      Handle,
      Handle,
      Handle,
    ];
    let x = count(b, [1]);
    for (let i = 0; i < 1500; i++) {
      x = run(b, 'gather', [x, i === 100 ? bad : zero], { axis: 0 }, [0]);
    }
    const other = run(b, 'neg', [one], {});
    await expect(b.read(x)).rejects.toThrow('index 9');
    expect(await read(b, other)).toEqual([-1]);
    release(b, zero, bad, one, x, other);
  });
});

describe('memory', () => {
  test('what does not fit is refused before any donation, and the engine lives on', async () => {
    const small = await createWorkers({ threads: 1, maxMemory: 16 * 2 ** 20 });
    const x = count(small, [1024, 1024]);
    const before = small.memory();
    const refused = (): unknown => small.run('broadcastTo', [x], { shape: [16, 1024, 1024] }, [0]);
    expect(refused).toThrow(expect.objectContaining({ code: 'backend-memory' }));
    expect(refused).toThrow(/^broadcastTo: no room for 67108864 bytes/);
    expect(small.memory()).toEqual(before);
    expect((await small.read(x))[1000]).toBe(1000);
    small.dispose();
  });

  test('an op refused for its second output leaves nothing behind', async () => {
    const small = await createWorkers({ threads: 1, maxMemory: 16 * 2 ** 20 });
    const x = count(small, [1_200_000]);
    const before = small.memory();
    const sort = (): unknown => small.run('sort', [x], { axis: 0, descending: false }, [0]);
    expect(sort).toThrow(expect.objectContaining({ code: 'backend-memory' }));
    expect(small.memory().details).toMatchObject({ usedBytes: before.details!['usedBytes'] });
    expect((await small.read(x))[1_199_999]).toBe(1_199_999);
    small.dispose();
  });

  test('forms give way where memory is short', async () => {
    const small = await createWorkers({ threads: 1, maxMemory: 14 * 2 ** 20 });
    const x = put(
      small,
      [1, 4, 512, 512],
      Array.from({ length: 2 ** 20 }, () => 1),
    );
    const filter = put(small, [1, 4, 1, 1], [1, 1, 1, 1]);
    const y = run(small, 'conv2d', [x, filter], { ...conv, padding: [0, 0, 0, 0] });
    expect(small.memory().details!['formBytes']).toBeGreaterThanOrEqual(2 ** 22);
    const z = run(small, 'neg', [x], {});
    expect(small.memory().details!['formBytes']).toBe(0);
    expect((await small.read(z))[5]).toBe(-1);
    expect((await small.read(y))[5]).toBe(4);
    small.dispose();
  });

  test("momentum's first step takes the memory of the zeros it begins with", async () => {
    // Room for three such tensors, not for four.
    const small = await createWorkers({ threads: 1, maxMemory: 24 * 2 ** 20 });
    const shape = [1_500_000];
    const filled = (value: number, of: readonly number[] = shape): Handle =>
      run(small, 'fill', [], { shape: of, dtype: 'float32', value });
    const parameter = run(small, 'iota', [], { shape, dtype: 'float32', axis: 0 });
    const gradient = filled(2);
    const scalars = [filled(0.5, []), filled(0.9, [])];
    const [updated, velocity] = small.run(
      'sgdStep',
      [...scalars, parameter, gradient, filled(0)],
      { velocity: true, dampening: 0, nesterov: false, weightDecay: 0 },
      [2, 4],
    );
    expect((await small.read(updated!))[1_499_999]).toBe(1_499_998);
    expect((await small.read(velocity!))[1_499_999]).toBe(2);
    small.dispose();
  });

  test('a donated tensor of equal elements, read at its first only, is not written over', async () => {
    const b = backend();
    // Several chunks: each reads the first element anew.
    const size = 300_000;
    const fives = run(b, 'fill', [], { shape: [size], dtype: 'float32', value: 5 });
    const x = run(b, 'iota', [], { shape: [size], dtype: 'float32', axis: 0 });
    const products = run(b, 'mul', [fives, x], {}, [0]);
    expect((await read(b, products)).findIndex((value, i) => value !== 5 * i)).toBe(-1);
    release(b, x, products);
  });

  describe('a donated tensor of equal elements gives what an ordinary one gives', () => {
    const shape = [2, 16, 20, 20];
    const wave = (b: Backend, of: readonly number[] = shape): Handle => {
      const size = of.reduce((a, length) => a * length, 1);
      return put(
        b,
        of,
        Array.from({ length: size }, (_, i) => Math.sin(i)),
      );
    };
    /** Lies channels last. */
    const image = (b: Backend): Handle =>
      run(b, 'conv2d', [wave(b, [2, 8, 20, 20]), wave(b, [16, 8, 3, 3])], conv);
    const spread = (b: Backend): Handle => run(b, 'square', [wave(b, [16])], {});
    type Inputs = (b: Backend, donated: Handle) => Handle[];
    const fused = { ...conv, activation: 'relu', residual: true } as const;
    const cases: [OpName, number, Inputs, object][] = [
      ['exp', 0, (_, x) => [x], {}],
      ['add', 1, (b, x) => [wave(b), x], {}],
      ['reluGradient', 0, (b, x) => [x, image(b)], {}],
      ['softmax', 0, (_, x) => [x], { axis: 1 }],
      ['cumsum', 0, (_, x) => [x], { axis: 3 }],
      ['batchNormTrain', 0, (b, x) => [x, wave(b, [16]), wave(b, [16])], { epsilon: 1e-5 }],
      [
        'batchNormTrainGradient',
        0,
        (b, x) => [x, image(b), wave(b, [16]), wave(b, [16]), spread(b)],
        { epsilon: 1e-5 },
      ],
      [
        'fusedConv2d',
        3,
        (b, x) => [wave(b, [2, 2, 20, 20]), wave(b, [16, 2, 3, 3]), wave(b, [16]), x],
        fused,
      ],
    ];
    test.each(cases)('%s, input %i', async (op, position, inputsOf, attributes) => {
      const b = await createWorkers({ threads: 2 });
      const size = shape.reduce((a, length) => a * length, 1);
      const equal = run(b, 'fill', [], { shape, dtype: 'float32', value: 0.75 });
      const ordinary = put(
        b,
        shape,
        Array.from({ length: size }, () => 0.75),
      );
      const outputs = [equal, ordinary].map(
        (x) => b.run(op, inputsOf(b, x), attributes as never, [position])[0]!,
      );
      const [actual, expected] = await Promise.all(outputs.map((y) => read(b, y)));
      expect(actual!.findIndex((v, i) => !(Math.abs(v - expected![i]!) <= 1e-5))).toBe(-1);
      b.dispose();
    });
  });

  test('a filter is packed and an image converted once, and both go with their tensors', async () => {
    const b = backend();
    const before = formBytes();
    const [x, filter] = [count(b, [2, 3, 8, 8]), count(b, [4, 3, 3, 3])];
    const first = run(b, 'conv2d', [x, filter], conv);
    const held = formBytes();
    expect(held).toBeGreaterThan(before);
    const second = run(b, 'conv2d', [x, filter], conv);
    expect(formBytes()).toBe(held);
    expect(await read(b, second)).toEqual(await read(b, first));
    release(b, x, filter, first, second);
    expect(formBytes()).toBe(before);
  });

  test('a weight that is multiplied by twice is kept packed', async () => {
    const b = backend();
    const before = formBytes();
    const [x, w] = [count(b, [20, 16]), count(b, [16, 16])];
    const times = { transposeA: false, transposeB: true };
    const first = run(b, 'matmul', [x, w], times);
    expect(formBytes()).toBe(before);
    const second = run(b, 'matmul', [x, w], times);
    expect(formBytes()).toBeGreaterThan(before);
    expect(await read(b, second)).toEqual(await read(b, first));
    release(b, x, w, first, second);
    expect(formBytes()).toBe(before);
  });

  test('thousands of ops on many shapes leave nothing behind', async () => {
    const b = backend();
    await b.sync();
    const before = b.memory();
    for (let i = 0; i < 3000; i++) {
      const x = run(b, 'fill', [], { shape: [1, 3, 1 + (i % 17), 9], dtype: 'float32', value: i });
      const y = run(b, 'reduceSum', [x], { axes: [2], keepDims: true });
      const z = run(b, 'sub', [x, y], {}, [0]);
      release(b, y, z);
    }
    await b.sync();
    expect(b.memory().handles).toBe(before.handles);
    expect(b.memory().bytes).toBe(before.bytes);
    expect(usedBytes()).toBe(before.details!['usedBytes']);
  });
});

describe('reading', () => {
  test('a value that lies channels last is read in logical order, by both ways', async () => {
    const b = backend();
    const x = count(b, [2, 3, 2, 5]);
    const y = channelsLastCopy(b, x);
    const expected = Array.from({ length: 60 }, (_, i) => i);
    expect(await read(b, y)).toEqual(expected);
    expect(Array.from(b.readSync!(y))).toEqual(expected);
    release(b, x, y);
  });

  test('bools are read as 0 and 1, whatever bytes were uploaded', async () => {
    const b = backend();
    const x = b.upload({ shape: [3], dtype: 'bool' }, Uint8Array.of(0, 7, 255));
    expect(await read(b, x)).toEqual([0, 1, 1]);
    b.release(x);
  });
});

test('optional ops are left to their decompositions where a tensor has no elements', () => {
  const b = backend();
  expect(b.supports('relu', [{ shape: [0], dtype: 'float32' }], {})).toBe(false);
  expect(b.supports('relu', [{ shape: [1], dtype: 'float32' }], {})).toBe(true);
  expect(b.supports('exp', [{ shape: [0], dtype: 'float32' }], {})).toBe(true);
});
