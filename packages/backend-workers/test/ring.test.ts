import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { CommandBuffer, control, CONTROL_BYTES, header } from '../src/commands.ts';
import type { Failure } from '../src/failure.ts';
import { kernelNumber, type KernelName } from '../src/kernel-names.ts';
import { CONTROL, heapStart, RING, RING_WORDS, SCRATCH } from '../src/layout.ts';
import { loadModule } from '../src/module.ts';
import type { FromWorker } from '../src/protocol.ts';
import { Ring } from '../src/ring.ts';

const HEAP = heapStart(1);

/** A ring whose only worker is the test's own thread: it runs commands when the test says so. */
class Bench {
  readonly memory: WebAssembly.Memory = new WebAssembly.Memory({
    initial: 64,
    maximum: 64,
    shared: true,
  });
  readonly failures: Failure[] = [];
  readonly ring: Ring;
  readonly commands = new CommandBuffer();
  holds = 0;
  #serve!: (...args: number[]) => void;

  constructor() {
    this.ring = new Ring({
      memory: this.memory,
      threads: 1,
      blocking: false,
      onFailure: (failure) => this.failures.push(failure),
      hold: () => this.holds++,
      release: () => this.holds--,
      lost: (reason) => {
        throw new Error(reason);
      },
    });
  }

  async start(): Promise<this> {
    const notice = (token: number): void => void this.messages.push({ kind: 'notice', token });
    const { exports } = new WebAssembly.Instance(await loadModule(true), {
      env: { memory: this.memory, notice },
    });
    (exports['start'] as (scratch: number) => void)(SCRATCH);
    this.#serve = exports['serve'] as (...args: number[]) => void;
    return this;
  }

  readonly messages: FromWorker[] = [];

  get control(): Int32Array {
    return new Int32Array(this.memory.buffer, CONTROL, CONTROL_BYTES / 4);
  }

  get words(): Int32Array {
    return new Int32Array(this.memory.buffer, RING, RING_WORDS);
  }

  get heap(): Int32Array {
    return new Int32Array(this.memory.buffer, HEAP, 1024);
  }

  submit(kernel: KernelName, chunks: number, args: readonly number[]): void {
    this.commands.append(kernelNumber(kernel), chunks, args);
    this.ring.submit(this.commands);
  }

  /** Runs what is in the ring, and delivers the notices. */
  run(): void {
    this.#serve(CONTROL, RING, RING_WORDS, 0, 0, 0);
    for (const message of this.messages.splice(0)) this.ring.receive(message);
  }
}

describe('ring', () => {
  let bench: Bench;
  beforeEach(async () => {
    bench = await new Bench().start();
  });
  afterEach(() => bench.ring.close(new Error('the test is over')));

  test('commands run in order, those that did not fit included', async () => {
    // Four times what the ring holds, each command writing its number behind the previous one's.
    const words = 16;
    const count = (RING_WORDS / words) * 4;
    for (let i = 0; i < count; i++) bench.submit('fill', 1, [HEAP + (i % 1024) * 4, 1, i, 1]);
    const done = bench.ring.fetch(HEAP, 4096);
    while (bench.holds > 0) {
      bench.run();
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const expected = Array.from({ length: 1024 }, (_, i) => count - 1024 + i);
    expect([...new Int32Array((await done).buffer)]).toEqual(expected);
    expect(bench.ring.completed).toBe(count + 1);
  });

  test('commands of many lengths cross the end of the ring', () => {
    let sum = 0;
    for (let i = 0; i < 3000; i++) {
      const length = (i * 37) % 900;
      const at = bench.commands.begin(kernelNumber('write'), 1, 2 + length);
      bench.commands.words[at] = HEAP;
      bench.commands.words[at + 1] = length * 4;
      bench.commands.words.fill(i, at + 2, at + 2 + length);
      bench.ring.submit(bench.commands);
      bench.run();
      if (length === 0) continue;
      expect([bench.heap[0], bench.heap[length - 1]]).toEqual([i, i]);
      sum += length;
    }
    expect(sum).toBeGreaterThan(2 * RING_WORDS);
  });

  test('what a thread may still be looking at is not written over', () => {
    bench.submit('fill', 1, [HEAP, 1, 1, 1]);
    bench.run();
    // As a thread does that was put to sleep by its system right after it had announced the first command.
    bench.control[control.announced] = 0 | 1;
    const first = bench.words.slice(0, 16);
    for (let i = 0; i < RING_WORDS / 16 + 10; i++) bench.submit('fill', 1, [HEAP, 1, i, 1]);
    expect(bench.words.slice(0, 16)).toEqual(first);
    expect(bench.control[control.tail]).toBe(RING_WORDS);
  });

  test('positions and sequence numbers go on when their 32 bits wrap', () => {
    const commands = new CommandBuffer();
    // 2^32 words are 8,192 laps; commands as long as may be make them quickly.
    const length = RING_WORDS / 4 - 8;
    for (let i = 0; i < 8192 * 4 + 10; i++) {
      commands.begin(kernelNumber('notice'), 0, length);
      const at = commands.length - length - 8;
      commands.words[at + header.chunks] = i % 1000 === 0 ? 1 : 0;
      bench.ring.submit(commands);
      bench.run();
    }
    bench.submit('fill', 1, [HEAP, 1, 77, 1]);
    bench.run();
    expect(bench.heap[0]).toBe(77);
    bench.ring.refresh();
    expect(bench.ring.completed).toBe(bench.ring.submitted);
  });

  test('a failure names its command, code and value, once, and only after it has run', () => {
    bench.submit('fill', 1, [HEAP, 1, 1, 1]);
    bench.submit('fill', 1, [HEAP, 1, 2, 1]);
    bench.submit('copy', 1, [HEAP, HEAP + 64, 4, 4]);
    // As `fail(a, 1, -7)` in the second command's kernel does.
    bench.words[16 + header.failure] = 1;
    bench.words[16 + header.value] = -7;
    bench.ring.refresh();
    expect(bench.failures).toEqual([]);
    bench.run();
    bench.ring.refresh();
    bench.ring.refresh();
    expect(bench.failures).toEqual([
      { sequence: 2, kernel: 'fill', code: 'indexOutOfRange', value: -7 },
    ]);
  });

  test('failures are found also where many commands ran since', () => {
    for (let i = 0; i < 100_000; i++) {
      bench.submit('fill', 1, [HEAP, 1, i, 1]);
      if (i % 5000 === 123) bench.words[((i * 16) % RING_WORDS) + header.failure] = 9;
      if (i % 10_000 === 9999) bench.run();
    }
    bench.ring.refresh();
    const sequences = Array.from({ length: 20 }, (_, i) => i * 5000 + 124);
    expect(bench.failures.map(({ sequence }) => sequence)).toEqual(sequences);
    expect(bench.failures[0]!.code).toBe('unknown');
  });

  test('holds the process while answers are awaited, and no longer', async () => {
    const first = bench.ring.fetch(HEAP, 4);
    const second = bench.ring.fetch(HEAP, 4);
    expect(bench.holds).toBe(2);
    bench.run();
    await Promise.all([first, second]);
    expect(bench.holds).toBe(0);
    const third = bench.ring.fetch(HEAP, 4);
    bench.ring.close(new Error('closed'));
    await expect(third).rejects.toThrow('closed');
    expect(bench.holds).toBe(0);
  });

  test('a command longer than the ring takes is refused', () => {
    bench.commands.begin(kernelNumber('notice'), 0, RING_WORDS / 2);
    expect(() => bench.ring.submit(bench.commands)).toThrow(/longer/);
  });
});
