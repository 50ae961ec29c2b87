import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

import { DisposedError } from '@convoke/backend-api';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';

import type { Block } from '../src/allocator.ts';
import { f32 } from '../src/encoder.ts';
import { createEngine, type CommandRange, type Engine, type EngineOptions } from '../src/engine.ts';
import { planFill, planStridedCopy } from '../src/kernels/copy.ts';
import { planGather } from '../src/kernels/gather.ts';

const engines: Engine[] = [];

async function start(options?: EngineOptions): Promise<Engine> {
  const engine = await createEngine(options);
  engines.push(engine);
  return engine;
}

afterEach(() => {
  for (const engine of engines.splice(0)) engine.dispose();
});

/** Where they differ, or -1: quicker than `toEqual` on millions of elements. */
function firstDifference(actual: Int32Array, expected: Int32Array): number {
  if (actual.length !== expected.length) return Math.min(actual.length, expected.length);
  return actual.findIndex((x, i) => x !== expected[i]);
}

function bytesOf(data: Float32Array | Int32Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

async function readInts(engine: Engine, block: Block, count?: number): Promise<Int32Array> {
  return new Int32Array((await engine.read(block, count && count * 4)).buffer);
}

function fillInts(engine: Engine, block: Block, value: number): void {
  planFill(engine, { to: block.address, count: block.bytes / 4, bits: value, elementBytes: 4 });
  engine.commit();
}

/** Enough to keep the workers busy for a while: fills of 32 MiB. */
function emitLongWork(engine: Engine, times: number): void {
  const block = engine.allocate(2 ** 25);
  for (let i = 0; i < times; i++) fillInts(engine, block, i);
  engine.free(block);
}

const modes: [string, EngineOptions][] = [
  ['1 thread', { threads: 1 }],
  ['2 threads', { threads: 2 }],
  ['4 threads', { threads: 4 }],
  ['private memory', { sharedMemory: false }],
];

describe.each(modes)('engine with %s', (_name, options) => {
  let engine: Engine;
  beforeAll(async () => {
    engine = await createEngine(options);
  });
  afterAll(() => engine.dispose());

  test('uploads and reads back what it was given', async () => {
    for (const length of [0, 1, 1000, 400_001]) {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 31);
      const block = engine.upload(bytes);
      expect(Buffer.compare(await engine.read(block), bytes)).toBe(0);
      expect(await engine.read(block, Math.min(length, 5))).toEqual(bytes.slice(0, 5));
    }
  });

  test('what was uploaded or written is a snapshot', async () => {
    const data = Int32Array.of(1, 2, 3);
    const uploaded = engine.upload(bytesOf(data));
    const written = engine.allocate(12);
    engine.write(written, bytesOf(data));
    data.fill(9);
    expect([...(await readInts(engine, uploaded))]).toEqual([1, 2, 3]);
    expect([...(await readInts(engine, written))]).toEqual([1, 2, 3]);
  });

  test('commands, writes and reads take effect in the order of the calls', async () => {
    const block = engine.allocate(100_000 * 4);
    const reads: Promise<Int32Array>[] = [];
    for (let i = 0; i < 20; i++) {
      fillInts(engine, block, i);
      if (i % 3 === 0) engine.write(block, bytesOf(Int32Array.of(-i)));
      reads.push(readInts(engine, block));
    }
    const values = await Promise.all(reads);
    values.forEach((ints, i) => {
      expect(ints[0]).toBe(i % 3 === 0 ? 0 - i : i);
      expect(ints.subarray(1).every((x) => x === i)).toBe(true);
    });
  });

  test('memory freed by the caller serves later commands while earlier ones still wait', async () => {
    const kept = engine.allocate(4096);
    const seen: Promise<Int32Array>[] = [];
    emitLongWork(engine, 2);
    for (let i = 0; i < 50; i++) {
      const block = engine.upload(bytesOf(new Int32Array(1024).fill(i)));
      engine.emit('copy', 1, [block.address, kept.address, 4096, 4096]);
      engine.commit();
      engine.free(block);
      seen.push(readInts(engine, kept));
    }
    (await Promise.all(seen)).forEach((ints, i) => {
      expect(ints.every((x) => x === i)).toBe(true);
    });
  });

  test('every chunk runs exactly once, before the next command begins', async () => {
    const [rows, columns] = [317, 1031];
    const source = Int32Array.from({ length: rows * columns }, (_, i) => i);
    const from = engine.upload(bytesOf(source));
    const there = engine.allocate(from.bytes);
    const back = engine.allocate(from.bytes);
    for (let round = 0; round < 20; round++) {
      // Chunks of one row each: many more than threads.
      for (const [a, b, r, c] of [
        [from, there, rows, columns],
        [there, back, columns, rows],
      ] as const) {
        engine.emit('stridedCopy', c, [a.address, b.address, 4, c, 1, 2, c, r, 1, c]);
      }
      engine.commit();
    }
    expect(firstDifference(await readInts(engine, back), source)).toBe(-1);
  });

  test('far more commands than the ring holds run without loss', async () => {
    const block = engine.allocate(4096);
    const count = 100_000;
    for (let i = 0; i < count; i++) {
      engine.emit('fill', 1, [block.address + (i % 1024) * 4, 1, i, 1]);
      engine.commit();
    }
    // Each place holds the last command's number that leaves its remainder.
    const expected = Array.from({ length: 1024 }, (_, i) => count - 1 - ((count - 1 - i) % 1024));
    const ints = await readInts(engine, block);
    expect([...ints]).toEqual(expected);
    expect(engine.completed).toBeGreaterThanOrEqual(count);
  });

  test('writes larger than the ring arrive whole', async () => {
    const data = Int32Array.from({ length: 2_000_003 }, (_, i) => i * 3);
    const block = engine.allocate(data.byteLength);
    emitLongWork(engine, 1);
    engine.write(block, bytesOf(data));
    expect(firstDifference(await readInts(engine, block), data)).toBe(-1);
  });

  test('zeros stay zero, and grow, also where the op that asked was rolled back', async () => {
    // Memory that was in use before.
    const dirty = engine.upload(new Uint8Array(2 ** 20).fill(255));
    engine.free(dirty);
    const copyZeros = async (bytes: number): Promise<void> => {
      const out = engine.allocate(bytes);
      engine.emit('copy', 1, [engine.zeros(bytes), out.address, bytes, bytes]);
      engine.commit();
      expect((await engine.read(out)).every((x) => x === 0)).toBe(true);
    };
    await copyZeros(100);
    engine.zeros(300_000);
    engine.rollback();
    await copyZeros(200_000);
    await copyZeros(500_000);
  });

  test('workspaces of an op are apart from one another and free once it is committed', async () => {
    const before = engine.memory().usedBytes;
    const a = engine.workspace(1000);
    const b = engine.workspace(1000);
    expect(Math.abs(a - b)).toBeGreaterThanOrEqual(1000);
    expect(engine.memory().usedBytes).toBeGreaterThan(before);
    engine.commit();
    expect(engine.memory().usedBytes).toBe(before);
  });

  test('what was rolled back never runs', async () => {
    const block = engine.upload(bytesOf(Int32Array.of(1)));
    engine.emit('fill', 1, [block.address, 1, 2, 1]);
    engine.rollback();
    const { first, last } = engine.commit();
    expect(last).toBe(first - 1);
    expect([...(await readInts(engine, block))]).toEqual([1]);
  });

  test('ranges of commands settle once they have run', async () => {
    const block = engine.allocate(4);
    emitLongWork(engine, 40);
    engine.emit('fill', 1, [block.address, 1, 2, 1]);
    engine.emit('fill', 1, [block.address, 1, 3, 1]);
    const range = engine.commit();
    expect(range.last).toBe(range.first + 1);
    expect(engine.failureOf(range)).toBe('pending');
    await engine.sync();
    expect(engine.failureOf(range)).toBe(null);
  });

  test('a command that fails is known by its range, once it has run; its neighbours are well', async () => {
    const x = engine.upload(bytesOf(Int32Array.of(10, 11, 12)));
    const y = engine.allocate(8);
    const gather = (...picked: number[]): CommandRange => {
      const indices = engine.upload(bytesOf(Int32Array.from(picked)));
      planGather(engine, {
        x: x.address,
        indices: indices.address,
        y: y.address,
        outer: 1,
        length: 3,
        picks: picked.length,
        inner: 1,
        elementBytes: 4,
      });
      engine.free(indices);
      return engine.commit();
    };
    emitLongWork(engine, 2);
    const ranges = [gather(0, 2), gather(1, 7), gather(2, 1), gather(-4, 0), gather(1, 2)];
    expect([...(await readInts(engine, y))]).toEqual([11, 12]);
    const found = ranges.map((range) => engine.failureOf(range));
    expect(found).toEqual([
      null,
      expect.objectContaining({ kernel: 'gather', code: 'indexOutOfRange', value: 7 }),
      null,
      expect.objectContaining({ code: 'indexOutOfRange', value: -4 }),
      null,
    ]);
    expect(engine.failureOf(ranges[1]!)).toEqual(found[1]);
  });
});

