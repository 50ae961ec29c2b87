import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { Allocator, type Block } from '../src/allocator.ts';

const MB = 2 ** 20;

/** An allocator whose machine gives memory up to `machine` bytes; `grown` is how far it has. */
function makeHeap(options: { start?: number; limit?: number; machine?: number } = {}): {
  allocator: Allocator;
  grown: () => number;
} {
  const { start = 4096, limit = 64 * MB, machine = Infinity } = options;
  let end = start;
  const allocator = new Allocator({
    start,
    limit,
    grow: (to) => {
      expect(to).toBeLessThanOrEqual(limit);
      if (to > machine) return false;
      end = Math.max(end, to);
      return true;
    },
  });
  return { allocator, grown: () => end };
}

/** Uniform in [0, 1), the same at every run (Lehmer, minimal standard). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

function expectDisjoint(blocks: readonly Block[], end: number): void {
  const sorted = blocks.toSorted((a, b) => a.address - b.address);
  sorted.forEach(({ address, bytes }, i) => {
    expect(address % 64).toBe(0);
    // The 64 bytes behind a block are nobody's.
    const next = sorted[i + 1]?.address ?? end;
    expect(address + bytes + 64).toBeLessThanOrEqual(next);
  });
}

describe('allocator', () => {
  test('blocks in use never overlap, whatever the order of allocating and freeing', () => {
    const steps = fc.array(
      fc.oneof(
        fc.record({ bytes: fc.oneof(fc.nat(300), fc.nat(100_000), fc.nat(4 * MB)) }),
        fc.record({ free: fc.nat(1000) }),
      ),
      { maxLength: 200 },
    );
    fc.assert(
      fc.property(steps, (sequence) => {
        const { allocator, grown } = makeHeap({ limit: 512 * MB });
        const blocks: Block[] = [];
        for (const step of sequence) {
          if ('bytes' in step) blocks.push(allocator.allocate(step.bytes));
          else if (blocks.length > 0) {
            allocator.free(blocks.splice(step.free % blocks.length, 1)[0]!);
          }
        }
        expectDisjoint(blocks, grown());
        expect(allocator.totals.blocks).toBe(blocks.length);
        for (const block of blocks) allocator.free(block);
        const { usedBytes, heapBytes } = allocator.totals;
        expect(usedBytes).toBe(0);
        expect(allocator.largestFree()).toBe(Math.max(0, heapBytes - 64));
      }),
      { numRuns: 50 },
    );
  });

  test('10,000 mixed allocations with three fifths of the memory in use never fail', () => {
    const random = makeRandom(7);
    const limit = 64 * MB;
    const { allocator, grown } = makeHeap({ limit });
    const blocks: Block[] = [];
    let live = 0;
    for (let i = 0; i < 10_000; i++) {
      // Sizes over five decades, as activations, weights and scalars are mixed in a training step.
      const bytes = Math.floor(2 ** (4 + random() * 17));
      while (live + bytes > limit * 0.6) {
        const [block] = blocks.splice(Math.floor(random() * blocks.length), 1);
        live -= block!.bytes;
        allocator.free(block!);
      }
      blocks.push(allocator.allocate(bytes));
      live += bytes;
      if (i % 1000 === 0) expectDisjoint(blocks, grown());
    }
    expectDisjoint(blocks, grown());
    expect(allocator.totals.blocks).toBe(blocks.length);
  });

  test('the same sizes again and again take no more memory than the first time', () => {
    const { allocator } = makeHeap();
    const sizes = [1000, 250_000, 64, 1_000_000, 8, 33_000];
    const round = (): void => {
      const blocks = sizes.map((bytes) => allocator.allocate(bytes));
      for (const block of blocks) allocator.free(block);
    };
    round();
    const { heapBytes } = allocator.totals;
    for (let i = 0; i < 1000; i++) round();
    expect(allocator.totals.heapBytes).toBe(heapBytes);
  });

  test('grows to its limit and not beyond, and lives on after a refusal', () => {
    const { allocator } = makeHeap({ start: 4096, limit: 4096 + 8 * MB });
    const first = allocator.allocate(3 * MB);
    const before = allocator.totals;
    expect(() => allocator.allocate(6 * MB, 'conv2d')).toThrow(
      expect.objectContaining({
        code: 'backend-memory',
        message: expect.stringMatching(/^conv2d: no room for 6291456 bytes.*grow to 8388608/),
      }),
    );
    expect(allocator.totals).toEqual(before);
    allocator.free(first);
    expect(allocator.allocate(8 * MB - 64).bytes).toBe(8 * MB - 64);
  });

  test('asks for just enough where the machine does not give more', () => {
    const { allocator } = makeHeap({ limit: 1024 * MB, machine: 6 * MB });
    const first = allocator.allocate(3 * MB);
    const second = allocator.allocate(2 * MB);
    expectDisjoint([first, second], 6 * MB);
    expect(() => allocator.allocate(2 * MB)).toThrow(/no room/);
  });

  test('a block remembers until when its memory is in use, through merging and splitting', () => {
    const { allocator } = makeHeap();
    const [a, b, c] = [1000, 1000, 1000].map((bytes) => allocator.allocate(bytes));
    expect(allocator.busyUntil(a!)).toBe(0);
    allocator.free(a!, 5);
    allocator.free(c!, 3);
    allocator.free(b!, 4);
    expect(allocator.busyUntil(allocator.allocate(10))).toBe(5);
  });

  test('freeing a block twice is an error', () => {
    const { allocator } = makeHeap();
    const block = allocator.allocate(10);
    allocator.free(block);
    expect(() => allocator.free(block)).toThrow(/twice/);
  });

  test('reaches the end of 4 GiB', () => {
    const { allocator, grown } = makeHeap({ start: 3 * MB, limit: 4096 * MB });
    const blocks = Array.from({ length: 4 }, () => allocator.allocate(1000 * MB));
    expectDisjoint(blocks, grown());
    const last = allocator.allocate(4096 * MB - 64 - (blocks.at(-1)!.address + 1000 * MB + 64));
    expect(last.address + last.bytes + 64).toBe(4096 * MB);
  });
});