describe.each(modes)('the end of an engine with %s', (_name, options) => {
  test('out of memory names the request and changes nothing', async () => {
    const engine = await start({ ...options, maxMemory: 2 ** 25 });
    const block = engine.upload(bytesOf(Int32Array.of(5)));
    const before = engine.memory();
    expect(() => engine.allocate(2 ** 25, 'conv2d')).toThrow(
      expect.objectContaining({
        code: 'backend-memory',
        message: expect.stringContaining('conv2d: no room for 33554432 bytes'),
      }),
    );
    expect(engine.memory()).toEqual(before);
    expect([...(await readInts(engine, block))]).toEqual([5]);
  });

  test('disposing rejects what waits and refuses what comes later', async () => {
    const engine = await start(options);
    const block = engine.allocate(4);
    emitLongWork(engine, 20);
    const waiting = [engine.read(block), engine.sync()];
    engine.dispose();
    engine.dispose();
    for (const promise of waiting) await expect(promise).rejects.toThrow(DisposedError);
    await expect(engine.read(block)).rejects.toThrow(DisposedError);
    expect(() => engine.allocate(4)).toThrow(DisposedError);
    expect(() => engine.emit('fill', 1, [])).toThrow(DisposedError);
    engine.free(block);
  });

  test('a trap in a kernel gives backend-lost to all that waits and all that comes', async () => {
    const engine = await start(options);
    const told: unknown[] = [];
    engine.onLost((error) => told.push(error));
    const other = await start(options);
    const block = engine.allocate(4);
    // Far outside the memory.
    engine.emit('copy', 1, [block.address, -65_536, 4, 4]);
    engine.commit();
    const lost = expect.objectContaining({ code: 'backend-lost' });
    await expect(engine.read(block)).rejects.toEqual(lost);
    await expect(engine.sync()).rejects.toEqual(lost);
    expect(() => engine.allocate(4)).toThrow(lost);
    expect(told).toEqual([lost]);
    // The other engine of the process is none the worse.
    const fine = other.upload(bytesOf(Int32Array.of(3)));
    expect([...(await readInts(other, fine))]).toEqual([3]);
  });

  test('a worker terminated from outside gives backend-lost to what waits', async () => {
    const workers: Worker[] = [];
    const engine = await start({
      ...options,
      createWorker: (url) => {
        const worker = new Worker(url, { execArgv: [] });
        workers.push(worker);
        return worker;
      },
    });
    const block = engine.allocate(4);
    emitLongWork(engine, 200);
    const read = engine.read(block);
    void workers.at(-1)!.terminate();
    await expect(read).rejects.toEqual(expect.objectContaining({ code: 'backend-lost' }));
  });
});

describe('engine', () => {
  test('1, 2 and 4 threads and private memory give the same bits', async () => {
    const results: Uint8Array[] = [];
    for (const [, options] of modes) {
      const engine = await start(options);
      const source = Float32Array.from({ length: 6 * 50 * 70 * 9 }, (_, i) => Math.sin(i));
      const from = engine.upload(bytesOf(source));
      const to = engine.allocate(source.byteLength);
      const strides = [50 * 70 * 9, 9, 70 * 9, 1];
      planStridedCopy(engine, {
        from: from.address,
        to: to.address,
        shape: [6, 70, 50, 9],
        strides,
        elementBytes: 4,
      });
      engine.commit();
      results.push(await engine.read(to));
    }
    for (const result of results) expect(Buffer.compare(result, results[0]!)).toBe(0);
  });

  test('names its mode, and takes as many threads as there are, at most 8', async () => {
    const engine = await start();
    expect(engine.threads).toBe(Math.min(8, availableParallelism()));
    expect(engine.mode).toMatch(/^\d+ threads?, (relaxed )?SIMD, shared memory$/);
    expect((await start({ sharedMemory: false })).mode).toMatch(/^1 thread, .*private memory$/);
  });

  test('two engines keep their memories and their orders apart', async () => {
    const [a, b] = [await start({ threads: 2 }), await start({ threads: 2 })];
    const blocks = [a.allocate(400_000), b.allocate(400_000)];
    for (let i = 0; i < 50; i++) {
      fillInts(a, blocks[0]!, i);
      fillInts(b, blocks[1]!, -i);
    }
    a.dispose();
    expect((await readInts(b, blocks[1]!)).every((x) => x === -49)).toBe(true);
  });

  test('readSync waits for all that was committed', async () => {
    const engine = await start({ threads: 2 });
    const block = engine.allocate(400_000);
    emitLongWork(engine, 3);
    fillInts(engine, block, 8);
    expect(new Int32Array(engine.readSync!(block).buffer).every((x) => x === 8)).toBe(true);
    expect(engine.readSync!(block, 4)).toEqual(bytesOf(Int32Array.of(8)));
  });

  test('readSync tells of a trap instead of waiting for ever', async () => {
    const engine = await start({ threads: 2 });
    const block = engine.allocate(4);
    engine.emit('copy', 1, [block.address, -65_536, 4, 4]);
    engine.commit();
    const lost = expect.objectContaining({ code: 'backend-lost' });
    expect(() => engine.readSync!(block)).toThrow(lost);
    expect(() => engine.allocate(4)).toThrow(lost);
  });

  test('private memory offers no readSync', async () => {
    expect((await start({ sharedMemory: false })).readSync).toBeUndefined();
  });

  test('a read works where no memory is left for a copy', async () => {
    const engine = await start({ threads: 2, maxMemory: 2 ** 24 });
    const block = engine.allocate(10_000_000);
    fillInts(engine, block, 6);
    expect((await readInts(engine, block)).every((x) => x === 6)).toBe(true);
  });

  test('uploads leave alone what a waiting command still reads', async () => {
    const engine = await start({ threads: 2, maxMemory: 2 ** 25 });
    const result = engine.allocate(8_000_000);
    const block = engine.upload(bytesOf(new Int32Array(2_000_000).fill(1)));
    emitLongCopies(engine, block, result);
    engine.free(block);
    const again = engine.upload(bytesOf(new Int32Array(2_000_000).fill(2)));
    expect(again.address).toBe(block.address);
    expect((await readInts(engine, result)).every((x) => x === 1)).toBe(true);
    expect((await readInts(engine, again)).every((x) => x === 2)).toBe(true);
  });

  test('options that cannot be are refused with what they may be', async () => {
    for (const threads of [0, 1.5, 65, Number.NaN]) {
      await expect(createEngine({ threads })).rejects.toThrow(/threads must be a whole number/);
    }
    for (const maxMemory of [1000, 2 ** 33, Number.NaN]) {
      await expect(createEngine({ maxMemory })).rejects.toThrow(/maxMemory must be from/);
    }
    for (const [options, message] of [
      [{ thread: 2 }, "there is no option 'thread'; expected some of threads, precision"],
      [{ precision: 'exact' }, "precision must be 'fast' or 'strict', got exact"],
      [{ createWorker: 5 }, 'createWorker must be a function, got 5'],
      [null, 'options must be an object such as { threads: 2 }, got null'],
      ['fast', 'options must be an object such as { threads: 2 }, got fast'],
    ] as const) {
      await expect(createEngine(options as EngineOptions)).rejects.toThrow(message);
    }
  });

  test('a worker that does not start is a BackendError that says why', async () => {
    await expect(createEngine({ createWorker: failingWorker })).rejects.toEqual(
      expect.objectContaining({
        code: 'backend-unavailable',
        message: expect.stringContaining('no such luck'),
      }),
    );
  });

  test('floats travel as their bits', async () => {
    const engine = await start({ threads: 1 });
    const block = engine.allocate(12);
    [0.1, -Infinity, Number.NaN].forEach((value, i) => {
      engine.emit('fill', 1, [block.address + i * 4, 1, f32(value), 1]);
    });
    engine.commit();
    const floats = new Float32Array((await engine.read(block)).buffer);
    expect(floats).toEqual(Float32Array.of(0.1, -Infinity, Number.NaN));
  });
});

function emitLongCopies(engine: Engine, from: Block, to: Block): void {
  for (let i = 0; i < 20; i++) {
    engine.emit('copy', 8, [from.address, to.address, from.bytes, from.bytes / 8]);
  }
  engine.commit();
}

function failingWorker(): Worker {
  return new Worker('throw new Error("no such luck")', { eval: true });
}
